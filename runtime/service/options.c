/* SPDX-License-Identifier: MIT */
#include "runtime/service/options.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/suggest.h"

enum kind { FLAG, TEXT, COUNT };

enum {
    INSTALL = 1 << OPTIONS_INSTALL,
    UPGRADE = 1 << OPTIONS_UPGRADE,
    ROLLBACK = 1 << OPTIONS_ROLLBACK,
    UNINSTALL = 1 << OPTIONS_UNINSTALL,
    TRUST = 1 << OPTIONS_TRUST,
    RESTORE = 1 << OPTIONS_RESTORE,
    STATUS = 1 << OPTIONS_STATUS,
};

static const struct option {
    const char *name;
    int verbs;
    enum kind kind;
    size_t offset;
} options[] = {
    {"--listen", INSTALL | UPGRADE, TEXT, offsetof(struct options, listen)},
    {"--backup", INSTALL | UPGRADE, TEXT, offsetof(struct options, backup)},
    {"--push", INSTALL | UPGRADE, TEXT, offsetof(struct options, push)},
    {"--keep", INSTALL | UPGRADE, COUNT, offsetof(struct options, keep)},
    {"--env-file", INSTALL, TEXT, offsetof(struct options, env_file)},
    {"--restore", INSTALL, TEXT, offsetof(struct options, restore)},
    {"--new", INSTALL, FLAG, offsetof(struct options, is_new)},
    {"--print", INSTALL, FLAG, offsetof(struct options, print)},
    {"--with-state", ROLLBACK, FLAG, offsetof(struct options, with_state)},
    {"--force", INSTALL | ROLLBACK, FLAG, offsetof(struct options, force)},
    {"--replace", INSTALL | RESTORE, FLAG, offsetof(struct options, replace)},
    {"--other-secrets", INSTALL | RESTORE, FLAG, offsetof(struct options, other_secrets)},
    {"--none", TRUST, FLAG, offsetof(struct options, none)},
    {"--json", STATUS | TRUST, FLAG, offsetof(struct options, json)},
    {"--purge", UNINSTALL, FLAG, offsetof(struct options, purge)},
};

enum { OPTIONS = sizeof(options) / sizeof(options[0]) };

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

static bool unknown(const struct options *parsed, const char *word, struct err *err)
{
    struct suggest suggest = suggest_begin(word);

    for (size_t i = 0; i < OPTIONS; i++)
        if ((options[i].verbs & 1 << parsed->verb) != 0)
            suggest_offer(&suggest, options[i].name);
    (void)err_set(err, ERR_USAGE, "service %s: unknown option '%.100s'", verbs[parsed->verb], word);
    return suggest_hint(&suggest, help_hint, err);
}

/* "--name" or "--name=value"; *ret_value is NULL or what follows the '='. */
static const struct option *find(const struct options *parsed, const char *word,
                                 const char **ret_value)
{
    size_t len = strcspn(word, "=");

    *ret_value = word[len] == '=' ? word + len + 1 : NULL;
    for (size_t i = 0; i < OPTIONS; i++)
        if ((options[i].verbs & 1 << parsed->verb) != 0 && strlen(options[i].name) == len &&
            strncmp(options[i].name, word, len) == 0)
            return &options[i];
    return NULL;
}

static bool parse_count(const char *name, const char *text, unsigned int *ret, struct err *err)
{
    char *end = NULL;
    unsigned long count;

    errno = 0;
    count = strtoul(text, &end, 10);
    if (errno == 0 && *end == '\0' && text[0] >= '0' && text[0] <= '9' && count > 0 &&
        count <= INT32_MAX) {
        *ret = (unsigned int)count;
        return true;
    }
    (void)err_set(err, ERR_USAGE, "%s: '%.100s' is no number from 1 on", name, text);
    return see_help(err);
}

static bool take_option(struct options *parsed, const struct option *option, const char *value,
                        struct err *err)
{
    char *place = (char *)parsed + option->offset;

    switch (option->kind) {
    case FLAG:
        *(bool *)(void *)place = true;
        return true;
    case TEXT:
        *(const char **)(void *)place = value;
        return true;
    case COUNT:
        return parse_count(option->name, value, (unsigned int *)(void *)place, err);
    }
    return true;
}

static bool take_operand(struct options *parsed, const char *word, struct err *err)
{
    if (((UPGRADE | TRUST | RESTORE) & 1 << parsed->verb) != 0 && parsed->file == NULL) {
        parsed->file = word;
        return true;
    }
    if (parsed->verb == OPTIONS_ROLLBACK && parsed->number == 0)
        return parse_count("rollback", word, &parsed->number, err);
    (void)err_set(err, ERR_USAGE, "service %s: '%.100s' is too much", verbs[parsed->verb], word);
    return see_help(err);
}

bool options_parse(struct options *ret, char *const words[], struct err *err)
{
    struct options parsed = {0};

    if (!parse_verb(&parsed, words[0], err))
        return false;
    parsed.arguments = words + 1;
    for (words++; parsed.verb != OPTIONS_LOGS && *words != NULL; words++) {
        const struct option *option;
        const char *value;

        if (strcmp(words[0], "--help") == 0) {
            parsed.verb = OPTIONS_HELP;
            break;
        }
        if (words[0][0] != '-') {
            if (!take_operand(&parsed, words[0], err))
                return false;
            continue;
        }
        option = find(&parsed, words[0], &value);
        if (option == NULL || (option->kind == FLAG && value != NULL))
            return unknown(&parsed, words[0], err);
        if (option->kind != FLAG && value == NULL && (value = *++words) == NULL) {
            (void)err_set(err, ERR_USAGE, "%s needs a value", option->name);
            return see_help(err);
        }
        if (!take_option(&parsed, option, value, err))
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
