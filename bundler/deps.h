/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What single files load, each as a process of its own, by the loader that it would get on this
 * machine: for `rucksack deps`. (A bundle needs one graph instead: walk.h.)
 *
 * Nothing is run but the loaders, asked for their parameters.
 */
#include <stdbool.h>

#include "bundler/process.h"
#include "bundler/search.h"

struct deps; /* loaders and files, known once for all */
struct elf;
struct err;
struct loader;

/* mode->library_path must outlive it; interp: the loader for all files, NULL: each file's own. */
[[nodiscard]] struct deps *deps_new(const struct search_mode *mode, const char *interp);
void deps_free(struct deps *deps);

/* The file at an absolute path. E-ELF when it is no object that is loaded. */
[[nodiscard]] bool deps_read(struct deps *deps, const char *path, const struct elf **ret,
                             struct err *err);

/* False the second time that it is asked about a path. */
bool deps_mark(struct deps *deps, const char *path);

/* Loaded by nobody: neither needs nor names anything. */
bool deps_is_static(const struct elf *elf);

/*
 * Loads it into an empty process; what is not found is noted there. A library is taken as the main
 * program of "ld.so FILE", by the usual loader of its machine and C library. E-LIBC when that is
 * not here, E-ELF for damage on the way, when *ret_loader is set, too; it lives as long as deps.
 */
[[nodiscard]] bool deps_load(struct deps *deps, const struct elf *elf, struct process *process,
                             const struct loader **ret_loader, struct err *err);
