/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * One search for the name of a library, on behalf of one object of a simulated process, as glibc
 * does it: the asker's RPATH and that of who loaded it, --library-path, the asker's RUNPATH,
 * ld.so.cache, default directories. And as musl does it: musl.h.
 *
 * Source: glibc elf/dl-load.c (_dl_map_object, open_path, fillin_rpath, _dl_dst_substitute),
 * elf/dl-cache.c, elf/dl-hwcaps.c; ld.so(8).
 */
#include <stdbool.h>
#include <stddef.h>

#include "bundler/names.h"

struct err;
struct loader;
struct objects;
struct process;

/* How the loader found an object. */
enum walk_found {
    WALK_FOUND_ROOT,
    WALK_FOUND_RPATH,
    WALK_FOUND_RUNPATH,
    WALK_FOUND_CACHE,
    WALK_FOUND_DEFAULT,
    WALK_FOUND_PATH, /* the name had a slash */
    WALK_FOUND_INTERP,
    WALK_FOUND_LIBRARY_PATH,
    WALK_FOUND_LOADED, /* by name: the process had it already */
};

/* What is simulated beside the files. */
struct search_mode {
    /* What this machine's loader maps: variants for its processor, names relative to the working
     * directory. Else what a bundle can rely on: the base file of each library, absolute paths. */
    bool is_here;
    bool by_loader; /* started as "ld.so PROGRAM"; else by the kernel */
    bool no_cache;  /* --inhibit-cache */
    const char
        *hwcaps_mask; /* --glibc-hwcaps-mask: "x86-64-v3:x86-64-v2"; NULL: all that are here */
    const char *library_path; /* --library-path or LD_LIBRARY_PATH; NULL: none */
};

/* The surroundings of all processes of a walk. */
struct search_context {
    const struct loader *loader;
    struct objects *objects;
    struct search_mode mode;
};

struct search {
    const struct search_context *context;
    const struct process *process;
    size_t asker; /* the map that asks */
    const char *name;

    struct names tried; /* every path without success, in order */
    char *path;         /* the hit, or NULL */
    enum walk_found found;
    long via; /* the map whose RPATH or RUNPATH it was, or PROCESS_NONE */
};

/*
 * Runs a search whose first four members are set. Sets path where there is a file; a search that
 * ends without one succeeds, too. E-ELF when a candidate is damaged or no regular file: the loader
 * looks no further then.
 */
[[nodiscard]] bool search_run(struct search *search, struct err *err);
void search_release(struct search *search);

/* $ORIGIN, $LIB, $PLATFORM. NULL when one has no value here: the loader then drops the whole
 * element. Owned by the caller. */
[[nodiscard]] char *search_expand(const struct loader *loader, const char *origin, const char *text,
                                  size_t len);
