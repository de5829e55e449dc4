/* SPDX-License-Identifier: MIT */
/* Mirrors ydoc.c. Cases: kinds and lines · what configuration has no use for · depth. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bundler/ydoc.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/xalloc.h"

static struct ydoc *parse(const char *text)
{
    struct err err = {0};
    struct ydoc *root = ydoc_parse(text, strlen(text), &err);

    assert_non_null(root);
    return root;
}

static void kinds_and_lines(void **state)
{
    struct ydoc *root = parse("# c\na: 1\nb:\n  - x\n  - \"~\"\n  - ~\nc: {d: e, f: }\n");

    (void)state;
    assert_int_equal(root->kind, YDOC_MAP);
    assert_int_equal(root->count, 3);
    assert_string_equal(root->nodes[0].key, "a");
    assert_string_equal(root->nodes[0].text, "1");
    assert_int_equal(root->nodes[0].line, 2);
    assert_int_equal(root->nodes[1].kind, YDOC_LIST);
    assert_int_equal(root->nodes[1].count, 3);
    assert_int_equal(root->nodes[1].nodes[1].line, 5);
    assert_string_equal(root->nodes[1].nodes[1].text, "~");
    assert_int_equal(root->nodes[1].nodes[2].kind, YDOC_NOTHING);
    assert_int_equal(root->nodes[2].kind, YDOC_MAP);
    assert_string_equal(root->nodes[2].nodes[0].text, "e");
    assert_int_equal(root->nodes[2].nodes[1].kind, YDOC_NOTHING);
    ydoc_free(root);
}

static void nothing_is_no_error(void **state)
{
    static const char *const texts[] = {"", "\n# only words\n", "~\n", "---\n"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct ydoc *root = parse(texts[i]);

        assert_int_equal(root->kind, YDOC_NOTHING);
        ydoc_free(root);
    }
    ydoc_free(NULL);
}

static void refused(const char *text, size_t size, const char *want)
{
    struct err err = {0};

    assert_null(ydoc_parse(text, size, &err));
    assert_int_equal(err.kind, ERR_INPUT);
    if (strncmp(err.msg, want, strlen(want)) != 0)
        fail_msg("wanted '%s', got '%s'", want, err.msg);
}

static void refused_text(const char *text, const char *want)
{
    refused(text, strlen(text), want);
}

static void what_configuration_has_no_use_for(void **state)
{
    (void)state;
    refused_text("a: &x b\nc: *x\n", "2: aliases");
    refused_text("a: 1\nb: 2\na: 3\n", "3: key 'a' for the second time");
    refused_text("a: 1\n---\nb: 2\n", "3: a second document");
    refused_text("[x]: 1\n", "1: a key must be a text");
    refused_text("a: \"x\\0y\"\n", "1: a NUL");
    refused_text("a: [b\n", "2: ");
    refused_text("a: b\n\tc: d\n", "2: ");
    refused("a: \xff\xfe\n", 6, "1: ");
}

static char *nested(size_t depth)
{
    char *text = xcalloc(2 * depth + 1, 1);

    memset(text, '[', depth);
    memset(text + depth, ']', depth);
    return text;
}

static void depth_is_bounded(void **state)
{
    cleanup_free char *fits = nested(YDOC_DEPTH_MAX + 1);
    cleanup_free char *deep = nested(YDOC_DEPTH_MAX + 2);
    cleanup_free char *deeper = nested(100000);

    (void)state;
    ydoc_free(parse(fits));
    refused_text(deep, "1: nested too deeply");
    refused_text(deeper, "1: ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_and_lines),
        cmocka_unit_test(nothing_is_no_error),
        cmocka_unit_test(what_configuration_has_no_use_for),
        cmocka_unit_test(depth_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
