/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Bundler's resolved gems in the image: one gem home at /gems, frozen gemspecs, a trampoline for
 * each executable, and the static bundler/setup that replaces the computation at start.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bundler/leftout.h"

struct config_list;
struct err;
struct plan;
struct probe;
struct probe_gem;

/* A shared object of a gem, for the walker. */
struct gems_object {
    char *path;  /* absolute */
    char *image; /* image path */
    char *owner; /* "gem 'sqlite3'" */
};

struct gems_script {
    char *path; /* image path of the trampoline: ".rucksack/bin/puma" */
    char *file; /* image path of the script that it runs */
};

struct gems {
    struct gems_object *objects;
    size_t object_count;
    struct gems_script *scripts;
    size_t script_count;
    bool *is_native; /* by index of probe->gems */
    uint64_t *bytes; /* by index of probe->gems; zeros before gems_count_bytes() */
    struct leftout leftout;
};

/* keep: as in struct leftout, valid during the call. E-ELF for a file in a load path of a gem that
 * is named .so and is no ELF object. */
[[nodiscard]] bool gems_plan(struct gems *ret, const struct probe *probe,
                             const struct config_list *const *keep, struct plan *plan,
                             struct err *err);

/* What the plan has of each gem. */
void gems_count_bytes(struct gems *gems, const struct probe *probe, const struct plan *plan);

/* Image path of what was compiled for the gem, where the image's RubyGems looks for it. Owned by
 * the caller. */
char *gems_extension_dir(const struct probe *probe, const struct probe_gem *gem);

/* One more for the walker: path on this machine, image path, owner. All are copied. */
void gems_add_object(struct gems *gems, const char *path, const char *image, const char *owner);
void gems_release(struct gems *gems);
