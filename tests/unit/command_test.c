/* SPDX-License-Identifier: MIT */
/* Mirrors command.c. Cases: the table of commands · options in every spelling · operands · what a
 * wrong command line is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bundler/command.h"
#include "common/err.h"

struct given {
    bool json;
    const char *output;
    unsigned int chains;
};

static const struct option_entry entries[] = {
    {"json", 0, OPTION_FLAG, offsetof(struct given, json), NULL, "help"},
    {"output", 'o', OPTION_TEXT, offsetof(struct given, output), "FILE", "help"},
    {"chains", 'c', OPTION_COUNT, offsetof(struct given, chains), "N", "help"},
    {.type = OPTION_END},
};

static const struct command why = {
    .name = "why",
    .operands = "FILE [NAME]",
    .operands_min = 1,
    .operands_max = 2,
    .options = entries,
    .options_size = sizeof(struct given),
    .defaults = &(const struct given){.chains = 3},
};

static const struct command start = {
    .name = "start",
    .operands = "FILE [ARG...]",
    .operands_min = 1,
    .operands_max = SIZE_MAX,
    .passes_on = true,
    .options = entries,
    .options_size = sizeof(struct given),
};

enum { WORDS_MAX = 8 };

struct parsed {
    struct given given;
    const char *operands[WORDS_MAX + 1];
    struct command_args args;
    bool help;
    struct err err;
};

/* words: separated by single blanks. */
static bool parse(const struct command *command, const char *words, struct parsed *ret)
{
    static char text[256];
    char *argv[WORDS_MAX] = {0};
    int argc = 0;

    *ret = (struct parsed){0};
    (void)snprintf(text, sizeof(text), "%s", words);
    for (char *at = text; *at != '\0';) {
        size_t len = strcspn(at, " ");
        bool is_last = at[len] == '\0';

        argv[argc++] = at;
        at[len] = '\0';
        at += len + !is_last;
    }
    return command_parse(command, argc, argv, &ret->given, ret->operands, &ret->args, &ret->help,
                         &ret->err);
}

static void options_have_every_spelling(void **state)
{
    struct parsed parsed;

    (void)state;
    assert_true(parse(&why, "--json -o x --chains 5 f", &parsed));
    assert_true(parsed.given.json);
    assert_string_equal(parsed.given.output, "x");
    assert_int_equal(parsed.given.chains, 5);
    assert_string_equal(parsed.args.operands[0], "f");
    assert_null(parsed.args.operands[1]);
    assert_true(parse(&why, "f --output=y -c 0", &parsed));
    assert_string_equal(parsed.given.output, "y");
    assert_int_equal(parsed.given.chains, 0);
    assert_true(parse(&why, "f --output=", &parsed));
    assert_string_equal(parsed.given.output, "");
}

static void absent_options_have_their_defaults(void **state)
{
    struct parsed parsed;

    (void)state;
    assert_true(parse(&why, "f", &parsed));
    assert_false(parsed.given.json);
    assert_null(parsed.given.output);
    assert_int_equal(parsed.given.chains, 3);
}

static void two_dashes_end_the_options(void **state)
{
    struct parsed parsed;

    (void)state;
    assert_true(parse(&why, "-- --json -o", &parsed));
    assert_int_equal(parsed.args.operand_count, 2);
    assert_string_equal(parsed.args.operands[0], "--json");
    assert_true(parse(&why, "-", &parsed));
    assert_string_equal(parsed.args.operands[0], "-");
}

static void what_follows_a_program_is_passed_on(void **state)
{
    struct parsed parsed;

    (void)state;
    assert_true(parse(&start, "--json f --json --help -x --", &parsed));
    assert_true(parsed.given.json);
    assert_false(parsed.help);
    assert_int_equal(parsed.args.operand_count, 5);
    assert_string_equal(parsed.args.operands[1], "--json");
    assert_string_equal(parsed.args.operands[4], "--");
}

static void help_needs_nothing_else(void **state)
{
    struct parsed parsed;

    (void)state;
    assert_true(parse(&why, "--help", &parsed));
    assert_true(parsed.help);
    assert_true(parse(&why, "f -h", &parsed));
    assert_true(parsed.help);
}

static void assert_wrong(const char *words, const char *why_not, const char *hint)
{
    struct parsed parsed;

    assert_false(parse(&why, words, &parsed));
    assert_int_equal(parsed.err.kind, ERR_USAGE);
    if (strstr(parsed.err.msg, why_not) == NULL)
        fail_msg("'%s': %s", words, parsed.err.msg);
    assert_string_equal(parsed.err.hint, hint);
}

static void wrong_command_lines_are_explained(void **state)
{
    (void)state;
    assert_wrong("f --jsno", "unknown option '--jsno'", "did you mean '--json'?");
    assert_wrong("f --frobnicate", "unknown option", "");
    assert_wrong("f -x", "unknown option '-x'", "");
    assert_wrong("f -ox", "unknown option", "");
    assert_wrong("f --json=1", "takes no value", "");
    assert_wrong("f --output", "needs a value", "");
    assert_wrong("f -c x", "not a number", "");
    assert_wrong("f -c -1", "not a number", "");
    assert_wrong("f -c 99999999999", "not a number", "");
    assert_wrong("", "missing operand", "");
    assert_wrong("a b c", "too many operands", "");
}

static void mistyped_commands_have_a_neighbour(void **state)
{
    (void)state;
    assert_ptr_equal(command_find("verify"), &cmd_verify);
    assert_null(command_find("verfy"));
    assert_null(command_find(""));
    assert_string_equal(command_suggest("verfy"), "verify");
    assert_string_equal(command_suggest("biuld"), "build");
    assert_string_equal(command_suggest("extrat"), "extract");
    assert_null(command_suggest("frobnicate"));
    assert_null(command_suggest("a-name-that-is-longer-than-any-of-the-commands"));
}

/* The help is made from the table: every entry must have what it prints. */
static void every_command_is_complete(void **state)
{
    (void)state;
    for (size_t i = 0; commands[i] != NULL; i++) {
        assert_ptr_equal(command_find(commands[i]->name), commands[i]);
        assert_non_null(commands[i]->summary);
        assert_non_null(commands[i]->operands);
        assert_non_null(commands[i]->run);
        assert_true(commands[i]->operands_min <= commands[i]->operands_max);
        assert_true(commands[i]->options_size <= OPTION_STRUCT_MAX);
        for (const struct option_entry *o = commands[i]->options;
             o != NULL && o->type != OPTION_END; o++) {
            assert_non_null(o->help);
            assert_int_equal(o->value != NULL, o->type != OPTION_FLAG);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_have_every_spelling),
        cmocka_unit_test(absent_options_have_their_defaults),
        cmocka_unit_test(two_dashes_end_the_options),
        cmocka_unit_test(what_follows_a_program_is_passed_on),
        cmocka_unit_test(help_needs_nothing_else),
        cmocka_unit_test(wrong_command_lines_are_explained),
        cmocka_unit_test(mistyped_commands_have_a_neighbour),
        cmocka_unit_test(every_command_is_complete),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
