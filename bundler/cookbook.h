/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * All recipes of one build: the tool's own, and those in the directory `recipes` of the
 * application. One of the application takes the place of the tool's of the same name.
 */
#include <stdbool.h>
#include <stddef.h>

struct err;
struct recipe;

enum { COOKBOOK_MAX = 256 }; /* recipes of an application */

struct cookbook_entry {
    struct recipe *recipe;
    char *origin; /* path of the file; NULL: the tool's own */
    /* The tool's recipe that this one takes away (`disabled`), so that the build can tell what goes
     * with it; else NULL. */
    struct recipe *withheld;
};

struct cookbook {
    struct cookbook_entry *entries; /* the tool's first, then by file name */
    size_t count;
    size_t capacity;
};

/* app_dir may be NULL. E-RECIPE for the first wrong file. Release it after a failure, too. */
[[nodiscard]] bool cookbook_load(struct cookbook *ret, const char *app_dir, struct err *err);
void cookbook_release(struct cookbook *cookbook);

/* Reads one file. E-RECIPE names it. */
[[nodiscard]] bool cookbook_read(const char *path, struct recipe **ret, struct err *err);

/* NULL when there is none of that name. */
const struct cookbook_entry *cookbook_find(const struct cookbook *cookbook, const char *name);
