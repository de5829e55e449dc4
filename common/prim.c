/* SPDX-License-Identifier: MIT */
#include "common/prim.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include <sodium/core.h>
#include <sodium/crypto_generichash.h>
#include <sodium/crypto_pwhash_scryptsalsa208sha256.h>
#include <sodium/crypto_sign.h>

#include "common/err.h"

static_assert(sizeof(crypto_generichash_state) <= sizeof(struct prim_hash));
static_assert(_Alignof(crypto_generichash_state) <= _Alignof(struct prim_hash));
static_assert((int)PRIM_SEED_SIZE == (int)crypto_sign_SEEDBYTES);
static_assert((int)PRIM_SECRET_SIZE == (int)crypto_sign_SECRETKEYBYTES);
static_assert((int)PRIM_PUBLIC_SIZE == (int)crypto_sign_PUBLICKEYBYTES);
static_assert((int)PRIM_SIGNATURE_SIZE == (int)crypto_sign_BYTES);
static_assert((int)PRIM_SALT_SIZE == (int)crypto_pwhash_scryptsalsa208sha256_SALTBYTES);

static crypto_generichash_state *state_of(struct prim_hash *hash)
{
    return (crypto_generichash_state *)(void *)hash->opaque;
}

/* Without it the portable code runs, so that its result does not matter. */
void prim_hurry(void)
{
    int code = sodium_init();

    (void)code;
}

/* These fail for wrong sizes alone. */
void prim_hash_init(struct prim_hash *hash, size_t size_bytes)
{
    assert(size_bytes >= crypto_generichash_BYTES_MIN && size_bytes <= PRIM_HASH_MAX);
    *hash = (struct prim_hash){0};
    (void)crypto_generichash_init(state_of(hash), NULL, 0, size_bytes);
}

void prim_hash_update(struct prim_hash *hash, const void *data, size_t size)
{
    (void)crypto_generichash_update(state_of(hash), data, size);
}

void prim_hash_final(struct prim_hash *hash, uint8_t *ret, size_t size_bytes)
{
    (void)crypto_generichash_final(state_of(hash), ret, size_bytes);
}

bool prim_random(void *ret, size_t size, struct err *err)
{
    uint8_t *to = ret;

    while (size > 0) {
        ssize_t length = getrandom(to, size, 0);

        if (length < 0 && errno == EINTR)
            continue;
        if (length < 0)
            return err_sys(err, "random bytes");
        to += length;
        size -= (size_t)length;
    }
    return true;
}

void prim_pair(const uint8_t seed[PRIM_SEED_SIZE], uint8_t ret_public[PRIM_PUBLIC_SIZE],
               uint8_t ret_secret[PRIM_SECRET_SIZE])
{
    (void)crypto_sign_seed_keypair(ret_public, ret_secret, seed);
}

void prim_sign(const void *message, size_t size, const uint8_t secret[PRIM_SECRET_SIZE],
               uint8_t ret[PRIM_SIGNATURE_SIZE])
{
    (void)crypto_sign_detached(ret, NULL, message, size, secret);
}

bool prim_verify(const void *message, size_t size, const uint8_t key[PRIM_PUBLIC_SIZE],
                 const uint8_t signature[PRIM_SIGNATURE_SIZE])
{
    return crypto_sign_verify_detached(signature, message, size, key) == 0;
}

bool prim_stretch(uint8_t *ret, size_t size, const char *password,
                  const uint8_t salt[PRIM_SALT_SIZE], uint64_t operations, size_t memory_bytes)
{
    return crypto_pwhash_scryptsalsa208sha256(ret, size, password, strlen(password), salt,
                                              operations, memory_bytes) == 0;
}

bool prim_equals(const void *a, const void *b, size_t size)
{
    const uint8_t *left = a;
    const uint8_t *right = b;
    unsigned int differs = 0;

    for (size_t i = 0; i < size; i++)
        differs |= (unsigned int)(left[i] ^ right[i]);
    return differs == 0;
}

void prim_wipe(void *data, size_t size)
{
    explicit_bzero(data, size);
}
