/* SPDX-License-Identifier: MIT */
/* Mirrors sheet.c. Cases: widths of UTF-8 · texts that fit, just fit, and do not · bars. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bundler/sheet.h"
#include "common/cleanup.h"

static void a_character_is_a_column(void **state)
{
    (void)state;
    assert_int_equal(sheet_width(""), 0);
    assert_int_equal(sheet_width("abc"), 3);
    assert_int_equal(sheet_width("\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80"), 3); /* ä€😀 */
}

static void assert_cut(const char *text, size_t width, const char *want)
{
    cleanup_free char *cut = sheet_cut(text, width);

    assert_string_equal(cut, want);
    assert_true(sheet_width(cut) <= width || width < 3);
}

static void what_is_too_wide_ends_in_dots(void **state)
{
    (void)state;
    assert_cut("", 10, "");
    assert_cut("abcdef", 6, "abcdef");
    assert_cut("abcdefg", 6, "abc...");
    assert_cut("\xC3\xA4\xC3\xB6\xC3\xBC\xC3\x9F!", 5, "\xC3\xA4\xC3\xB6\xC3\xBC\xC3\x9F!");
    assert_cut("\xC3\xA4\xC3\xB6\xC3\xBC\xC3\x9F!!", 5, "\xC3\xA4\xC3\xB6...");
    assert_cut("abcd", 3, "...");
    assert_cut("abcd", 2, "abcd"); /* no room for a mark */
}

static void assert_bar(uint64_t amount, uint64_t most, size_t want)
{
    cleanup_free char *bar = sheet_bar(amount, most);

    assert_int_equal(strlen(bar), want);
    assert_int_equal(strspn(bar, "#"), want);
}

static void bars_are_shares(void **state)
{
    (void)state;
    assert_bar(0, 100, 0);
    assert_bar(1, UINT64_MAX, 1);
    assert_bar(50, 100, SHEET_BAR / 2);
    assert_bar(100, 100, SHEET_BAR);
    assert_bar(UINT64_MAX, UINT64_MAX, SHEET_BAR);
    assert_bar(200, 100, SHEET_BAR); /* never longer */
    assert_bar(0, 0, 0);
}

static void times_that_an_image_can_have(void **state)
{
    cleanup_free char *known = sheet_time(1700000000);
    cleanup_free char *last = sheet_time(UINT32_MAX);

    (void)state;
    assert_string_equal(known, "2023-11-14 22:13 UTC");
    assert_string_equal(last, "2106-02-07 06:28 UTC");
    assert_null(sheet_time(0));
    assert_null(sheet_time(-1));
    assert_null(sheet_time((int64_t)UINT32_MAX + 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_character_is_a_column),
        cmocka_unit_test(what_is_too_wide_ends_in_dots),
        cmocka_unit_test(bars_are_shares),
        cmocka_unit_test(times_that_an_image_can_have),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
