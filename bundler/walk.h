/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The dependency walker: the closure of shared objects that a Ruby process with its extensions
 * maps, computed as the glibc loader would (ld.so(8), elf/dl-load.c): DT_RPATH chain, DT_RUNPATH,
 * $ORIGIN, $LIB, $PLATFORM, ld.so.cache, default directories.
 *
 * The main program is simulated first; then each extension as if dlopen()ed by it, in the given
 * order. The environment (LD_LIBRARY_PATH, LD_PRELOAD) plays no part. ELF files are hostile input:
 * every error names file and field.
 */
#include <stdbool.h>
#include <stddef.h>

struct err;

struct walk_root {
    const char *path;  /* absolute path of an extension, helper program or dlopen()ed library */
    const char *owner; /* for reasons and errors: "gem 'sqlite3'" */
};

/* How the loader found an object. */
enum walk_found {
    WALK_FOUND_ROOT,
    WALK_FOUND_RPATH,
    WALK_FOUND_RUNPATH,
    WALK_FOUND_CACHE,
    WALK_FOUND_DEFAULT,
    WALK_FOUND_PATH, /* the name had a slash */
    WALK_FOUND_INTERP,
};

struct walk_object {
    char *path;   /* as the loader opened it: absolute, symlinks kept */
    char *name;   /* the name it was asked for by: "libz.so.1" */
    char *reason; /* shortest reason: "needed by sqlite3_native.so of gem 'sqlite3'" */
    enum walk_found found;
    bool is_root; /* one of the roots, or the main program */
};

struct walk {
    struct walk_object *objects; /* main program first, then in load order; no duplicates */
    size_t count;
    size_t capacity;
    char *interp; /* PT_INTERP of the main program, e.g. "/lib64/ld-linux-x86-64.so.2" */
    int machine;  /* e_machine of the main program */
};

/*
 * Fills *ret. Errors:
 *   E-LIB   a needed object was not found: owner, file, soname and each path tried, in order
 *   E-ELF   a file is not an ELF object, is damaged, or is of another machine
 *   E-LIBC  the interpreter is not glibc's (musl is not built yet)
 *   E-STATIC the main program has no interpreter (static Ruby: not built yet)
 */
[[nodiscard]] bool walk_closure(struct walk *ret, const char *main_path,
                                const struct walk_root *roots, size_t root_count, struct err *err);
void walk_release(struct walk *walk);

/*
 * Finds a library by soname as a dlopen() in the main program would, e.g. "libgcc_s.so.1", and adds
 * it with its closure. Sets *ret_found instead of failing when there is none.
 */
[[nodiscard]] bool walk_add_soname(struct walk *walk, const char *soname, const char *reason,
                                   bool *ret_found, struct err *err);
