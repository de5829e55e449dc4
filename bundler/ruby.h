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
    char *object;        /* file name: "libruby-3.1.so.3.1"; image path when it is the program */
    char *source;        /* absolute path of the object here */
    bool is_relative;    /* --enable-load-relative: Ruby puts its own place before each string */
    uint64_t address;    /* virtual address of the block */
    uint64_t size_bytes; /* with the empty string that ends it */
    char **dirs;         /* its strings, in a relative one with the prefix before them */
    size_t dir_count;
    char **image_dirs; /* those that the image holds, as image paths: what takes their place */
    size_t image_dir_count;
};

struct ruby {
    char *program;     /* image path of the trampoline: "usr/bin/ruby3.1" */
    char *elf;         /* image path of the real program, beside where it stood */
    char *comm;        /* name of the process: "ruby3.1" */
    char *loader;      /* image path of its own copy of the loader, or NULL: FORMAT_DIR/ld/comm */
    char *specs;       /* image path of the default gems' specifications */
    char **extensions; /* absolute paths of the standard library's shared objects */
    size_t extension_count;
    struct ruby_loadpath loadpath;
};

/* Where a Ruby stands in the image that was neither under /usr nor under /opt. */
#define RUBY_HOME "opt/ruby"

/* Adds everything but shared libraries, and moves what is not under /usr or /opt to RUBY_HOME: to
 * be called first. */
[[nodiscard]] bool ruby_plan(struct ruby *ret, const struct probe *probe, struct plan *plan,
                             struct err *err);

/*
 * Finds the load path block in one of the objects that a Ruby process maps (host paths, main
 * program first), and names the image's directories. After ruby_plan() and all gems. E-RUBY when
 * there is no block of the known shape.
 */
[[nodiscard]] bool ruby_find_loadpath(struct ruby *ruby, const struct probe *probe,
                                      const struct plan *plan, const char *const *objects,
                                      size_t object_count, struct err *err);

/* Leaves debug information out of a shared libruby, too. After ruby_find_loadpath(). */
[[nodiscard]] bool ruby_trim_library(const struct ruby *ruby, struct plan *plan, struct err *err);

/*
 * A load-relative Ruby without a shared library takes its prefix from /proc/self/exe, which is the
 * loader: the copy that starts it must stand where the program stood. After the loader was planned.
 */
[[nodiscard]] bool ruby_plan_loader(struct ruby *ruby, const struct probe *probe, struct plan *plan,
                                    struct err *err);

/*
 * The block has room for so many bytes; the image's own path is not known before it is started.
 * Plans the one directory that stands for all of them where they do not fit. After
 * ruby_find_loadpath().
 */
[[nodiscard]] bool ruby_plan_short_loadpath(const struct ruby *ruby, const struct probe *probe,
                                            struct plan *plan, struct err *err);

/* Extensions that are not in the plan any more are none of this Ruby. Before libraries are planned.
 */
void ruby_forget_extensions(struct ruby *ruby, const struct plan *plan);

void ruby_release(struct ruby *ruby);
