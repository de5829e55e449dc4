/* SPDX-License-Identifier: MIT */
/* Mirrors blake2b.c. Cases: the published value · every length around a block, in pieces, against
 * libsodium's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bundler/hash.h"
#include "common/blake2b.h"
#include "common/format.h"

enum { LENGTH_MAX = 600 };

static void the_hash_of_abc_is_the_published_one(void **state)
{
    static const uint8_t want[BLAKE2B_SIZE] = {
        0xbd, 0xdd, 0x81, 0x3c, 0x63, 0x42, 0x39, 0x72, 0x31, 0x71, 0xef,
        0x3f, 0xee, 0x98, 0x57, 0x9b, 0x94, 0x96, 0x4e, 0x3b, 0xb1, 0xcb,
        0x3e, 0x42, 0x72, 0x62, 0xc8, 0xc0, 0x68, 0xd5, 0x23, 0x19,
    };
    uint8_t got[BLAKE2B_SIZE];
    struct blake2b hash;

    (void)state;
    blake2b_init(&hash);
    blake2b_update(&hash, "abc", 3);
    blake2b_final(&hash, got);
    assert_memory_equal(got, want, sizeof(want));
}

static void assert_same_as_libsodium(const uint8_t *data, size_t length)
{
    uint8_t ours[BLAKE2B_SIZE];
    uint8_t theirs[FORMAT_HASH_SIZE];
    struct blake2b hash;
    struct hash reference;

    blake2b_init(&hash);
    for (size_t done = 0; done < length;) {
        size_t piece = 1 + (size_t)random() % (length - done);

        blake2b_update(&hash, data + done, piece);
        done += piece;
    }
    blake2b_final(&hash, ours);
    hash_init(&reference);
    hash_update(&reference, data, length);
    hash_final(&reference, theirs);
    assert_memory_equal(ours, theirs, sizeof(ours));
}

static void any_length_in_any_pieces_is_as_in_libsodium(void **state)
{
    uint8_t data[LENGTH_MAX];

    (void)state;
    srandom(11);
    for (size_t i = 0; i < LENGTH_MAX; i++)
        data[i] = (uint8_t)random();
    for (size_t length = 0; length <= LENGTH_MAX; length++)
        assert_same_as_libsodium(data, length);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_hash_of_abc_is_the_published_one),
        cmocka_unit_test(any_length_in_any_pieces_is_as_in_libsodium),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
