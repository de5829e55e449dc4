/* SPDX-License-Identifier: MIT */
#include "common/checksum.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { CHUNK_SIZE = 256 << 10 }; /* stays in the processor's cache between reading and summing */

/* Sets what lies in [from, to) of the file to zero; the chunk holds bytes at offset. */
static void blank(char *chunk, size_t size, uint64_t offset, uint64_t from, uint64_t to)
{
    uint64_t end = offset + size;

    if (from < offset)
        from = offset;
    if (to > end)
        to = end;
    if (from < to)
        memset(chunk + (from - offset), 0, (size_t)(to - from));
}

bool checksum_file(int fd, uint64_t zero_from, uint64_t zero_to, uint64_t end, uint64_t *ret,
                   struct err *err)
{
    cleanup_free char *chunk = malloc(CHUNK_SIZE);
    XXH3_state_t state;
    uint64_t offset = 0;

    if (chunk == NULL)
        return err_sys(err, "summing the file");
    (void)XXH3_64bits_reset(&state);
    while (offset < end) {
        size_t want = end - offset < CHUNK_SIZE ? (size_t)(end - offset) : CHUNK_SIZE;
        ssize_t got = pread(fd, chunk, want, (off_t)offset);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_sys(err, "reading the file");
        if (got == 0)
            return err_set(err, ERR_INPUT, "the file became shorter");
        blank(chunk, (size_t)got, offset, zero_from, zero_to);
        (void)XXH3_64bits_update(&state, chunk, (size_t)got);
        offset += (uint64_t)got;
    }
    *ret = XXH3_64bits_digest(&state);
    return true;
}
