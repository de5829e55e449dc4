/* SPDX-License-Identifier: MIT */
/* Mirrors tempdir.c. Cases: where TMPDIR says, closed to others · a TMPDIR that is of no use · one
 * that cannot be written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <sys/stat.h>
#include <unistd.h>

#include "bundler/tempdir.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/xalloc.h"
#include "tests/unit/scratch.h"

static void it_is_where_the_user_says(void **state)
{
    char *dir = NULL;
    char *other = NULL;
    struct err err = {0};
    struct stat st;

    (void)state;
    assert_int_equal(setenv("TMPDIR", scratch_dir, 1), 0);
    assert_true(tempdir_make(&dir, &err));
    assert_int_equal(strncmp(dir, scratch_dir, strlen(scratch_dir)), 0);
    assert_int_equal(stat(dir, &st), 0);
    assert_int_equal(st.st_mode, S_IFDIR | 0700);
    assert_true(tempdir_make(&other, &err));
    assert_string_not_equal(dir, other);
    assert_true(tempdir_remove(dir, &err));
    assert_true(tempdir_remove(other, &err));
}

static void what_cannot_be_used_is_passed_over(void **state)
{
    const char *const given[] = {"relative", "", "/tmp/with blank", "/tmp/with\nline"};

    (void)state;
    for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++) {
        char *dir = NULL;
        struct err err = {0};

        assert_int_equal(setenv("TMPDIR", given[i], 1), 0);
        assert_true(tempdir_make(&dir, &err));
        assert_int_equal(strncmp(dir, "/tmp/rucksack-", strlen("/tmp/rucksack-")), 0);
        assert_true(tempdir_remove(dir, &err));
    }
}

static void one_that_cannot_be_written_is_named(void **state)
{
    cleanup_free char *file = xasprintf("%s/file", scratch_dir);
    char *dir = NULL;
    struct err err = {0};

    (void)state;
    scratch_write("file", "", 0);
    assert_int_equal(setenv("TMPDIR", file, 1), 0);
    assert_false(tempdir_make(&dir, &err));
    assert_null(dir);
    assert_string_equal(err.id, "E-TMP");
    assert_non_null(strstr(err.msg, file));
    assert_non_null(strstr(err.hint, "TMPDIR=DIR"));
}

static void reserved_ones_go_together(void **state)
{
    char *one = NULL;
    char *other = NULL;
    cleanup_free char *top = NULL;
    struct err err = {0};

    (void)state;
    assert_int_equal(setenv("TMPDIR", scratch_dir, 1), 0);
    tempdir_reserve();
    assert_true(tempdir_make(&one, &err));
    assert_true(tempdir_make(&other, &err));
    top = xstrndup(one, (size_t)(strrchr(one, '/') - one));
    assert_int_equal(strncmp(other, top, strlen(top)), 0);
    assert_string_not_equal(one, other);
    assert_true(tempdir_remove(one, &err));
    tempdir_tidy(); /* not yet */
    assert_int_equal(access(other, F_OK), 0);
    assert_true(tempdir_remove(other, &err));
    tempdir_tidy();
    assert_int_not_equal(access(top, F_OK), 0);
    assert_true(tempdir_make(&one, &err)); /* made anew */
    assert_int_equal(strncmp(one, top, strlen(top)), 0);
    tempdir_remove_reserved();
    assert_int_not_equal(access(top, F_OK), 0);
    assert_true(tempdir_remove(one, &err)); /* of which nothing is left */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_where_the_user_says),
        cmocka_unit_test(what_cannot_be_used_is_passed_over),
        cmocka_unit_test(one_that_cannot_be_written_is_named),
        cmocka_unit_test(reserved_ones_go_together),
    };

    return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
