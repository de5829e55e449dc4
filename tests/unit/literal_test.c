/* SPDX-License-Identifier: MIT */
/* Mirrors literal.c. Cases: quotes · lists · encodings · comments · lines that require · objects ·
 * what is cut off anywhere.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bundler/literal.h"
#include "common/cleanup.h"
#include "common/text.h"
#include "common/xalloc.h"

typedef void scanner(const char *text, size_t size, literal_visit *visit, void *context);

static void collect(const char *name, size_t len, void *context)
{
    cleanup_free char *copy = xstrndup(name, len);

    text_join(context, " ", copy);
}

static void assert_names(scanner *scan, const char *text, size_t size, const char *want)
{
    cleanup_free char *got = xstrdup("");

    scan(text, size, collect, &got);
    assert_string_equal(got, want);
}

static void assert_source(const char *text, const char *want)
{
    assert_names(literal_in_source, text, strlen(text), want);
}

static void names_in_quotes(void **state)
{
    (void)state;
    assert_source("require 'json'\nload(\"a/b.rb\")\nx = \"net/http\"", "json a/b.rb net/http");
    assert_source("puts \"no name\", 'it''s', \"open", "it s");
    assert_source("a = \"#{b}\" + 'c'", "c");
    assert_source("''\"\"", "");
    assert_source("", "");
}

static void names_in_lists(void **state)
{
    (void)state;
    assert_source("%w[json yaml].each { |name| require name }", "json yaml");
    assert_source("%w(\n  json # all\n  set\n)\nrequire 'x'", "json x");
    assert_source("%W{a\nb}\n'c'", "a b c");
    assert_source("10 %w", "");
    assert_source("%w[a", "a");
}

static void constants_of_encodings(void **state)
{
    (void)state;
    assert_source("text.encode(Encoding::Shift_JIS, 'EUC-JP')", "Shift_JIS EUC-JP");
    assert_source("Encoding::", "");
}

static void comments_name_nothing(void **state)
{
    (void)state;
    assert_source("# require 'a'\n  # 'b'\n'c' # 'd'\n#", "c d");
}

static void only_lines_that_require(void **state)
{
    static const char text[] = "x = 'socket'\nautoload :JSON, 'json'\nrequire_relative 'a/b'\n";

    (void)state;
    assert_names(literal_in_requires, text, strlen(text), "json a/b");
}

static void strings_of_objects(void **state)
{
    static const char bytes[] = "\0bigdecimal\0\1x\0not a name\0set\0\0tail";

    (void)state;
    assert_names(literal_in_object, bytes, sizeof(bytes) - 1, "bigdecimal set tail");
    assert_names(literal_in_object, bytes, 0, "");
}

static void long_ones_are_passed_over(void **state)
{
    cleanup_free char *text = xcalloc(2 * LITERAL_MAX, 1);

    (void)state;
    memset(text, 'a', LITERAL_MAX + 3);
    text[0] = text[LITERAL_MAX + 2] = '\'';
    assert_source(text, "");
}

/* Of a text that ends anywhere, no byte behind it is read: the sanitizers see it. */
static void what_is_cut_off(void **state)
{
    static const char text[] = "%w[a b] 'c' \"d\" Encoding::E %w[\n f ]\n# g\nrequire 'h'";

    (void)state;
    for (size_t size = 0; size < sizeof(text); size++) {
        cleanup_free char *copy = malloc(size + 1);
        cleanup_free char *got = xstrdup("");

        assert_non_null(copy);
        memcpy(copy + 1, text, size);
        literal_in_source(copy + 1, size, collect, &got);
        literal_in_requires(copy + 1, size, collect, &got);
        literal_in_object(copy + 1, size, collect, &got);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_in_quotes),           cmocka_unit_test(names_in_lists),
        cmocka_unit_test(constants_of_encodings),    cmocka_unit_test(comments_name_nothing),
        cmocka_unit_test(only_lines_that_require),   cmocka_unit_test(strings_of_objects),
        cmocka_unit_test(long_ones_are_passed_over), cmocka_unit_test(what_is_cut_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
