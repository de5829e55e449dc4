/* SPDX-License-Identifier: MIT */
#include "runtime/keeper/options.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/suggest.h"

enum { KEEP_MAX = 100000 };

enum kind { FLAG, TEXT, COUNT };

static const struct option {
    enum options_verb verb;
    const char *name;
    enum kind kind;
    size_t offset;
} options[] = {
    {OPTIONS_BACKUP, "--output", TEXT, offsetof(struct options, output)},
    {OPTIONS_BACKUP, "-o", TEXT, offsetof(struct options, output)},
    {OPTIONS_BACKUP, "--push", TEXT, offsetof(struct options, push)},
    {OPTIONS_BACKUP, "--schema", TEXT, offsetof(struct options, schema)},
    {OPTIONS_BACKUP, "--keep", COUNT, offsetof(struct options, keep)},
    {OPTIONS_BACKUP, "--capsule", FLAG, offsetof(struct options, capsule)},
    {OPTIONS_BACKUP, "--quiesce", FLAG, offsetof(struct options, quiesce)},
    {OPTIONS_BACKUP, "--emptier", FLAG, offsetof(struct options, emptier)},
    {OPTIONS_BACKUP, "--json", FLAG, offsetof(struct options, json)},
    {OPTIONS_BACKUP, "--help", FLAG, offsetof(struct options, help)},
    {OPTIONS_RESTORE, "--check-only", FLAG, offsetof(struct options, check_only)},
    {OPTIONS_RESTORE, "--replace", FLAG, offsetof(struct options, replace)},
    {OPTIONS_RESTORE, "--other-secrets", FLAG, offsetof(struct options, other_secrets)},
    {OPTIONS_RESTORE, "--json", FLAG, offsetof(struct options, json)},
    {OPTIONS_RESTORE, "--help", FLAG, offsetof(struct options, help)},
};

enum { OPTIONS = sizeof(options) / sizeof(options[0]) };

static const char *verb_name(enum options_verb verb)
{
    return verb == OPTIONS_BACKUP ? "backup" : "restore";
}

static const char *help_hint(enum options_verb verb)
{
    return verb == OPTIONS_BACKUP ? "try: FILE backup --help" : "try: FILE restore --help";
}

static bool wrong(enum options_verb verb, struct err *err)
{
    err->kind = ERR_USAGE;
    return err_hint(err, "%s", help_hint(verb));
}

static bool unknown(enum options_verb verb, const char *word, struct err *err)
{
    struct suggest suggest = suggest_begin(word);

    for (size_t i = 0; i < OPTIONS; i++)
        if (options[i].verb == verb)
            suggest_offer(&suggest, options[i].name);
    (void)err_set(err, ERR_USAGE, "%s: unknown option '%.100s'", verb_name(verb), word);
    return suggest_hint(&suggest, help_hint(verb), err);
}

/* "--name" or "--name=value"; *ret_value is NULL or what follows the '='. */
static const struct option *find(enum options_verb verb, const char *word, const char **ret_value)
{
    size_t len = strcspn(word, "=");

    *ret_value = word[len] == '=' ? word + len + 1 : NULL;
    for (size_t i = 0; i < OPTIONS; i++)
        if (options[i].verb == verb && strlen(options[i].name) == len &&
            strncmp(options[i].name, word, len) == 0)
            return &options[i];
    return NULL;
}

static bool store(struct options *parsed, const struct option *option, const char *value,
                  struct err *err)
{
    char *place = (char *)parsed + option->offset;
    char *end = NULL;
    unsigned long count;

    if (option->kind == FLAG) {
        *(bool *)(void *)place = true;
        return true;
    }
    if (option->kind == TEXT) {
        *(const char **)(void *)place = value;
        return true;
    }
    errno = 0;
    count = strtoul(value, &end, 10);
    if (errno != 0 || *end != '\0' || value[0] < '0' || value[0] > '9' || count < 1 ||
        count > KEEP_MAX) {
        (void)err_set(err, ERR_USAGE, "%s: '%.100s' is no number from 1 on", option->name, value);
        return wrong(parsed->verb, err);
    }
    *(unsigned int *)(void *)place = (unsigned int)count;
    return true;
}

