/* SPDX-License-Identifier: MIT */
/* Mirrors trailer.c. Cases: none · what was made · damage · a snapshot in the wrong place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/err.h"
#include "common/trailer.h"

enum { IMAGE_END = 4096, SNAPSHOT_SIZE = 1000, FILE_SIZE = IMAGE_END + SNAPSHOT_SIZE + 128 };

/* A file of zeros as the bundle, ones as the snapshot, and its trailer. */
static int make_capsule(void)
{
    int fd = memfd_create("capsule", MFD_CLOEXEC);
    uint8_t snapshot[SNAPSHOT_SIZE];
    uint8_t hash[FORMAT_HASH_SIZE];
    struct format_trailer trailer;
    struct err err = {0};

    memset(snapshot, 1, sizeof(snapshot));
    assert_int_equal(ftruncate(fd, FILE_SIZE), 0);
    assert_int_equal(pwrite(fd, snapshot, sizeof(snapshot), IMAGE_END), sizeof(snapshot));
    assert_true(trailer_hash(fd, IMAGE_END, SNAPSHOT_SIZE, hash, &err));
    trailer_make(&trailer, IMAGE_END, SNAPSHOT_SIZE, hash);
    assert_int_equal(pwrite(fd, &trailer, sizeof(trailer), FILE_SIZE - 128), 128);
    return fd;
}

static void a_file_without_one_has_none(void **state)
{
    int fd = memfd_create("bundle", MFD_CLOEXEC);
    struct format_trailer trailer;
    struct err err = {0};
    bool is_found = true;

    (void)state;
    assert_true(trailer_read(fd, 0, 0, &trailer, &is_found, &err));
    assert_false(is_found);
    assert_int_equal(ftruncate(fd, 8192), 0);
    assert_true(trailer_read(fd, 8192, 4096, &trailer, &is_found, &err));
    assert_false(is_found);
    close(fd);
}

static void what_was_made_is_read(void **state)
{
    int fd = make_capsule();
    struct format_trailer trailer;
    struct err err = {0};
    bool is_found = false;

    (void)state;
    assert_true(trailer_read(fd, FILE_SIZE, IMAGE_END, &trailer, &is_found, &err));
    assert_true(is_found);
    assert_int_equal(trailer.snapshot_offset, IMAGE_END);
    assert_int_equal(trailer.snapshot_size, SNAPSHOT_SIZE);
    assert_true(trailer_read(fd, FILE_SIZE, UINT64_MAX, &trailer, &is_found, &err));
    close(fd);
}

static void every_flipped_bit_is_noticed(void **state)
{
    int fd = make_capsule();

    (void)state;
    /* From behind the magic, without which it is no trailer, to the padding, which means nothing.
     */
    for (off_t at = FILE_SIZE - 128 + 8; at < FILE_SIZE - 32; at++) {
        struct format_trailer trailer;
        struct err err = {0};
        bool is_found = false;
        uint8_t byte;

        assert_int_equal(pread(fd, &byte, 1, at), 1);
        byte ^= 0x40;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        assert_false(trailer_read(fd, FILE_SIZE, IMAGE_END, &trailer, &is_found, &err));
        assert_string_equal(err.id, "E-SNAPSHOT");
        byte ^= 0x40;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    }
    close(fd);
}

static void a_snapshot_lies_between_the_image_and_the_trailer(void **state)
{
    int fd = make_capsule();
    struct format_trailer trailer;
    struct err err = {0};
    bool is_found = false;

    (void)state;
    assert_false(trailer_read(fd, FILE_SIZE, IMAGE_END - 4096, &trailer, &is_found, &err));
    assert_true(is_found);
    err = (struct err){0};
    trailer_make(&trailer, IMAGE_END, UINT64_MAX - 100, trailer.snapshot_hash);
    assert_int_equal(pwrite(fd, &trailer, sizeof(trailer), FILE_SIZE - 128), 128);
    assert_false(trailer_read(fd, FILE_SIZE, IMAGE_END, &trailer, &is_found, &err));
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_without_one_has_none),
        cmocka_unit_test(what_was_made_is_read),
        cmocka_unit_test(every_flipped_bit_is_noticed),
        cmocka_unit_test(a_snapshot_lies_between_the_image_and_the_trailer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
