/* SPDX-License-Identifier: MIT */
/* Mirrors zsync.c. Case: what zsyncmake writes, but for the time, for sizes around every border
 * that decides how long the hashes are · names that would break a line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bundler/zsync.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "tests/unit/scratch.h"

static bool write_control(const char *file, uint64_t size, const char *name, struct err *err)
{
    cleanup_fd int in = open(file, O_RDONLY | O_CLOEXEC);
    cleanup_fd int out = open("ours", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    const struct zsync_input input = {
        .fd = in, .size_bytes = size, .name = name, .url = "http://127.0.0.1/a b"};

    return zsync_write(&input, out, err);
}

static uint32_t noise[700000]; /* longer than most of the sizes */

static void test_as_zsyncmake(void **state)
{
    static const uint64_t sizes[] = {1,     2047,    2048,     2049,     4096,
                                     65537, 5000000, 99999999, 100000000};
    struct err err = {0};

    (void)state;
    for (size_t i = 1; i < sizeof(noise) / sizeof(noise[0]); i++)
        noise[i] = noise[i - 1] * 1664525 + 1013904223;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        cleanup_fd int fd = open("file", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        size_t filled = sizes[i] < sizeof(noise) ? (size_t)sizes[i] : sizeof(noise);

        /* A hole is read as zeros: most of a large one need not be written. */
        assert_int_equal(ftruncate(fd, (off_t)sizes[i]), 0);
        assert_int_equal(pwrite(fd, noise, filled, 0), filled);
        assert_true(write_control("file", sizes[i], "file", &err));
        assert_int_equal(system("zsyncmake -C -e -u 'http://127.0.0.1/a b' -o made file && "
                                "sed -i '/^MTime: /d' made && cmp made ours"),
                         0);
    }
}

static void test_bad_names(void **state)
{
    struct err err = {0};

    (void)state;
    scratch_write("file", "x", 1);
    assert_false(write_control("file", 1, "a\nURL: http://other", &err));
    assert_string_equal(err.id, "E-NAME");
    err = (struct err){0};
    assert_false(write_control("file", 1, "", &err));
    err = (struct err){0};
    assert_false(write_control("file", 2, "file", &err));
    assert_string_equal(err.id, "E-TRUNCATED");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_zsyncmake),
        cmocka_unit_test(test_bad_names),
    };

    return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