static bool check_together(const struct options *parsed, struct err *err)
{
    bool is_stream = parsed->output != NULL && strcmp(parsed->output, "-") == 0;

    if (parsed->keep > 0 && (is_stream || (parsed->push != NULL && parsed->output == NULL))) {
        (void)err_set(err, ERR_USAGE, "--keep needs a directory: what was streamed is not ours");
        return wrong(parsed->verb, err);
    }
    if (is_stream && parsed->push != NULL) {
        (void)err_set(err, ERR_USAGE, "'-o -' and --push: one stream or the other");
        return wrong(parsed->verb, err);
    }
    if (is_stream && parsed->json) {
        (void)err_set(err, ERR_USAGE, "'-o -' and --json: standard output is one or the other");
        return wrong(parsed->verb, err);
    }
    return true;
}

static bool take_operand(struct options *parsed, const char *word, struct err *err)
{
    if (parsed->verb == OPTIONS_BACKUP) {
        (void)err_set(err, ERR_USAGE, "backup: '%.100s' is too much", word);
        return err_hint(err, "name the file with -o: FILE backup -o '%.100s'", word);
    }
    if (parsed->snapshot != NULL) {
        (void)err_set(err, ERR_USAGE, "restore: one snapshot at a time");
        return wrong(parsed->verb, err);
    }
    parsed->snapshot = word;
    return true;
}

bool options_parse(struct options *ret, char *const words[], struct err *err)
{
    struct options parsed = {0};

    if (words[0] == NULL || (strcmp(words[0], "backup") != 0 && strcmp(words[0], "restore") != 0))
        return err_set(err, ERR_USAGE, "neither 'backup' nor 'restore'");
    parsed.verb = strcmp(words[0], "backup") == 0 ? OPTIONS_BACKUP : OPTIONS_RESTORE;
    for (words++; *words != NULL; words++) {
        const struct option *option;
        const char *value;

        if (words[0][0] != '-' || strcmp(words[0], "-") == 0) {
            if (!take_operand(&parsed, words[0], err))
                return false;
            continue;
        }
        option = find(parsed.verb, words[0], &value);
        if (option == NULL || (option->kind == FLAG && value != NULL))
            return unknown(parsed.verb, words[0], err);
        if (option->kind != FLAG && value == NULL && (value = *++words) == NULL) {
            (void)err_set(err, ERR_USAGE, "%s needs a value", option->name);
            return wrong(parsed.verb, err);
        }
        if (!store(&parsed, option, value, err))
            return false;
    }
    *ret = parsed;
    return check_together(&parsed, err);
}

const char *options_help(enum options_verb verb)
{
    if (verb == OPTIONS_BACKUP)
        return "FILE backup [OPTION...]: a snapshot of the state, while the application runs\n\n"
               "  -o, --output PLACE   a file, a directory, or '-': standard output\n"
               "                       (default: NAME-TIME.tar.zst here)\n"
               "  --capsule            program and snapshot in one executable file\n"
               "  --push COMMAND       give the complete snapshot to a command's standard input\n"
               "  --keep N             remove all but the newest N of the directory\n"
               "  --quiesce            let no transaction write meanwhile: several databases\n"
               "                       and files of one moment\n"
               "  --schema VERSION[,NAME=VERSION...]\n"
               "                       only if no database has a newer migration; NAME: of those\n"
               "                       whose name ends so, as production_queue.sqlite3 in 'queue'\n"
               "  --emptier            although what the last snapshot had is gone\n"
               "  --json               what was written as one JSON document\n";
    return "FILE restore [OPTION...] [SNAPSHOT]: put the state of a snapshot in the place of the "
           "state\n\n"
           "  SNAPSHOT             a file, a capsule, or '-'; default: the one in FILE itself\n"
           "  --check-only         unpack and check everything, replace nothing\n"
           "  --replace            although the state here is of another lineage\n"
           "  --other-secrets      although the secrets here are not those of the snapshot\n"
           "  --json               what was done as one JSON document\n";
}
