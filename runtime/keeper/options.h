/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What is asked for: the words behind `FILE backup` and `FILE restore`.
 */
#include <stdbool.h>

struct err;

enum options_verb { OPTIONS_BACKUP, OPTIONS_RESTORE };

struct options {
    enum options_verb verb;
    const char *output;   /* backup: a file, a directory, or "-" */
    const char *push;     /* backup: a command that takes it */
    unsigned int keep;    /* backup: so many; 0: all */
    bool capsule;         /* backup: bundle and snapshot in one file */
    bool quiesce;         /* backup: no transaction writes meanwhile */
    const char *schema;   /* backup: only if no database is further than this migration */
    bool emptier;         /* backup: although the state is emptier than it was */
    const char *snapshot; /* restore: a file, "-", or NULL: the capsule's own */
    bool check_only;      /* restore: nothing is replaced */
    bool replace;         /* restore: the state of another lineage, too */
    bool other_secrets;   /* restore: although they are not those of the snapshot */
    bool json;            /* the result is one document, and nothing else is on standard output */
    bool help;
};

/* words: NULL-terminated, the verb first. ERR_USAGE. Strings are borrowed. */
[[nodiscard]] bool options_parse(struct options *ret, char *const words[], struct err *err);

/* The whole text of --help. */
const char *options_help(enum options_verb verb);
