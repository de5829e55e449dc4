/* SPDX-License-Identifier: MIT */
/* Mirrors path.c. Cases: plain names · names that mean the same file · escapes · limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/err.h"
#include "common/path.h"

static void assert_image_path(const char *name, const char *want)
{
    char got[PATH_IMAGE_MAX + 1];
    struct err err = {0};

    assert_true(path_image(name, got, sizeof(got), &err));
    assert_string_equal(got, want);
}

static void assert_refused(const char *name, const char *why)
{
    char got[PATH_IMAGE_MAX + 1];
    struct err err = {0};

    assert_false(path_image(name, got, sizeof(got), &err));
    assert_int_equal(err.kind, ERR_INPUT);
    assert_non_null(strstr(err.msg, why));
}

static void names_of_one_file_become_one_path(void **state)
{
    (void)state;
    assert_image_path("usr/lib/libpq.so.5", "usr/lib/libpq.so.5");
    assert_image_path("//usr/./lib///libpq.so.5/", "usr/lib/libpq.so.5");
    assert_image_path("/", "");
    assert_image_path("...", "...");
    assert_image_path("..a/b..", "..a/b..");
}

static void climbing_names_are_refused(void **state)
{
    (void)state;
    assert_refused("..", "climbs out");
    assert_refused("a/../../etc/passwd", "climbs out");
    assert_refused("a/..", "climbs out");
}

static void the_longest_path_fits_and_one_more_does_not(void **state)
{
    char name[PATH_IMAGE_MAX + 2];

    (void)state;
    memset(name, 'x', sizeof(name));
    name[PATH_IMAGE_MAX] = '\0';
    assert_image_path(name, name);
    name[PATH_IMAGE_MAX] = 'x';
    name[PATH_IMAGE_MAX + 1] = '\0';
    assert_refused(name, "longer than");
}

static void below_is_by_whole_names(void **state)
{
    (void)state;
    assert_true(path_lies_in("a/b", "a"));
    assert_true(path_lies_in("/a/b/c", "/a/b"));
    assert_true(path_lies_in("a", "a"));
    assert_false(path_lies_in("ab", "a"));
    assert_false(path_lies_in("a", "a/b"));
    assert_false(path_lies_in("", "a"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_one_file_become_one_path),
        cmocka_unit_test(climbing_names_are_refused),
        cmocka_unit_test(the_longest_path_fits_and_one_more_does_not),
        cmocka_unit_test(below_is_by_whole_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
