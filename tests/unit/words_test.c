/* SPDX-License-Identifier: MIT */
/* Mirrors words.c. Cases: words as sh splits them · assignments in front · what needs a shell ·
 * what is not closed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/proc.h"
#include "common/words.h"
#include "common/xalloc.h"

static char *look_up(const char *name)
{
    return getenv(name);
}

/* The items, each in brackets. */
static char *shown(const struct words *words)
{
    char *text = xstrdup("");

    for (size_t i = 0; i < words->count; i++) {
        char *longer = xasprintf("%s[%s]", text, words->items[i]);

        free(text);
        text = longer;
    }
    return text;
}

static char *split_by_us(const char *text)
{
    struct words words = {0};
    struct err err = {0};
    char *result;

    assert_true(words_split(&words, text, look_up, &err));
    result = shown(&words);
    words_release(&words);
    return result;
}

static char *split_by_sh(const char *text)
{
    cleanup_free char *script = xasprintf("printf '[%%s]' %s", text);
    const char *const argv[] = {"sh", "-c", script, NULL};
    struct proc_request request = {.argv = argv, .output_max_bytes = 1 << 16};
    struct proc_output output = {0};
    struct err err = {0};
    char *result;

    assert_true(proc_capture(&request, &output, &err));
    assert_int_equal(output.exit_code, 0);
    result = xstrdup(output.out);
    proc_output_release(&output);
    return result;
}

static void words_are_those_of_sh(void **state)
{
    static const char *const lines[] = {
        "bundle exec puma -p 80",
        "  puma\t -C   config/puma.rb  ",
        "ruby -e 'puts \"a  b\"' ''",
        "ruby \"-e\" \"puts '\\$x \\\"y\\\" \\\\ \\z'\" \"\"",
        "a\\ b c\\\\d e'f'\"g\"h",
        "puma -p $WORDS_PORT",
        "puma -p ${WORDS_PORT} x${WORDS_PORT}y",
        "puma -p ${WORDS_NONE:-3000} ${WORDS_NONE-4000} ${WORDS_PORT:-1}",
        "puma ${WORDS_EMPTY:-none} ${WORDS_EMPTY-none} \"$WORDS_EMPTY\" $WORDS_EMPTY end",
        "puma $WORDS_MANY \"$WORDS_MANY\" x${WORDS_MANY}y",
        "puma ${WORDS_NONE:-a b} \"${WORDS_NONE:-a b}\"",
        "thing a#b a~b a=b",
        "échappé 'ü' –",
    };

    (void)state;
    (void)setenv("WORDS_PORT", "8080", 1);
    (void)setenv("WORDS_EMPTY", "", 1);
    (void)setenv("WORDS_MANY", " -t 1  -w 2 ", 1);
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        cleanup_free char *ours = NULL;
        cleanup_free char *theirs = NULL;

        ours = split_by_us(lines[i]);
        theirs = split_by_sh(lines[i]);
        assert_string_equal(ours, theirs);
    }
}

static void assignments_are_counted(void **state)
{
    struct words words = {0};
    struct err err = {0};

    (void)state;
    assert_true(words_split(&words, "A=1 RAILS_ENV='x y' exec rails s B=2", look_up, &err));
    assert_int_equal(words.assignments, 2);
    assert_int_equal(words.count, 5);
    assert_string_equal(words.items[1], "RAILS_ENV=x y");
    assert_string_equal(words.items[2], "rails");
    assert_string_equal(words.items[4], "B=2");
    assert_null(words.items[5]);
    words_release(&words);
}

/* Their values stay whole: what a variable holds, or its default, begins no command. */
static void assignments_are_no_commands(void **state)
{
    struct words words = {0};
    struct err err = {0};

    (void)state;
    (void)setenv("WORDS_MANY", " -t 1  -w 2 ", 1);
    assert_true(words_split(&words, "A=${WORDS_NONE-=0 puma} B=x$WORDS_MANY rails C=$WORDS_MANY",
                            look_up, &err));
    assert_int_equal(words.assignments, 2);
    assert_string_equal(words.items[0], "A==0 puma");
    assert_string_equal(words.items[1], "B=x -t 1  -w 2 ");
    assert_string_equal(words.items[2], "rails");
    assert_string_equal(words.items[3], "C=");
    assert_string_equal(words.items[4], "-t");
    words_release(&words);
    assert_true(words_split(&words, "A=x~y B='~' cp a:~ b=~", look_up, &err));
    assert_int_equal(words.count, 5);
    words_release(&words);
}

static void the_rest_of_the_language_needs_a_shell(void **state)
{
    static const char *const lines[] = {
        "a | b",      "a && b",     "a; b",          "a > log",   "a < in",    "(a)",
        "a $(b)",     "a `b`",      "a \"$(b)\"",    "a \"`b`\"", "a *.rb",    "a ?.rb",
        "a [x]",      "a $$",       "a ${X%y}",      "a ${X:+y}", "if a",      "cd app",
        "a # b",      "a ~/b",      "a & b",         "a\nb",      "a ${X:=y}", "! a",
        "export A=1", "a ${X:-$Y}", "a ${X:-\"y\"}", ". ./env",   "A=~/b c",   "A=b:~/c d",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct words words = {0};
        struct err err = {0};

        assert_true(words_need_shell(lines[i]));
        assert_false(words_split(&words, lines[i], look_up, &err));
        assert_null(words.items);
    }
}

static void what_is_not_closed_is_refused(void **state)
{
    static const char *const lines[] = {"a 'b", "a \"b", "a b\\", "a ${X", "a ${X:-y",
                                        "",     "  ",    "A=1",   "exec"};

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct words words = {0};
        struct err err = {0};

        assert_false(words_split(&words, lines[i], look_up, &err));
        assert_true(err.msg[0] != '\0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_those_of_sh),
        cmocka_unit_test(assignments_are_counted),
        cmocka_unit_test(assignments_are_no_commands),
        cmocka_unit_test(the_rest_of_the_language_needs_a_shell),
        cmocka_unit_test(what_is_not_closed_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
