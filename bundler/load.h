/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Loading: what a dynamic loader maps for a program or a dlopen(), breadth first, each object once
 * by name, DT_SONAME or inode.
 *
 * Source: glibc elf/dl-deps.c (_dl_map_object_deps), elf/dl-load.c (_dl_map_object_from_fd),
 * elf/dl-open.c; musl ldso/dynlink.c (load_library, load_deps).
 *
 * A name that is not found is noted in the process and loading goes on, as in the loader's trace.
 * Errors are for what makes the loader give up: E-ELF for a candidate that is damaged.
 */
#include <stdbool.h>
#include <stddef.h>

struct elf;
struct err;
struct process;
struct search_context;

/*
 * Starts the empty process with a main program; its owner is noted in every map, may be NULL, and
 * must outlive the process. $ORIGIN of the main program is the directory of its real path when the
 * kernel starts it, and of the path given when a loader before glibc 2.42 does (a newer one asks
 * /proc).
 */
[[nodiscard]] bool load_program(const struct search_context *context, struct process *process,
                                const struct elf *elf, const char *owner, struct err *err);

/* dlopen() of a path. Its RPATH is not inherited from the caller. */
[[nodiscard]] bool load_library(const struct search_context *context, struct process *process,
                                const struct elf *elf, const char *owner, struct err *err);

/* dlopen() of a name by the main program. Sets *ret to the map, PROCESS_NONE if there is none. */
[[nodiscard]] bool load_soname(const struct search_context *context, struct process *process,
                               const char *soname, const char *owner, long *ret, struct err *err);
