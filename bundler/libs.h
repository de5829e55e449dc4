/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The shared libraries of the image: the walker's closure over interpreter and gems, what recipes
 * add to it, and the hermetic copy of the loader.
 */
#include <stdbool.h>
#include <stddef.h>

#include "bundler/extras.h"
#include "bundler/walk.h"

struct config;
struct err;
struct gems;
struct plan;
struct probe;
struct programs;
struct ruby;
struct trace;

struct libs {
    struct walk walk;
    size_t roots; /* objects of the walk that are no libraries */
    char **dirs;  /* image paths for --library-path, in order */
    size_t dir_count;
    struct extras extras; /* what recipes and hidden dependencies add */
    char *gconv_dir;      /* image path where the bundled libc's gconv modules are, or would be */
};

struct libs_input {
    const struct probe *probe;
    const char *app_dir;
    const struct config *config; /* libraries and recipes that the user names */
    const struct gems *gems;
    struct programs *programs; /* of gems and application; those of recipes join */
    const struct trace *trace; /* of a recorded run, or NULL */
    bool has_variants;         /* variants of libraries for newer processors, too */
};

/*
 * Walks, applies recipes (those of app_dir too) and adds what is opened by name, then every
 * library, and finds Ruby's load path block. After all files of gems and application are planned.
 * E-CONFIG when the configuration names a library or recipe that is not there.
 */
[[nodiscard]] bool libs_plan(struct libs *ret, const struct libs_input *input, struct ruby *ruby,
                             struct plan *plan, struct err *err);

/* Adds the loader's hermetic copy under the process name: it becomes the process's comm. */
[[nodiscard]] bool libs_plan_loader(const struct libs *libs, const char *comm, struct plan *plan,
                                    struct err *err);
void libs_release(struct libs *libs);
