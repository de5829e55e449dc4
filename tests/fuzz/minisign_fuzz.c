/* SPDX-License-Identifier: MIT */
/*
 * A key or signature in minisign's format. What is read comes out the same again when it is written
 * down, but for what nobody signs; nobody's signature is that of a hash of zeros.
 */
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/minisign.h"
#include "tests/fuzz/fuzz.h"

static void check_signature(const struct minisign_signature *signature)
{
    static const uint8_t hash[MINISIGN_HASH_SIZE];
    static const struct minisign_key key;
    struct minisign_signature again;
    struct err err = {0};
    char *text = minisign_signature_text(signature);

    FUZZ_ASSERT(minisign_is_comment(signature->comment, strlen(signature->comment)));
    FUZZ_ASSERT(minisign_read_signature(text, strlen(text), &again, &err));
    FUZZ_ASSERT(memcmp(&again, signature, sizeof(again)) == 0);
    FUZZ_ASSERT(!minisign_verify(signature, &key, hash, &err) && err.hint[0] != '\0');
    free(text);
}

static void check_key(const struct minisign_key *key)
{
    struct minisign_key again;
    struct err err = {0};
    char *text = minisign_key_text(key);

    FUZZ_ASSERT(minisign_read_key(text, strlen(text), &again, &err));
    FUZZ_ASSERT(memcmp(&again, key, sizeof(again)) == 0);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct minisign_signature signature;
    struct minisign_secret secret;
    struct minisign_key key;
    struct err err = {0};

    if (minisign_read_signature(text, size, &signature, &err))
        check_signature(&signature);
    else
        FUZZ_ASSERT(strcmp(err.id, "E-SIG") == 0);
    if (minisign_read_key(text, size, &key, &err))
        check_key(&key);
    /* Without a password: one costs as much time and memory as the file asks for. */
    if (minisign_read_secret(text, size, NULL, &secret, &err))
        FUZZ_ASSERT(!minisign_is_locked(text, size));
    return 0;
}
