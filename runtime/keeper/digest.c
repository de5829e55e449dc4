/* SPDX-License-Identifier: MIT */
#include "runtime/keeper/digest.h"

#include <assert.h>
#include <string.h>

#include <sodium/crypto_auth_hmacsha256.h>
#include <sodium/crypto_hash_sha256.h>

static_assert(sizeof(crypto_hash_sha256_state) <= sizeof(struct digest));

static crypto_hash_sha256_state *inside(struct digest *digest)
{
    return (crypto_hash_sha256_state *)(void *)digest->opaque;
}

void digest_init(struct digest *digest)
{
    (void)crypto_hash_sha256_init(inside(digest));
}

void digest_update(struct digest *digest, const void *data, size_t size)
{
    (void)crypto_hash_sha256_update(inside(digest), data, size);
}

void digest_final(struct digest *digest, uint8_t ret[DIGEST_SIZE])
{
    (void)crypto_hash_sha256_final(inside(digest), ret);
}

void digest_fingerprint(const uint8_t id[DIGEST_ID_SIZE], const char *secret,
                        uint8_t ret[DIGEST_SIZE])
{
    crypto_auth_hmacsha256_state state;

    (void)crypto_auth_hmacsha256_init(&state, id, DIGEST_ID_SIZE);
    (void)crypto_auth_hmacsha256_update(&state, (const unsigned char *)secret, strlen(secret));
    (void)crypto_auth_hmacsha256_final(&state, ret);
}

void digest_hex(const uint8_t *data, size_t size, char *ret)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < size; i++) {
        ret[2 * i] = digits[data[i] >> 4];
        ret[2 * i + 1] = digits[data[i] & 15];
    }
    ret[2 * size] = '\0';
}

static int value_of(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

bool digest_from_hex(const char *text, uint8_t *ret, size_t size)
{
    if (strlen(text) != 2 * size)
        return false;
    for (size_t i = 0; i < size; i++) {
        int high = value_of(text[2 * i]);
        int low = value_of(text[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        ret[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}
