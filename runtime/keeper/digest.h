/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * SHA-256 of files (FIPS 180-4; `sha256sum` says the same) and the fingerprints of secrets. The
 * only file of this program that knows libsodium.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DIGEST_SIZE = 32, DIGEST_HEX = 2 * DIGEST_SIZE + 1, DIGEST_ID_SIZE = 16 };

struct digest {
    _Alignas(16) uint8_t opaque[128];
};

/* Begin, take in, end; no resource to release. */
void digest_init(struct digest *digest);
void digest_update(struct digest *digest, const void *data, size_t size);
void digest_final(struct digest *digest, uint8_t ret[DIGEST_SIZE]);

/*
 * HMAC-SHA256 (RFC 2104) of a secret, keyed with the id of the snapshot: two snapshots do not show
 * whether they were made with the same secret. A secret that can be guessed can still be guessed.
 */
void digest_fingerprint(const uint8_t id[DIGEST_ID_SIZE], const char *secret,
                        uint8_t ret[DIGEST_SIZE]);

/* Lower case, with a NUL: ret has 2 * size + 1 bytes. */
void digest_hex(const uint8_t *data, size_t size, char *ret);

/* False unless text is exactly 2 * size such digits. */
bool digest_from_hex(const char *text, uint8_t *ret, size_t size);
