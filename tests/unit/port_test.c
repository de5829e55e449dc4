/* SPDX-License-Identifier: MIT */
/* Mirrors port.c. Cases: spoken of · a default of its own · one of several without. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/port.h"

static void a_command_speaks_of_it(void **state)
{
    (void)state;
    assert_true(port_is_named("puma -p $PORT"));
    assert_false(port_is_named("puma -p 3000"));
}

static void assert_default(const char *command, const char *want)
{
    const char *own = port_own_default(command);

    assert_non_null(own);
    assert_int_equal(strncmp(own, want, strlen(want)), 0);
}

static void its_own_default_is_taken(void **state)
{
    (void)state;
    assert_default("puma -p ${PORT:-3000}", "3000}");
    assert_default("puma -p ${PORT-3000}", "3000}");
    assert_default("a ${PORT:-1} b ${PORT:-2}", "2}");
    assert_default("${PORT:-", "");
}

static void one_that_has_none_decides(void **state)
{
    (void)state;
    assert_null(port_own_default("puma"));
    assert_null(port_own_default("puma -p $PORT"));
    assert_null(port_own_default("a ${PORT:-1} b $PORT"));
    assert_null(port_own_default("PORT"));
    assert_null(port_own_default("PORT:"));
}

static void they_are_counted_as_foreman_does(void **state)
{
    (void)state;
    assert_int_equal(port_of(0), 5000);
    assert_int_equal(port_of(2), 5200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_speaks_of_it),
        cmocka_unit_test(its_own_default_is_taken),
        cmocka_unit_test(one_that_has_none_decides),
        cmocka_unit_test(they_are_counted_as_foreman_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
