/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The primitives of signatures: BLAKE2b (RFC 7693), SHA-256 (FIPS
 * 180-4), Ed25519 (RFC 8032) and scrypt (RFC 7914), for
 * the tool and for programs that check signatures. The only file of them that knows libsodium.
 * Nothing here needs sodium_init(): random bytes are the kernel's.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

enum {
    PRIM_HASH_MAX = 64,
    PRIM_SHA256_TEXT = 65,
    PRIM_SEED_SIZE = 32,
    PRIM_PUBLIC_SIZE = 32,
    PRIM_SECRET_SIZE = 64, /* seed, then public key */
    PRIM_SIGNATURE_SIZE = 64,
    PRIM_SALT_SIZE = 32,
};

/* A hash in the making; no resource to release. Opaque: only prim_hash_*() look inside. */
struct prim_hash {
    _Alignas(64) uint8_t opaque[384];
};

/* Chooses faster code for this processor, for all hashes that begin later. Never needed. */
void prim_hurry(void);

/* BLAKE2b with so many bytes of output, 16 to 64, and no key. final ends hash. */
void prim_hash_init(struct prim_hash *hash, size_t size_bytes);
void prim_hash_update(struct prim_hash *hash, const void *data, size_t size);
void prim_hash_final(struct prim_hash *hash, uint8_t *ret, size_t size_bytes);

/* SHA-256 in the making, as above; final gives 64 hexadecimal digits and a NUL. */
struct prim_sha256 {
    _Alignas(8) uint8_t opaque[128];
};

/* Begin, take in, end; no resource to release. */
void prim_sha256_init(struct prim_sha256 *hash);
void prim_sha256_update(struct prim_sha256 *hash, const void *data, size_t size);
void prim_sha256_final(struct prim_sha256 *hash, char ret[PRIM_SHA256_TEXT]);

/* ERR_SYSTEM where the kernel has no random bytes. */
[[nodiscard]] bool prim_random(void *ret, size_t size, struct err *err);

/* The key pair of a seed: the same seed gives the same. */
void prim_pair(const uint8_t seed[PRIM_SEED_SIZE], uint8_t ret_public[PRIM_PUBLIC_SIZE],
               uint8_t ret_secret[PRIM_SECRET_SIZE]);

/* Ed25519, deterministic. */
void prim_sign(const void *message, size_t size, const uint8_t secret[PRIM_SECRET_SIZE],
               uint8_t ret[PRIM_SIGNATURE_SIZE]);

/* False for any other message, key or signature, also for the other ways to write the same
 * signature down, and for keys of small order. */
[[nodiscard]] bool prim_verify(const void *message, size_t size,
                               const uint8_t key[PRIM_PUBLIC_SIZE],
                               const uint8_t signature[PRIM_SIGNATURE_SIZE]);

/* scrypt with libsodium's limits of operations and memory, which stand in a key's file. False when
 * the memory is not there. */
[[nodiscard]] bool prim_stretch(uint8_t *ret, size_t size, const char *password,
                                const uint8_t salt[PRIM_SALT_SIZE], uint64_t operations,
                                size_t memory_bytes);

/* Whether they are equal, in a time that does not depend on them. */
[[nodiscard]] bool prim_equals(const void *a, const void *b, size_t size);

/* Zeros that no compiler takes for useless. */
void prim_wipe(void *data, size_t size);
