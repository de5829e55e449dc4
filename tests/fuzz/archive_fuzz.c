/* SPDX-License-Identifier: MIT */
/*
 * A snapshot as a file: frames of zstd, the archive in them, and a capsule with its trailer.
 * Mirrors reading.c, zstream.c, tar.c, capsule.c and trailer.c.
 */
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "runtime/keeper/capsule.h"
#include "runtime/keeper/reading.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reading reading;
    struct capsule capsule;
    struct err err = {0};
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fuzz_file(data, size));
    if (reading_open(&reading, path, &err))
        reading_close(&reading);
    else
        FUZZ_ASSERT(err.msg[0] != '\0');
    if (capsule_open(&capsule, path, &err)) {
        FUZZ_ASSERT(capsule.bundle_size <= size);
        FUZZ_ASSERT(!capsule.has_snapshot || capsule.snapshot_size <= size - capsule.bundle_size);
        capsule_release(&capsule);
    }
    return 0;
}
