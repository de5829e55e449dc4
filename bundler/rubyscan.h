/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Shared libraries that Ruby sources open by name: `ffi_lib`, `dlload`, `Fiddle.dlopen` and
 * `Fiddle::Handle.new`. Not a parser: string literals of the call, and of a constant of the same
 * file that it names. Names that are computed are not seen.
 */
#include <stdbool.h>
#include <stddef.h>

enum {
    RUBYSCAN_FILE_MAX = 1 << 20, /* bytes; longer files are passed over */
    RUBYSCAN_NAMES_MAX = 16,     /* alternatives of one argument */
    RUBYSCAN_NAME_MAX = 128,     /* bytes of one */
};

/* One argument of a call: any of these names will do. */
struct rubyscan_call {
    const char *const *names;
    size_t name_count;
    size_t line;
};

/* Calls visit for each call, function by function, in the order of the file; what a visit gets is
 * valid until it returns. text need not end with a NUL. */
void rubyscan(const char *text, size_t len,
              void (*visit)(const struct rubyscan_call *call, void *context), void *context);
