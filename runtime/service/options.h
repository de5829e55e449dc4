/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What is asked for: the words behind `FILE service`.
 */
#include <stdbool.h>

struct err;

enum options_verb {
    OPTIONS_INSTALL,
    OPTIONS_UPGRADE,
    OPTIONS_ROLLBACK,
    OPTIONS_RESTORE,
    OPTIONS_STATUS,
    OPTIONS_LOGS,
    OPTIONS_UNINSTALL,
    OPTIONS_TRUST,
    OPTIONS_HELP,
};

struct options {
    enum options_verb verb;
    const char *listen;     /* install, upgrade: "[ADDRESS:]PORT" */
    const char *backup;     /* install, upgrade: when */
    const char *push;       /* install, upgrade: a command */
    unsigned int keep;      /* install, upgrade: snapshots; 0: nobody has said */
    const char *env_file;   /* install: the environment */
    const char *restore;    /* install: a snapshot or capsule */
    bool is_new;            /* install: an empty state is meant */
    bool print;             /* install: write nothing */
    const char *file;       /* upgrade: the bundle; NULL: the one that runs this.
                             * trust: a key or a signed bundle; NULL: show.
                             * restore: a snapshot */
    bool none;              /* trust: no key */
    unsigned int number;    /* rollback: the release; 0: the one before */
    bool with_state;        /* rollback: the state, too */
    bool force;             /* rollback, install: although no snapshot can be made */
    bool replace;           /* install, restore: although the state is of another lineage */
    bool other_secrets;     /* install, restore: although the secrets are not the snapshot's */
    bool json;              /* status, trust: one document */
    bool purge;             /* uninstall: state and environment, too */
    char *const *arguments; /* logs: of journalctl */
};

/* words: NULL-terminated, the verb first. ERR_USAGE. Strings are borrowed. */
[[nodiscard]] bool options_parse(struct options *ret, char *const words[], struct err *err);

/* The whole text of --help. */
const char *options_help(void);
