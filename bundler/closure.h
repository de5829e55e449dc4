/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The closure in the image: where each object of the walk stands there, and whether the loader
 * finds the same ones in the bundle as it did on this machine.
 *
 * On this machine an object's own search path comes before the system's libraries; in the bundle
 * the library path comes in between (ld.so(8): DT_RPATH, --library-path, DT_RUNPATH). So for every
 * name that an object needs, the search is done again over the plan: what it finds must be the copy
 * of the file that was found before. Where it is not, the object's own path is moved to the front,
 * or a directory is added to the library path. Two files of one name that the library path must
 * both have are a warning: which one is loaded depends on the order of `require`, here as there.
 */
#include <stdbool.h>
#include <stddef.h>

struct err;
struct gems;
struct plan;
struct programs;
struct ruby;
struct walk;

struct closure_input {
    const struct walk *walk;
    const struct gems *gems;
    const struct programs *programs;
    const struct ruby *ruby;
    const char *const *dirs; /* image paths of the library path, in order */
    size_t dir_count;
};

/* A name in DT_NEEDED of one object, and the object that it stands for: indexes of the walk. */
struct closure_edge {
    size_t from;
    size_t to;
};

struct closure {
    char **images;   /* by object of the walk: its image path; NULL where it is not in the plan */
    bool *is_edited; /* by object of the walk: the image holds an edited copy */
    size_t object_count;
    struct closure_edge *edges;
    size_t edge_count;
    size_t edge_capacity;
    char **dirs; /* image paths to add at the end of the library path */
    size_t dir_count;
    char **warnings; /* one line each, for people */
    size_t warning_count;
};

/*
 * Places, checks, and edits copies (bundler/relocate.h). After everything is planned but the
 * loader's copies. Errors:
 *   E-LIB   an object that is needed does not get into the image, or nothing finds it there
 *   E-EDIT, E-ELF as in relocate.h
 */
[[nodiscard]] bool closure_settle(struct closure *ret, const struct closure_input *input,
                                  struct plan *plan, struct err *err);
void closure_release(struct closure *closure);
