/* SPDX-License-Identifier: MIT */
#include "common/trailer.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/blake2b.h"
#include "common/cleanup.h"
#include "common/err.h"

enum { PIECE_BYTES = 256 << 10 };

static_assert((int)FORMAT_HASH_SIZE == (int)BLAKE2B_SIZE);

static void hash_itself(const struct format_trailer *trailer, uint8_t ret[FORMAT_HASH_SIZE])
{
    struct blake2b hash;

    blake2b_init(&hash);
    blake2b_update(&hash, trailer, offsetof(struct format_trailer, trailer_hash));
    blake2b_final(&hash, ret);
}

static bool damaged(struct err *err, const char *what)
{
    (void)err_set(err, ERR_INPUT, "the capsule is damaged: %s", what);
    (void)err_id(err, "E-SNAPSHOT");
    return err_hint(err, "take another copy of it, or the snapshot before it");
}

bool trailer_read(int fd, uint64_t file_size, uint64_t image_end, struct format_trailer *ret,
                  bool *ret_found, struct err *err)
{
    struct format_trailer trailer = {0};
    uint8_t hash[FORMAT_HASH_SIZE];
    uint64_t end;

    *ret_found = false;
    if (file_size < sizeof(trailer))
        return true;
    if (pread(fd, &trailer, sizeof(trailer), (off_t)(file_size - sizeof(trailer))) !=
        (ssize_t)sizeof(trailer))
        return err_sys(err, "trailer");
    if (memcmp(trailer.magic, FORMAT_TRAILER_MAGIC, sizeof(trailer.magic)) != 0)
        return true;
    *ret_found = true;
    if (le32toh(trailer.version) != FORMAT_TRAILER_VERSION)
        return damaged(err, "its trailer is of another version");
    hash_itself(&trailer, hash);
    if (memcmp(hash, trailer.trailer_hash, sizeof(hash)) != 0)
        return damaged(err, "its trailer differs");
    trailer.version = le32toh(trailer.version);
    trailer.snapshot_offset = le64toh(trailer.snapshot_offset);
    trailer.snapshot_size = le64toh(trailer.snapshot_size);
    if (__builtin_add_overflow(trailer.snapshot_offset, trailer.snapshot_size, &end) ||
        end != file_size - sizeof(trailer) ||
        (image_end != UINT64_MAX && trailer.snapshot_offset != image_end))
        return damaged(err, "its snapshot is not where the trailer says");
    *ret = trailer;
    return true;
}

void trailer_make(struct format_trailer *ret, uint64_t snapshot_offset, uint64_t snapshot_size,
                  const uint8_t snapshot_hash[FORMAT_HASH_SIZE])
{
    *ret = (struct format_trailer){
        .version = htole32(FORMAT_TRAILER_VERSION),
        .snapshot_offset = htole64(snapshot_offset),
        .snapshot_size = htole64(snapshot_size),
    };
    memcpy(ret->magic, FORMAT_TRAILER_MAGIC, sizeof(ret->magic));
    memcpy(ret->snapshot_hash, snapshot_hash, sizeof(ret->snapshot_hash));
    hash_itself(ret, ret->trailer_hash);
}

bool trailer_hash(int fd, uint64_t offset, uint64_t size, uint8_t ret[FORMAT_HASH_SIZE],
                  struct err *err)
{
    cleanup_free uint8_t *piece = malloc(PIECE_BYTES);
    struct blake2b hash;

    if (piece == NULL)
        return err_sys(err, "snapshot");
    blake2b_init(&hash);
    while (size > 0) {
        size_t want = size < PIECE_BYTES ? (size_t)size : PIECE_BYTES;
        ssize_t length = pread(fd, piece, want, (off_t)offset);

        if (length < 0 && errno == EINTR)
            continue;
        if (length < 0)
            return err_sys(err, "snapshot");
        if (length == 0)
            return damaged(err, "its end is missing");
        blake2b_update(&hash, piece, (size_t)length);
        offset += (uint64_t)length;
        size -= (uint64_t)length;
    }
    blake2b_final(&hash, ret);
    return true;
}
