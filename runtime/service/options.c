/* SPDX-License-Identifier: MIT */
#include "runtime/service/options.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "common/flags.h"
#include "common/suggest.h"

enum {
    INSTALL = 1 << OPTIONS_INSTALL,
    UPGRADE = 1 << OPTIONS_UPGRADE,
    ROLLBACK = 1 << OPTIONS_ROLLBACK,
    UNINSTALL = 1 << OPTIONS_UNINSTALL,
    TRUST = 1 << OPTIONS_TRUST,
    RESTORE = 1 << OPTIONS_RESTORE,
    STATUS = 1 << OPTIONS_STATUS,
};

static const struct flags_entry entries[] = {
    {"--listen", INSTALL | UPGRADE, FLAGS_TEXT, offsetof(struct options, listen)},
    {"--backup", INSTALL | UPGRADE, FLAGS_TEXT, offsetof(struct options, backup)},
    {"--push", INSTALL | UPGRADE, FLAGS_TEXT, offsetof(struct options, push)},
    {"--keep", INSTALL | UPGRADE, FLAGS_COUNT, offsetof(struct options, keep)},
    {"--env-file", INSTALL, FLAGS_TEXT, offsetof(struct options, env_file)},
    {"--restore", INSTALL, FLAGS_TEXT, offsetof(struct options, restore)},
    {"--new", INSTALL, FLAGS_SWITCH, offsetof(struct options, is_new)},
    {"--print", INSTALL, FLAGS_SWITCH, offsetof(struct options, print)},
    {"--with-state", ROLLBACK, FLAGS_SWITCH, offsetof(struct options, with_state)},
    {"--force", INSTALL | ROLLBACK, FLAGS_SWITCH, offsetof(struct options, force)},
    {"--replace", INSTALL | RESTORE, FLAGS_SWITCH, offsetof(struct options, replace)},
    {"--other-secrets", INSTALL | RESTORE, FLAGS_SWITCH, offsetof(struct options, other_secrets)},
    {"--none", TRUST, FLAGS_SWITCH, offsetof(struct options, none)},
    {"--json", STATUS | TRUST, FLAGS_SWITCH, offsetof(struct options, json)},
    {"--purge", UNINSTALL, FLAGS_SWITCH, offsetof(struct options, purge)},
};

static const char *const verbs[] = {
    [OPTIONS_INSTALL] = "install",     [OPTIONS_UPGRADE] = "upgrade",
    [OPTIONS_ROLLBACK] = "rollback",   [OPTIONS_RESTORE] = "restore",
    [OPTIONS_STATUS] = "status",       [OPTIONS_LOGS] = "logs",
    [OPTIONS_UNINSTALL] = "uninstall", [OPTIONS_TRUST] = "trust",
    [OPTIONS_HELP] = "--help",
};

enum { VERBS = sizeof(verbs) / sizeof(verbs[0]) };

static const char help_hint[] = "try: FILE service --help";

static bool see_help(struct err *err)
{
    err->kind = ERR_USAGE;
    return err_hint(err, "%s", help_hint);
}

static bool parse_verb(struct options *parsed, const char *word, struct err *err)
{
    struct suggest suggest = suggest_begin(word != NULL ? word : "");

    for (size_t i = 0; word != NULL && i < VERBS; i++) {
        if (strcmp(word, verbs[i]) == 0) {
            parsed->verb = (enum options_verb)i;
            return true;
        }
        suggest_offer(&suggest, verbs[i]);
    }
    if (word == NULL)
        (void)err_set(err, ERR_USAGE, "service: what?");
    else
        (void)err_set(err, ERR_USAGE, "service: unknown verb '%.100s'", word);
    return suggest_hint(&suggest, help_hint, err);
}

static bool take_operand(struct options *parsed, const struct flags *flags, const char *word,
                         struct err *err)
{
    if (((UPGRADE | TRUST | RESTORE) & 1 << parsed->verb) != 0 && parsed->file == NULL) {
        parsed->file = word;
        return true;
    }
    if (parsed->verb == OPTIONS_ROLLBACK && parsed->number == 0)
        return flags_count(flags, "rollback", word, &parsed->number, err);
    (void)err_set(err, ERR_USAGE, "service %s: '%.100s' is too much", verbs[parsed->verb], word);
    return see_help(err);
}

bool options_parse(struct options *ret, char *const words[], struct err *err)
{
    struct options parsed = {0};
    struct flags flags = {
        .entries = entries, .count = sizeof(entries) / sizeof(entries[0]), .hint = help_hint};
    char where[32];

    if (!parse_verb(&parsed, words[0], err))
        return false;
    (void)snprintf(where, sizeof(where), "service %s", verbs[parsed.verb]);
    flags.verb = 1u << parsed.verb;
    flags.where = where;
    parsed.arguments = words + 1;
    for (words++; parsed.verb != OPTIONS_LOGS && *words != NULL; words++) {
        if (strcmp(words[0], "--help") == 0) {
            parsed.verb = OPTIONS_HELP;
            break;
        }
        if (!(words[0][0] != '-' ? take_operand(&parsed, &flags, words[0], err)
                                 : flags_take(&flags, &words, &parsed, err)))
            return false;
    }
    if (parsed.is_new && parsed.restore != NULL) {
        (void)err_set(err, ERR_USAGE, "--new and --restore: one or the other");
        return see_help(err);
    }
    if (parsed.verb == OPTIONS_RESTORE && parsed.file == NULL) {
        (void)err_set(err, ERR_USAGE, "service restore: which snapshot?");
        return see_help(err);
    }
    *ret = parsed;
    return true;
}

const char *options_help(void)
{
    return "FILE service VERB: the application as a service of systemd\n\n"
           "  install              from this file\n"
           "    --new              a new site: an empty state is meant\n"
           "    --restore SNAPSHOT with the state of a snapshot, or of a capsule\n"
           "    --replace, --other-secrets as of FILE restore\n"
           "    --force            although a state that is there cannot be saved before\n"
           "    --listen [IP:]PORT (default: 127.0.0.1:3000)\n"
           "    --env-file FILE    its environment, secrets too; kept in /etc/NAME/env\n"
           "    --backup WHEN      snapshots to /var/backups/NAME: daily, hourly, a calendar time\n"
           "    --keep N           so many of them (default: 14)\n"
           "    --push COMMAND     takes each one, too, on its standard input\n"
           "    --print            show every file, and write none\n"
           "  upgrade [FILE]       to that file, or this one: back to the old one when it is not\n"
           "                       healthy; --listen, --backup, --keep, --push as of install\n"
           "  rollback [N]         to the release before, or that one\n"
           "    --with-state       and the state as it was before the one after it\n"
           "    --force            although the state cannot be saved before, nor looked at\n"
           "  restore SNAPSHOT     put the state of a snapshot in the place of the state;\n"
           "                       --replace, --other-secrets as of FILE restore\n"
           "  status               what runs, and which releases there are\n"
           "    --json             as one JSON document\n"
           "  logs [ARG...]        journalctl of its units\n"
           "  trust [KEY|FILE]     show the key that bundles must be signed with, or take "
           "another:\n"
           "                       a public key, or that of a signed bundle\n"
           "    --none             take any bundle again\n"
           "    --json             what it trusts then, as one JSON document\n"
           "  uninstall            all but state, environment and backups\n"
           "    --purge            state and environment, too\n";
}
