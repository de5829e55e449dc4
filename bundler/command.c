/* SPDX-License-Identifier: MIT */
#include "bundler/command.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/suggest.h"

const struct command *const commands[] = {
    &cmd_build,  &cmd_init,    &cmd_run,     &cmd_inspect,    &cmd_why, &cmd_diff,
    &cmd_verify, &cmd_extract, &cmd_keygen,  &cmd_sign,       &cmd_oci, &cmd_zsync,
    &cmd_deps,   &cmd_doctor,  &cmd_recipes, &cmd_completion, NULL,
};

const struct command *command_find(const char *name)
{
    for (size_t i = 0; commands[i] != NULL; i++) {
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    }
    return NULL;
}

const char *command_suggest(const char *name)
{
    struct suggest suggest = suggest_begin(name);

    for (size_t i = 0; commands[i] != NULL; i++)
        suggest_offer(&suggest, commands[i]->name);
    return suggest.nearest;
}

static bool unknown_option(const struct command *command, const char *word, struct err *err)
{
    struct suggest suggest = suggest_begin(word + strspn(word, "-"));

    (void)err_set(err, ERR_USAGE, "unknown option '%.200s'", word);
    for (const struct option_entry *o = command->options; o != NULL && o->type != OPTION_END; o++)
        suggest_offer(&suggest, o->name);
    if (suggest.nearest != NULL)
        (void)err_hint(err, "did you mean '--%s'?", suggest.nearest);
    return false;
}

static const struct option_entry *find_option(const struct command *command, const char *word,
                                              const char **ret_value)
{
    *ret_value = NULL;
    for (const struct option_entry *o = command->options; o != NULL && o->type != OPTION_END; o++) {
        size_t len = strlen(o->name);

        if (word[1] != '-') {
            if (o->letter != '\0' && word[1] == o->letter && word[2] == '\0')
                return o;
        } else if (strncmp(word + 2, o->name, len) == 0) {
            if (word[2 + len] == '=')
                *ret_value = word + 2 + len + 1;
            if (word[2 + len] == '=' || word[2 + len] == '\0')
                return o;
        }
    }
    return NULL;
}

static bool store_count(const struct option_entry *option, const char *value, char *target,
                        struct err *err)
{
    char *end;
    unsigned long count;
    unsigned int small;

    errno = 0;
    count = strtoul(value, &end, 10);
    if (errno != 0 || *end != '\0' || value[0] < '0' || value[0] > '9' || count > UINT_MAX)
        return err_set(err, ERR_USAGE, "option '--%s': '%.100s' is not a number", option->name,
                       value);
    small = (unsigned int)count;
    memcpy(target, &small, sizeof(small));
    return true;
}

static bool store_item(const struct option_entry *option, const char *value,
                       struct option_list *list, struct err *err)
{
    if (list->count == OPTION_LIST_MAX)
        return err_set(err, ERR_USAGE, "option '--%s': more than %d times", option->name,
                       OPTION_LIST_MAX);
    list->items[list->count++] = value;
    return true;
}

static bool store(const struct option_entry *option, const char *value, void *options,
                  struct err *err)
{
    char *target = (char *)options + option->offset;

    if (option->type == OPTION_COUNT)
        return store_count(option, value, target, err);
    if (option->type == OPTION_LIST)
        return store_item(option, value, (struct option_list *)(void *)target, err);
    memcpy(target, &value, sizeof(value));
    return true;
}

/* Takes the option at argv[*index] and, where it has one, its value. */
static bool take_option(const struct command *command, int argc, char **argv, int *index,
                        void *options, struct err *err)
{
    const char *value;
    const struct option_entry *option = find_option(command, argv[*index], &value);
    bool yes = true;

    if (option == NULL)
        return unknown_option(command, argv[*index], err);
    if (option->type == OPTION_FLAG) {
        if (value != NULL)
            return err_set(err, ERR_USAGE, "option '--%s' takes no value", option->name);
        memcpy((char *)options + option->offset, &yes, sizeof(yes));
        return true;
    }
    if (value == NULL && *index + 1 < argc)
        value = argv[++*index];
    if (value == NULL)
        return err_set(err, ERR_USAGE, "option '--%s' needs a value", option->name);
    return store(option, value, options, err);
}

static bool check_operands(const struct command *command, size_t count, struct err *err)
{
    if (count < command->operands_min)
        return err_set(err, ERR_USAGE, "%s: missing operand: %s", command->name, command->operands);
    if (count > command->operands_max)
        return err_set(err, ERR_USAGE, "%s: too many operands", command->name);
    return true;
}

bool command_parse(const struct command *command, int argc, char **argv, void *options,
                   const char **operands, struct command_args *args, bool *ret_help,
                   struct err *err)
{
    size_t count = 0;
    bool only_operands = false;

    if (command->defaults != NULL)
        memcpy(options, command->defaults, command->options_size);
    for (int i = 0; i < argc; i++) {
        const char *word = argv[i];

        if (only_operands || word[0] != '-' || word[1] == '\0') {
            operands[count++] = word;
            only_operands = only_operands || command->passes_on;
        } else if (strcmp(word, "--") == 0) {
            only_operands = true;
        } else if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
            *ret_help = true;
            return true;
        } else if (!take_option(command, argc, argv, &i, options, err)) {
            return false;
        }
    }
    operands[count] = NULL;
    *args = (struct command_args){.options = options, .operands = operands, .operand_count = count};
    return check_operands(command, count, err);
}

static void help_overview(void)
{
    puts("usage: rucksack COMMAND [OPTION...] [OPERAND...]\n\n"
         "Turns a Ruby application into one executable file that runs on any Linux.\n");
    for (size_t i = 0; commands[i] != NULL; i++)
        printf("  %-10s %s\n", commands[i]->name, commands[i]->summary);
    puts("\nTry 'rucksack COMMAND --help'. 'rucksack --version' prints the version.");
}

void command_help(const struct command *command)
{
    if (command == NULL) {
        help_overview();
        return;
    }
    printf("usage: rucksack %s%s%s%s\n\n%s\n", command->name,
           command->options != NULL ? " [OPTION...]" : "", command->operands[0] != '\0' ? " " : "",
           command->operands, command->summary);
    for (const struct option_entry *o = command->options; o != NULL && o->type != OPTION_END; o++) {
        char left[48];

        (void)snprintf(left, sizeof(left), "%c%c%s--%s%s%s", o->letter != '\0' ? '-' : ' ',
                       o->letter != '\0' ? o->letter : ' ', o->letter != '\0' ? ", " : "  ",
                       o->name, o->value != NULL ? " " : "", o->value != NULL ? o->value : "");
        printf("%s  %-24s %s\n", o == command->options ? "\noptions:\n" : "", left, o->help);
    }
    if (command->examples != NULL)
        printf("\nexamples:\n%s", command->examples);
}
