/* SPDX-License-Identifier: MIT */
/* Mirrors suggest.c. Cases: a letter wrong, missing, more · the nearest wins · none is near. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/suggest.h"

static const char *nearest(const char *typed)
{
    struct suggest suggest = suggest_begin(typed);

    suggest_offer(&suggest, "worker");
    suggest_offer(&suggest, "web");
    suggest_offer(&suggest, "release");
    return suggest.nearest;
}

static void near_names(void **state)
{
    (void)state;
    assert_string_equal(nearest("web"), "web");
    assert_string_equal(nearest("wep"), "web");
    assert_string_equal(nearest("workr"), "worker");
    assert_string_equal(nearest("workerr"), "worker");
    assert_string_equal(nearest("rlease"), "release");
}

static void far_names(void **state)
{
    (void)state;
    assert_null(nearest("database"));
    assert_null(nearest("workerworkerworkerworkerworkerworker"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(near_names),
        cmocka_unit_test(far_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
