/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The interpreter in the image: its programs, standard library, RubyGems, Bundler, and the block in
 * memory that the guest object rewrites (see runtime/guest/loadpath.c).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct plan;
struct probe;

/* Ruby's compiled-in load path as found in the ELF object that holds it. */
struct ruby_loadpath {
    char *object;        /* file name of the object: "libruby-3.1.so.3.1" */
    uint64_t address;    /* virtual address of the block */
    uint64_t size_bytes; /* with the empty string that ends it */
    char **dirs;         /* its strings */
    size_t dir_count;
    char **image_dirs; /* those that the image holds, as image paths: what takes their place */
    size_t image_dir_count;
};

struct ruby {
    char *program;     /* image path of the trampoline: "usr/bin/ruby3.1" */
    char *elf;         /* image path of the real program, beside it */
    char *comm;        /* name of the process: "ruby3.1" */
    char *specs;       /* image path of the default gems' specifications */
    char **extensions; /* absolute paths of the standard library's shared objects */
    size_t extension_count;
    struct ruby_loadpath loadpath;
};

/*
 * Adds everything but shared libraries. E-RUBY when this Ruby cannot be moved yet: not under /usr,
 * /usr/local or /opt, or without a load path block of the known shape.
 */
[[nodiscard]] bool ruby_plan(struct ruby *ret, const struct probe *probe, struct plan *plan,
                             struct err *err);

/*
 * Finds the load path block in one of the objects that a Ruby process maps (host paths, main
 * program first), and names the image's directories. After ruby_plan() and all gems.
 */
[[nodiscard]] bool ruby_find_loadpath(struct ruby *ruby, const struct probe *probe,
                                      const struct plan *plan, const char *const *objects,
                                      size_t object_count, struct err *err);

void ruby_release(struct ruby *ruby);
