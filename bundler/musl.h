/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The parameters of musl's dynamic loader, for looking at musl programs; a bundle of one is not
 * built yet. It has a path file instead of a cache, and no tokens but $ORIGIN.
 *
 * Source: musl ldso/dynlink.c (load_library).
 */
#include <stdbool.h>

struct elf;
struct err;
struct loader;

/* Whether a PT_INTERP is musl's: "/lib/ld-musl-x86_64.so.1". */
bool musl_is_interp(const char *interp);

/*
 * Fills *ret for a program whose PT_INTERP is musl's. default_dirs holds one list as in the path
 * file; a path file that cannot be read is none. E-ELF when the loader is missing or damaged.
 */
[[nodiscard]] bool musl_open(struct loader *ret, const struct elf *program, struct err *err);
