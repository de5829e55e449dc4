/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * BLAKE2b with 32 bytes of output (RFC 7693), the hash of a bundle's two halves.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/format.h"
#include "common/prim.h"

struct err;

/* A hash in the making; no resource to release. */
struct hash {
    struct prim_hash inner;
};

/* Begin, take in as often as is wanted, end: FORMAT_HASH_SIZE bytes. */
void hash_init(struct hash *hash);
void hash_update(struct hash *hash, const void *data, size_t size);
void hash_final(struct hash *hash, uint8_t ret[FORMAT_HASH_SIZE]); /* ends hash */

/* The hash of these bytes alone. */
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
