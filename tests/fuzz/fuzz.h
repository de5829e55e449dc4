/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Fuzz targets: one file NAME_fuzz.c each, with libFuzzer's entry point. They are linked twice:
 * with libFuzzer (make fuzz), and with replay.c, which runs the corpus as part of make check.
 */
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A file of these bytes, the same descriptor each time. Dies where that is impossible. */
int fuzz_file(const uint8_t *data, size_t size);

/* Says what is untrue, and aborts. */
#define FUZZ_ASSERT(condition)                                                                     \
    do {                                                                                           \
        if (!(condition))                                                                          \
            fuzz_fail(#condition, __FILE__, __LINE__);                                             \
    } while (0)

[[gnu::noreturn]] void fuzz_fail(const char *condition, const char *file, int line);
