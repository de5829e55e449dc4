/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Whether the objects of a closure fit together: versions, symbols, and what they ask of CPU and
 * kernel. The loader checks the same when it is too late: at the start, or at the first call.
 */
#include <stdbool.h>
#include <stddef.h>

struct err;
struct walk;

struct linkage {
    char **warnings; /* one line each, for people */
    size_t count;
    size_t capacity;
};

/*
 * Versions: each one that an object was linked with (DT_VERNEED) must be offered by the library of
 * that name, as the loader checks before any code runs (elf/dl-version.c). Else E-VERSION, which
 * names both files and the version.
 *
 * Symbols: each one that a relocation names must be defined by some object of the closure. Ruby
 * opens its extensions with RTLD_LAZY | RTLD_GLOBAL, so every object that was loaded before counts.
 * One that is missing is a warning, never an error: a gem can hold extensions for other Rubies,
 * which this one never opens. The warning says whether the object fails at its load or at a call.
 *
 * E-ELF for an object whose tables are damaged.
 */
[[nodiscard]] bool linkage_check(struct linkage *ret, const struct walk *walk, struct err *err);
void linkage_release(struct linkage *linkage);
