/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The dependency walker: the closure of shared objects that a Ruby process with its extensions
 * maps, computed as the glibc loader would (ld.so(8), elf/dl-load.c): DT_RPATH chain, DT_RUNPATH,
 * $ORIGIN, $LIB, $PLATFORM, ld.so.cache, default directories.
 *
 * The main program is simulated first; then each root as if it were the first one to be dlopen()ed
 * by it. So the closure holds what is needed in whatever order an application requires its
 * extensions: a library that is loaded already only ever replaces a search. An extension that can
 * be loaded only after another one, because that one brings the library, is fine too. A root that
 * is a program is simulated as a process of its own.
 *
 * Left out on purpose: variants for some processors (glibc-hwcaps; the base file is taken, a bundle
 * must run elsewhere), directories relative to the working directory, and the environment
 * (LD_LIBRARY_PATH, LD_PRELOAD). ELF files are hostile input: every error names file and field.
 *
 * load.h loads the objects of one process, search.h searches one name; here processes become one
 * graph.
 */
#include <stdbool.h>
#include <stddef.h>

#include "bundler/search.h" /* enum walk_found */

struct elf;
struct err;
struct loader;
struct walk_state;

struct walk_root {
    const char *path;  /* absolute path of an extension, helper program or dlopen()ed library */
    const char *owner; /* for reasons and errors: "gem 'sqlite3'" */
};

struct walk_object {
    char *path;   /* as the loader opened it: absolute, symlinks kept */
    char *name;   /* the name it was asked for by: "libz.so.1"; a root's is its path */
    char *soname; /* DT_SONAME, or NULL */
    char *reason; /* shortest reason: "needed by sqlite3_native.so of gem 'sqlite3'" */
    enum walk_found found;
    bool is_root; /* one of the roots, or the main program */
};

/* A name in the dynamic section of one object (DT_NEEDED, DT_AUXILIARY, DT_FILTER), and the object
 * that it led to. */
struct walk_edge {
    size_t from; /* indexes of objects */
    size_t to;
    char *name;            /* $TOKENS expanded */
    enum walk_found found; /* WALK_FOUND_LOADED: no search, a process had it already */
    const char *via;       /* path of the object whose RPATH or RUNPATH found it, or NULL */
};

struct walk {
    struct walk_object *objects; /* main program first, then in load order; no path twice */
    size_t count;
    size_t capacity;
    struct walk_edge *edges; /* in the order in which the loader meets them; none twice */
    size_t edge_count;
    char *interp; /* PT_INTERP of the main program, e.g. "/lib64/ld-linux-x86-64.so.2" */
    int machine;  /* e_machine of the main program */
    const struct loader *loader; /* of interp; lives as long as the walk */
    struct walk_state *state;    /* private */
};

/*
 * Fills *ret. All paths must be absolute. $ORIGIN of the main program is the directory of its real
 * path, as when the kernel starts it. Two paths of one file (a symlink) can both be in the result:
 * different processes of the application may open either. Errors:
 *   E-LIB   a needed object was not found: owner, file, soname and each path tried, in order
 *   E-ELF   a file is not an ELF object, is damaged, or is of another machine
 *   E-LIBC  the interpreter is not glibc's (musl is not built yet), or a root's is another one
 *   E-STATIC the main program has no interpreter (static Ruby: not built yet)
 */
[[nodiscard]] bool walk_closure(struct walk *ret, const char *main_path,
                                const struct walk_root *roots, size_t root_count, struct err *err);
void walk_release(struct walk *walk);

/* The object as it was read, valid until walk_release(). NULL: the file is gone or damaged now. */
const struct elf *walk_elf(const struct walk *walk, size_t object);

/* One more root, as walk_closure() takes it. On an error the walk may hold a part of its closure;
 * it can still be released. */
[[nodiscard]] bool walk_add_root(struct walk *walk, const struct walk_root *root, struct err *err);

/*
 * Finds a library by soname as a dlopen() in the main program would, e.g. "libgcc_s.so.1", and adds
 * it with its closure. Sets *ret_found instead of failing when there is none. On an error the walk
 * may hold a part of the closure; it can still be released.
 */
[[nodiscard]] bool walk_add_soname(struct walk *walk, const char *soname, const char *reason,
                                   bool *ret_found, struct err *err);
