/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * BLAKE2b with 32 bytes of output (RFC 7693), the hash of a bundle's two halves; SHA-256 (FIPS
 * 180-4), that of other formats. The only file that knows libsodium.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/format.h"

struct err;

/* A hash in the making; no resource to release. Opaque: only hash_*() look inside. */
struct hash {
    _Alignas(64) uint8_t opaque[384];
};

void hash_init(struct hash *hash);
void hash_update(struct hash *hash, const void *data, size_t size);
void hash_final(struct hash *hash, uint8_t ret[FORMAT_HASH_SIZE]); /* ends hash */

void hash_bytes(const void *data, size_t size, uint8_t ret[FORMAT_HASH_SIZE]);

/*
 * Adds the bytes [offset, offset + size) of fd, read in pieces; the file position is left alone.
 * ERR_SYSTEM when a read fails, E-TRUNCATED when the file ends before.
 */
[[nodiscard]] bool hash_update_range(struct hash *hash, int fd, uint64_t offset_bytes,
                                     uint64_t size_bytes, struct err *err);

/* The hash of such a range alone. */
[[nodiscard]] bool hash_range(int fd, uint64_t offset_bytes, uint64_t size_bytes,
                              uint8_t ret[FORMAT_HASH_SIZE], struct err *err);

/* SHA-256 in the making, as above. */
struct hash_sha256 {
    _Alignas(8) uint8_t opaque[128];
};

void hash_sha256_init(struct hash_sha256 *hash);
void hash_sha256_update(struct hash_sha256 *hash, const void *data, size_t size);
/* Ends it: 64 hexadecimal digits and a NUL. */
void hash_sha256_final(struct hash_sha256 *hash, char ret[2 * FORMAT_HASH_SIZE + 1]);
