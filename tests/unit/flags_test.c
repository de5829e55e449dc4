/* SPDX-License-Identifier: MIT */
/* Mirrors flags.c. Cases: each kind, with and without '=' · of another verb, unknown · no value,
 * too much of one · numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/err.h"
#include "common/flags.h"

struct taken {
    bool quick;
    const char *place;
    unsigned int keep;
};

enum { MAKE = 1, SHOW = 2 };

static const struct flags_entry entries[] = {
    {"--quick", MAKE | SHOW, FLAGS_SWITCH, offsetof(struct taken, quick)},
    {"--place", MAKE, FLAGS_TEXT, offsetof(struct taken, place)},
    {"-p", MAKE, FLAGS_TEXT, offsetof(struct taken, place)},
    {"--keep", MAKE, FLAGS_COUNT, offsetof(struct taken, keep)},
};

static const struct flags make_flags = {entries, 4, MAKE, "make", "try: make --help"};
static const struct flags show_flags = {entries, 4, SHOW, "show", "try: show --help"};

/* How many words were taken. */
static size_t take(const struct flags *flags, const char *first, const char *second,
                   struct taken *ret)
{
    char *const words[] = {(char *)first, (char *)second, NULL};
    char *const *at = words;
    struct err err = {0};

    *ret = (struct taken){0};
    assert_true(flags_take(flags, &at, ret, &err));
    return (size_t)(at - words) + 1;
}

static void each_kind_takes_its_words(void **state)
{
    struct taken taken;

    (void)state;
    assert_int_equal(take(&show_flags, "--quick", "--place", &taken), 1);
    assert_true(taken.quick);
    assert_int_equal(take(&make_flags, "--place", "-here", &taken), 2);
    assert_string_equal(taken.place, "-here");
    assert_int_equal(take(&make_flags, "--place=a=b", "c", &taken), 1);
    assert_string_equal(taken.place, "a=b");
    assert_int_equal(take(&make_flags, "--place=", "c", &taken), 1);
    assert_string_equal(taken.place, "");
    assert_int_equal(take(&make_flags, "-p", "x", &taken), 2);
    assert_string_equal(taken.place, "x");
    assert_int_equal(take(&make_flags, "--keep", "100000", &taken), 2);
    assert_int_equal(taken.keep, FLAGS_COUNT_MAX);
}

static void assert_wrong(const struct flags *flags, const char *first, const char *second,
                         const char *msg, const char *hint)
{
    char *const words[] = {(char *)first, (char *)second, NULL};
    char *const *at = words;
    struct taken taken = {0};
    struct err err = {0};

    assert_false(flags_take(flags, &at, &taken, &err));
    assert_int_equal(err.kind, ERR_USAGE);
    assert_string_equal(err.msg, msg);
    assert_string_equal(err.hint, hint);
    assert_int_equal(taken.keep, 0);
}

static void what_is_wrong_is_said_with_its_hint(void **state)
{
    (void)state;
    assert_wrong(&make_flags, "--kep", "3", "make: unknown option '--kep'",
                 "did you mean '--keep'?");
    assert_wrong(&show_flags, "--keep", "3", "show: unknown option '--keep'", "try: show --help");
    assert_wrong(&show_flags, "--quick=yes", NULL, "show: unknown option '--quick=yes'",
                 "did you mean '--quick'?");
    assert_wrong(&make_flags, "--keep", NULL, "--keep needs a value", "try: make --help");
    assert_wrong(&make_flags, "--keep=", NULL, "--keep: '' is no number from 1 on",
                 "try: make --help");
    assert_wrong(&make_flags, "-", NULL, "make: unknown option '-'", "did you mean '-p'?");
}

static void numbers_are_digits_from_one_on(void **state)
{
    static const char *const bad[] = {
        "0", "-1", "+1", " 1", "1x", "100001", "99999999999999999999"};
    unsigned int count = 7;
    struct err err = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(flags_count(&make_flags, "--keep", bad[i], &count, &err));
    assert_int_equal(count, 7);
    assert_true(flags_count(&make_flags, "--keep", "1", &count, &err));
    assert_int_equal(count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_takes_its_words),
        cmocka_unit_test(what_is_wrong_is_said_with_its_hint),
        cmocka_unit_test(numbers_are_digits_from_one_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
