/* SPDX-License-Identifier: MIT */
/* Mirrors suggest.c. Cases: a letter wrong, missing, more · the nearest wins · none is near. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/err.h"
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

static void a_value_does_not_count(void **state)
{
    (void)state;
    assert_string_equal(nearest("workr=as many letters as one likes"), "worker");
    assert_null(nearest("=worker"));
}

static void the_hint_has_the_name_or_what_else_there_is(void **state)
{
    struct suggest suggest = suggest_begin("wep");
    struct err err = {0};

    (void)state;
    assert_false(suggest_hint(&suggest, "there is web", &err));
    assert_string_equal(err.hint, "there is web");
    err = (struct err){0};
    suggest_offer(&suggest, "web");
    assert_false(suggest_hint(&suggest, "there is web", &err));
    assert_string_equal(err.hint, "did you mean 'web'?");
    err = (struct err){0};
    suggest = suggest_begin("wep");
    assert_false(suggest_hint(&suggest, NULL, &err));
    assert_string_equal(err.hint, "");
}

static void far_names(void **state)
{
    (void)state;
    assert_null(nearest("database"));
    assert_null(nearest("x"));
    assert_null(nearest(""));
    assert_null(nearest("workerworkerworkerworkerworkerworker"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(near_names),
        cmocka_unit_test(a_value_does_not_count),
        cmocka_unit_test(the_hint_has_the_name_or_what_else_there_is),
        cmocka_unit_test(far_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
