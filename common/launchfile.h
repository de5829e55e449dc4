/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The launch file: what the launcher and the guest object must know, as text (FORMAT_LAUNCH).
 *
 *     rucksack<TAB>1
 *     key<TAB>value[<TAB>value...]
 *
 * One record a line, at most LAUNCHFILE_FIELDS fields, no field with a tab, newline or NUL. All
 * paths are image paths. Records, in any order; "..." means repeatable:
 *
 *     name NAME                identity of the app
 *     kind app|cli             cli: every argument is the program's, and no verb
 *     lib DIR ...              directories of --library-path, in order
 *     program PATH ELF COMM .. a start of PATH runs ELF; COMM names the loader's copy
 *     script PATH FILE ...     a start of PATH runs the Ruby script FILE
 *     ruby PATH                the program that runs scripts; stands before its `program`
 *     loader ELF PATH          the copy of the loader that starts ELF, where it is not COMM's
 *     argv0 yes                the loader takes --argv0
 *     process NAME COMMAND ... a command line (common/words.h)
 *     single NAME ...          a process of which a state has one at a time
 *     server NAME FEATURE ...  what the process NAME can: "activation" (it takes systemd's sockets
 * with
 *                              `--bind-to-activated-sockets only` behind its command), "notify"
 *     health PATH              what a healthy app answers with less than 400; absent: with "/" less
 *                              than 500 will do
 *     host yes                 the app starts programs of the host
 *     release COMMAND          what prepares a new version: migrations
 *     console COMMAND          an interactive Ruby
 *     secret NAME [OR [OR]] .. a variable that must be set when a process starts, or one of others
 *     env NAME VALUE ...       set where the user has not set it; ${ROOT} is the image's root
 *     state CLASS DIR ...      a directory to create below the state directory
 *     fallback NAME PATH ...   an unset variable names the first `host` path that is there, or PATH
 *     host NAME PATH ...       for it, an absolute path of the host
 *     path PATH RECIPE ...     absolute; where the host has nothing there, the image's is found
 *     locale DIR, gconv DIR    data of the bundled libc
 *     names PATH               the name table (common/nametable.h), where it may be used
 *     loadpath FILE VADDR SIZE Ruby's compiled-in load path: object, address (hex), bytes (dec)
 *     loadpath-old DIR ...     its strings, absolute, as they are in the object
 *     loadpath-new DIR ...     what takes their place
 *
 * The boot profile (FORMAT_PROFILE) has the same form, and its records are in the order of a start:
 *
 *     read PATH                a file whose contents a start needs
 *     open PATH                one that is only opened, or too large to be read whole
 *
 * This reader uses no libc: it is also part of the guest object. It changes the text in place.
 */
#include <stdbool.h>
#include <stddef.h>

enum { LAUNCHFILE_FIELDS = 4, LAUNCHFILE_VERSION = 1 };

struct launchfile {
    char *at;  /* next record */
    char *end; /* behind the last byte; holds a NUL */
};

struct launchfile_record {
    const char *fields[LAUNCHFILE_FIELDS]; /* fields[0] is the key; absent ones are "" */
    size_t count;
};

/* text is size bytes and a NUL. False: not a launch file of this version. */
[[nodiscard]] bool launchfile_begin(struct launchfile *file, char *text, size_t size);

/* False at the end, or at a line that is no record (then file->at is not file->end). */
[[nodiscard]] bool launchfile_next(struct launchfile *file, struct launchfile_record *ret);

/* Whether the record's key is this, with at least so many fields behind it. */
bool launchfile_is(const struct launchfile_record *record, const char *key, size_t values);
