/* SPDX-License-Identifier: MIT */
#include "bundler/hash.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/xalloc.h"

enum { PIECE_BYTES = 1 << 20 };

static_assert(sizeof(crypto_generichash_state) <= sizeof(((struct hash *)NULL)->opaque));
static_assert(_Alignof(crypto_generichash_state) <= _Alignof(struct hash));

static crypto_generichash_state *state_of(struct hash *hash)
{
    return (crypto_generichash_state *)(void *)hash->opaque;
}

/* sodium_init() only chooses faster code for this processor: without it the portable code runs, so
 * its result does not matter. The hash functions fail for wrong sizes alone. */
void hash_init(struct hash *hash)
{
    int code = sodium_init();

    (void)code;
    *hash = (struct hash){0};
    (void)crypto_generichash_init(state_of(hash), NULL, 0, FORMAT_HASH_SIZE);
}

void hash_update(struct hash *hash, const void *data, size_t size)
{
    (void)crypto_generichash_update(state_of(hash), data, size);
}

void hash_final(struct hash *hash, uint8_t ret[FORMAT_HASH_SIZE])
{
    (void)crypto_generichash_final(state_of(hash), ret, FORMAT_HASH_SIZE);
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

static_assert(sizeof(crypto_hash_sha256_state) <= sizeof(((struct hash_sha256 *)NULL)->opaque));
static_assert(_Alignof(crypto_hash_sha256_state) <= _Alignof(struct hash_sha256));
static_assert(crypto_hash_sha256_BYTES == FORMAT_HASH_SIZE);

static crypto_hash_sha256_state *sha256_of(struct hash_sha256 *hash)
{
    return (crypto_hash_sha256_state *)(void *)hash->opaque;
}

void hash_sha256_init(struct hash_sha256 *hash)
{
    *hash = (struct hash_sha256){0};
    (void)crypto_hash_sha256_init(sha256_of(hash));
}

void hash_sha256_update(struct hash_sha256 *hash, const void *data, size_t size)
{
    (void)crypto_hash_sha256_update(sha256_of(hash), data, size);
}

void hash_sha256_final(struct hash_sha256 *hash, char ret[2 * FORMAT_HASH_SIZE + 1])
{
    unsigned char digest[crypto_hash_sha256_BYTES];

    (void)crypto_hash_sha256_final(sha256_of(hash), digest);
    (void)sodium_bin2hex(ret, 2 * FORMAT_HASH_SIZE + 1, digest, sizeof(digest));
}
