/* SPDX-License-Identifier: MIT */
#include "bundler/hash.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/xalloc.h"

enum { PIECE_BYTES = 1 << 20 };

void hash_init(struct hash *hash)
{
    prim_hurry();
    prim_hash_init(&hash->inner, FORMAT_HASH_SIZE);
}

void hash_update(struct hash *hash, const void *data, size_t size)
{
    prim_hash_update(&hash->inner, data, size);
}

void hash_final(struct hash *hash, uint8_t ret[FORMAT_HASH_SIZE])
{
    prim_hash_final(&hash->inner, ret, FORMAT_HASH_SIZE);
}

void hash_bytes(const void *data, size_t size, uint8_t ret[FORMAT_HASH_SIZE])
{
    struct hash hash;

    hash_init(&hash);
    hash_update(&hash, data, size);
    hash_final(&hash, ret);
}

bool hash_update_range(struct hash *hash, int fd, uint64_t offset_bytes, uint64_t size_bytes,
                       struct err *err)
{
    cleanup_free uint8_t *piece = xcalloc(PIECE_BYTES, 1);

    if (offset_bytes > INT64_MAX || size_bytes > INT64_MAX - offset_bytes)
        return err_set(err, ERR_INPUT, "no file is that large");
    while (size_bytes > 0) {
        size_t want = size_bytes < PIECE_BYTES ? (size_t)size_bytes : PIECE_BYTES;
        ssize_t length = pread(fd, piece, want, (off_t)offset_bytes);

        if (length < 0 && errno == EINTR)
            continue;
        if (length < 0)
            return err_sys(err, "read");
        if (length == 0) {
            (void)err_set(err, ERR_INPUT, "the file ends %llu bytes early",
                          (unsigned long long)size_bytes);
            return err_id(err, "E-TRUNCATED");
        }
        hash_update(hash, piece, (size_t)length);
        offset_bytes += (uint64_t)length;
        size_bytes -= (uint64_t)length;
    }
    return true;
}

bool hash_range(int fd, uint64_t offset_bytes, uint64_t size_bytes, uint8_t ret[FORMAT_HASH_SIZE],
                struct err *err)
{
    struct hash hash;

    hash_init(&hash);
    if (!hash_update_range(&hash, fd, offset_bytes, size_bytes, err))
        return false;
    hash_final(&hash, ret);
    return true;
}
