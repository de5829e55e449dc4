/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Applies recipes to what a build knows: objects to the walk, files to the plan, the rest to the
 * extras. Commands run on this machine, without a shell.
 */
#include <stdbool.h>
#include <stddef.h>

struct config_list;
struct cookbook;
struct err;
struct extras;
struct plan;
struct probe;
struct recipe;
struct walk;

struct apply {
    struct walk *walk;
    const struct probe *probe;
    const char *app_dir;
    const struct cookbook *cookbook;
    const struct config_list *wanted; /* names of recipes that apply without a match */
    struct plan *plan;
    struct extras *extras;
    bool *is_done; /* by index of the cookbook, all false at first; owned by the caller */
};

/*
 * Applies each recipe that matches and was not applied before; sets *ret_any when there was one: it
 * may have brought objects that others match. Errors:
 *   E-RECIPE  something that a matching recipe requires is not there, or its command failed
 *   E-LIB     a library that it requires, or a required module needs, was not found
 */
[[nodiscard]] bool apply_matching(const struct apply *apply, bool *ret_any, struct err *err);

/*
 * The pattern for each directory that ${LIBDIR} stands for; owned by the caller, and each of them,
 * ended by NULL.
 */
char **apply_expand(const struct walk *walk, const struct recipe *recipe, const char *pattern);
void apply_free_list(char **list);
