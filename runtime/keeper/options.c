/* SPDX-License-Identifier: MIT */
#include "runtime/keeper/options.h"

#include <stddef.h>
#include <string.h>

#include "common/err.h"
#include "common/flags.h"

enum { BACKUP = 1 << OPTIONS_BACKUP, RESTORE = 1 << OPTIONS_RESTORE };

static const struct flags_entry entries[] = {
    {"--output", BACKUP, FLAGS_TEXT, offsetof(struct options, output)},
    {"-o", BACKUP, FLAGS_TEXT, offsetof(struct options, output)},
    {"--push", BACKUP, FLAGS_TEXT, offsetof(struct options, push)},
    {"--schema", BACKUP, FLAGS_TEXT, offsetof(struct options, schema)},
    {"--keep", BACKUP, FLAGS_COUNT, offsetof(struct options, keep)},
    {"--capsule", BACKUP, FLAGS_SWITCH, offsetof(struct options, capsule)},
    {"--quiesce", BACKUP, FLAGS_SWITCH, offsetof(struct options, quiesce)},
    {"--emptier", BACKUP, FLAGS_SWITCH, offsetof(struct options, emptier)},
    {"--json", BACKUP, FLAGS_SWITCH, offsetof(struct options, json)},
    {"--help", BACKUP, FLAGS_SWITCH, offsetof(struct options, help)},
    {"--check-only", RESTORE, FLAGS_SWITCH, offsetof(struct options, check_only)},
    {"--replace", RESTORE, FLAGS_SWITCH, offsetof(struct options, replace)},
    {"--other-secrets", RESTORE, FLAGS_SWITCH, offsetof(struct options, other_secrets)},
    {"--json", RESTORE, FLAGS_SWITCH, offsetof(struct options, json)},
    {"--help", RESTORE, FLAGS_SWITCH, offsetof(struct options, help)},
};

static const char *help_hint(enum options_verb verb)
{
    return verb == OPTIONS_BACKUP ? "try: FILE backup --help" : "try: FILE restore --help";
}

static bool wrong(enum options_verb verb, struct err *err)
{
    err->kind = ERR_USAGE;
    return err_hint(err, "%s", help_hint(verb));
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
    struct flags flags = {.entries = entries, .count = sizeof(entries) / sizeof(entries[0])};

    if (words[0] == NULL || (strcmp(words[0], "backup") != 0 && strcmp(words[0], "restore") != 0))
        return err_set(err, ERR_USAGE, "neither 'backup' nor 'restore'");
    parsed.verb = strcmp(words[0], "backup") == 0 ? OPTIONS_BACKUP : OPTIONS_RESTORE;
    flags.verb = 1u << parsed.verb;
    flags.where = words[0];
    flags.hint = help_hint(parsed.verb);
    for (words++; *words != NULL; words++) {
        bool is_operand = words[0][0] != '-' || strcmp(words[0], "-") == 0;

        if (!(is_operand ? take_operand(&parsed, words[0], err)
                         : flags_take(&flags, &words, &parsed, err)))
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
