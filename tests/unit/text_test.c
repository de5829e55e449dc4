/* SPDX-License-Identifier: MIT */
/* Mirrors text.c. Cases: marks replaced · text that stays as it is · what could steer a terminal
 * · what is UTF-8 · ends · lists.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/cleanup.h"
#include "common/text.h"
#include "common/xalloc.h"

static void assert_replaced(const char *text, const char *with, const char *want)
{
    cleanup_free char *got = text_replace(text, "@X@", with);

    assert_string_equal(got, want);
}

static void every_mark_is_replaced(void **state)
{
    (void)state;
    assert_replaced("a @X@ b @X@", "long value", "a long value b long value");
    assert_replaced("@X@@X@", "", "");
    assert_replaced("@X@", "@X@", "@X@");
    assert_replaced("no mark @X", "y", "no mark @X");
    assert_replaced("", "y", "");
}

static void assert_visible(const char *text, const char *want)
{
    cleanup_free char *got = text_visible(text);

    assert_string_equal(got, want);
}

static void ordinary_text_stays(void **state)
{
    (void)state;
    assert_visible("", "");
    assert_visible("puma 6.4 \\ ~", "puma 6.4 \\ ~");
    assert_visible("Müller 日本 😀 \u00a0", "Müller 日本 😀 \u00a0");
}

static void controls_become_visible(void **state)
{
    (void)state;
    assert_visible("\x1b[2J", "\\x1b[2J");
    assert_visible("a\nb\tc\x7f", "a\\x0ab\\x09c\\x7f");
    assert_visible("\xc2\x85\xc2\x9b"
                   "31m",
                   "\\xc2\\x85\\xc2\\x9b31m");
    assert_visible("gem\u202exe", "gem\\xe2\\x80\\xaexe");
    assert_visible("\u2066\u200f", "\\xe2\\x81\\xa6\\xe2\\x80\\x8f");
}

static void bytes_that_are_no_utf8_become_visible(void **state)
{
    (void)state;
    assert_visible("\xff\x62", "\\xffb");
    assert_visible("\xc3", "\\xc3");
    assert_visible("\xc3(", "\\xc3(");
    assert_visible("\xc1\x9b", "\\xc1\\x9b");          /* overlong '[' */
    assert_visible("\xe0\x82\x9b", "\\xe0\\x82\\x9b"); /* overlong C1 */
    assert_visible("\xed\xa0\x80", "\\xed\\xa0\\x80"); /* surrogate */
    assert_visible("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80");
}

static void assert_json(const char *text, const char *expected)
{
    char *quoted = text_json(text);

    assert_string_equal(quoted, expected);
    free(quoted);
}

static void json_has_quotes_and_escapes(void **state)
{
    (void)state;
    assert_json("", "\"\"");
    assert_json("a \"b\" \\ /", "\"a \\\"b\\\" \\\\ /\"");
    assert_json("1\n2\x1f\x7f", "\"1\\u000a2\\u001f\x7f\"");
    assert_json("M\u00fcller \U0001F600", "\"M\u00fcller \U0001F600\"");
    assert_json("\u00fc\xff\xc3", "\"\u00fc\uFFFD\uFFFD\"");
    assert_json("\xed\xa0\x80", "\"\uFFFD\uFFFD\uFFFD\"");
}

static void plain_is_utf8_without_controls(void **state)
{
    (void)state;
    assert_true(text_is_plain(""));
    assert_true(text_is_plain("M\u00fcller e\u0301 \u200e\u202e \U0001F600 \\"));
    assert_false(text_is_plain("a\nb"));
    assert_false(text_is_plain("\x7f"));
    assert_false(text_is_plain("\xc2\x85")); /* C1 */
    assert_false(text_is_plain("bad\xff"));
    assert_false(text_is_plain("\xc0\xaf"));     /* longer than it must be */
    assert_false(text_is_plain("\xed\xa0\x80")); /* half of a surrogate */
    assert_false(text_is_plain("cut\xc3"));
}

static void the_end_is_compared(void **state)
{
    (void)state;
    assert_true(text_ends_with("a/enc/encdb.so", "/enc/encdb.so"));
    assert_true(text_ends_with(".rb", ".rb"));
    assert_true(text_ends_with("x", ""));
    assert_false(text_ends_with("b", ".rb"));
    assert_false(text_ends_with("a.rb.txt", ".rb"));
}

static void lists_are_joined(void **state)
{
    char *list = xstrdup("");

    (void)state;
    text_join(&list, ", ", "one");
    assert_string_equal(list, "one");
    text_join(&list, ", ", "two");
    text_join(&list, " or ", "three");
    assert_string_equal(list, "one, two or three");
    free(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_mark_is_replaced),
        cmocka_unit_test(ordinary_text_stays),
        cmocka_unit_test(controls_become_visible),
        cmocka_unit_test(bytes_that_are_no_utf8_become_visible),
        cmocka_unit_test(json_has_quotes_and_escapes),
        cmocka_unit_test(plain_is_utf8_without_controls),
        cmocka_unit_test(the_end_is_compared),
        cmocka_unit_test(lists_are_joined),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
