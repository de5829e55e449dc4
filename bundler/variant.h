/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Variants of libraries for newer processors: DIR/glibc-hwcaps/x86-64-v3/libx.so.1 beside
 * DIR/libx.so.1 (ld.so(8), "Hardware capabilities"). The bundle has the base file in any case, so
 * that it runs on older machines than the one it was built on; its loader takes a variant where the
 * processor has what that needs.
 */
#include <stdbool.h>
#include <stddef.h>

struct err;
struct walk;

/* Whether a path is one of them. */
bool variant_is(const char *path);

/*
 * Adds those of the walk's objects from *done on, as a dlopen() by path would; *done is the count
 * of objects then. libruby has none: its load path is found in the base file only. E-LIB when
 * one needs a library that is not there.
 */
[[nodiscard]] bool variant_add(struct walk *walk, size_t *done, struct err *err);
