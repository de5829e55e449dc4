/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * BLAKE2b-256, RFC 7693, without a key: for the runtime stub, whose size forbids a library of
 * ciphers. The tool uses libsodium's (bundler/hash.h); a unit test holds one against the other.
 */
#include <stddef.h>
#include <stdint.h>

enum { BLAKE2B_SIZE = 32, BLAKE2B_BLOCK = 128 };

struct blake2b {
    uint64_t state[8];
    uint64_t length; /* bytes taken in before the block below; files are shorter than 2^64 */
    uint8_t block[BLAKE2B_BLOCK];
    size_t used; /* bytes of the block */
};

/* Begin, take in as often as is wanted, end; no resource to release. */
void blake2b_init(struct blake2b *hash);
void blake2b_update(struct blake2b *hash, const void *data, size_t size);
void blake2b_final(struct blake2b *hash, uint8_t ret[BLAKE2B_SIZE]);
