/* SPDX-License-Identifier: MIT */
/* Mirrors hash.c. Cases: a known vector · pieces · ranges of a file · a file that is too short. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bundler/hash.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "tests/unit/scratch.h"

/* b2sum -l 256 of "abc" */
static const uint8_t of_abc[FORMAT_HASH_SIZE] = {
    0xbd, 0xdd, 0x81, 0x3c, 0x63, 0x42, 0x39, 0x72, 0x31, 0x71, 0xef, 0x3f, 0xee, 0x98, 0x57, 0x9b,
    0x94, 0x96, 0x4e, 0x3b, 0xb1, 0xcb, 0x3e, 0x42, 0x72, 0x62, 0xc8, 0xc0, 0x68, 0xd5, 0x23, 0x19,
};

static void the_hash_is_blake2b_256(void **state)
{
    uint8_t got[FORMAT_HASH_SIZE];
    struct hash hash;

    (void)state;
    hash_init(&hash);
    hash_update(&hash, "abc", 3);
    hash_final(&hash, got);
    assert_memory_equal(got, of_abc, sizeof(got));
}

static void pieces_give_the_hash_of_the_whole(void **state)
{
    uint8_t got[FORMAT_HASH_SIZE];
    struct hash hash;

    (void)state;
    hash_init(&hash);
    hash_update(&hash, "a", 1);
    hash_update(&hash, "", 0);
    hash_update(&hash, "bc", 2);
    hash_final(&hash, got);
    assert_memory_equal(got, of_abc, sizeof(got));
}

static void a_range_is_hashed_without_its_neighbours(void **state)
{
    uint8_t got[FORMAT_HASH_SIZE];
    struct err err = {0};
    cleanup_fd int fd = -1;

    (void)state;
    scratch_write("file", "xxabcyy", 7);
    fd = open("file", O_RDONLY | O_CLOEXEC);
    assert_true(hash_range(fd, 2, 3, got, &err));
    assert_memory_equal(got, of_abc, sizeof(got));
}

/* More than one read, and a last one that is shorter. */
static void a_large_range_equals_its_parts(void **state)
{
    static char data[(5 << 20) / 2 + 13];
    uint8_t whole[FORMAT_HASH_SIZE];
    uint8_t parts[FORMAT_HASH_SIZE];
    struct err err = {0};
    struct hash hash;
    cleanup_fd int fd = -1;

    (void)state;
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (char)(i * 31 + (i >> 13));
    scratch_write("large", data, sizeof(data));
    fd = open("large", O_RDONLY | O_CLOEXEC);
    assert_true(hash_range(fd, 0, sizeof(data), whole, &err));
    hash_init(&hash);
    hash_update(&hash, data, sizeof(data));
    hash_final(&hash, parts);
    assert_memory_equal(whole, parts, sizeof(whole));
}

static void a_range_behind_the_end_is_an_error(void **state)
{
    uint8_t got[FORMAT_HASH_SIZE];
    struct err err = {0};
    cleanup_fd int fd = -1;

    (void)state;
    scratch_write("short", "abc", 3);
    fd = open("short", O_RDONLY | O_CLOEXEC);
    assert_false(hash_range(fd, 1, 3, got, &err));
    assert_string_equal(err.id, "E-TRUNCATED");
    err = (struct err){0};
    assert_false(hash_range(fd, UINT64_MAX, 2, got, &err));
    assert_int_equal(err.kind, ERR_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_hash_is_blake2b_256),
        cmocka_unit_test(pieces_give_the_hash_of_the_whole),
        cmocka_unit_test(a_range_is_hashed_without_its_neighbours),
        cmocka_unit_test(a_large_range_equals_its_parts),
        cmocka_unit_test(a_range_behind_the_end_is_an_error),
    };

    return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
