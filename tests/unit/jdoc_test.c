/* SPDX-License-Identifier: MIT */
/* Mirrors jdoc.c. Cases: typed members · wrong types · what is no JSON · building and formatting ·
 * bytes that are not UTF-8. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bundler/jdoc.h"
#include "common/cleanup.h"
#include "common/err.h"

static struct jdoc *parse(const char *text)
{
    struct err err = {0};
    struct jdoc *value = jdoc_parse(text, strlen(text), &err);

    assert_non_null(value);
    return value;
}

static void members_have_types(void **state)
{
    struct jdoc *doc =
        parse("{\"t\":\"x\",\"n\":7,\"b\":true,\"l\":[\"a\",1],\"o\":{\"k\":\"v\"}}");

    (void)state;
    assert_string_equal(jdoc_text(doc, "t"), "x");
    assert_int_equal(jdoc_number(doc, "n"), 7);
    assert_true(jdoc_bool(doc, "b"));
    assert_int_equal(jdoc_count(jdoc_member(doc, "l")), 2);
    assert_string_equal(jdoc_text_at(jdoc_member(doc, "l"), 0), "a");
    assert_int_equal(jdoc_value_number(jdoc_at(jdoc_member(doc, "l"), 1)), 1);
    assert_string_equal(jdoc_text(jdoc_member(doc, "o"), "k"), "v");
    jdoc_free(doc);
}

static void wrong_types_read_as_absent(void **state)
{
    struct jdoc *doc = parse("{\"t\":1,\"n\":\"x\",\"l\":{}}");
    struct jdoc *list = parse("[1]");

    (void)state;
    assert_null(jdoc_text(doc, "t"));
    assert_string_equal(jdoc_text_or(doc, "t", "other"), "other");
    assert_int_equal(jdoc_number(doc, "n"), 0);
    assert_false(jdoc_bool(doc, "n"));
    assert_int_equal(jdoc_count(jdoc_member(doc, "l")), 0);
    assert_null(jdoc_at(jdoc_member(doc, "l"), 0));
    assert_null(jdoc_text_at(list, 0));
    assert_null(jdoc_at(list, 1));
    assert_null(jdoc_member(list, "x"));
    assert_null(jdoc_member(NULL, "x"));
    assert_int_equal(jdoc_number(list, "format"), 0);
    assert_int_equal(jdoc_count(NULL), 0);
    jdoc_free(doc);
    jdoc_free(list);
    jdoc_free(NULL);
}

static void assert_no_json(const char *text, size_t size)
{
    struct err err = {0};

    assert_null(jdoc_parse(text, size, &err));
    assert_int_equal(err.kind, ERR_INPUT);
    assert_non_null(strstr(err.msg, "line 1, column"));
}

static void what_is_no_json_is_refused(void **state)
{
    static char deep[100000];

    (void)state;
    memset(deep, '[', sizeof(deep));
    assert_no_json("{", 1);
    assert_no_json("{} x", 4);
    assert_no_json("\"a\0b\"", 5);
    assert_no_json("[\"a\\u0000b\"]", 12);
    assert_no_json("[\"\xff\"]", 5);
    assert_no_json("{\"a\":1,\"a\":2}", 13);
    assert_no_json(deep, sizeof(deep));
}

static void documents_are_built_in_order(void **state)
{
    struct jdoc *doc = jdoc_object();
    struct jdoc *list = jdoc_array();
    cleanup_free char *text = NULL;

    (void)state;
    jdoc_set_text(doc, "z", "1\n");
    jdoc_set_number(doc, "a", -5);
    jdoc_set_bool(doc, "b", false);
    jdoc_set_text(doc, "none", NULL);
    jdoc_push_text(list, "x");
    jdoc_push_number(list, 7);
    jdoc_push(list, jdoc_object());
    jdoc_set(doc, "l", list);
    text = jdoc_format(doc);
    assert_string_equal(text,
                        "{\n  \"z\": \"1\\n\",\n  \"a\": -5,\n  \"b\": false,\n"
                        "  \"none\": null,\n  \"l\": [\n    \"x\",\n    7,\n    {}\n  ]\n}\n");
    jdoc_free(doc);
}

static void bytes_that_are_no_text_are_replaced(void **state)
{
    struct jdoc *doc = jdoc_object();

    (void)state;
    jdoc_set_text(doc, "k", "a\xff\x62");
    assert_string_equal(jdoc_text(doc, "k"), "a\xEF\xBF\xBD\x62");
    jdoc_free(doc);
}

static void collect(const char *key, const struct jdoc *value, void *context)
{
    char *to = context;

    (void)value;
    to[strlen(to)] = key[0];
}

static void each_keeps_the_order(void **state)
{
    struct jdoc *doc = parse("{\"z\":1,\"a\":2,\"m\":3}");
    char keys[8] = "";

    (void)state;
    jdoc_each(doc, collect, keys);
    jdoc_each(NULL, collect, keys);
    assert_string_equal(keys, "zam");
    jdoc_free(doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_have_types),
        cmocka_unit_test(wrong_types_read_as_absent),
        cmocka_unit_test(what_is_no_json_is_refused),
        cmocka_unit_test(documents_are_built_in_order),
        cmocka_unit_test(bytes_that_are_no_text_are_replaced),
        cmocka_unit_test(each_keeps_the_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
