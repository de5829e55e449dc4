/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What was done, told when it is done: lines for people, or one JSON document of a line for scripts
 * (docs/schema/backup.json, docs/schema/restore.json). Whether it could be written is for main()
 * to see, when it flushes.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct manifest;

struct receipt {
    const struct manifest *manifest; /* of the snapshot */
    const char *place;               /* the file written, the state directory; NULL: a stream */
    const char *name;                /* backup: NAME-TIME.tar.zst */
    uint64_t size_bytes;             /* backup: of the file; restore: of all files unpacked */
    bool is_capsule;                 /* backup */
    bool is_pushed;                  /* backup: a command has it, too */
    unsigned int removed;            /* backup: so many older ones */
    bool is_check;                   /* restore: nothing was replaced */
    const char *kept; /* restore: the state that was, in place; NULL: there was none */
};

/* All strings are borrowed. */
void receipt_backup(const struct receipt *receipt, bool is_json, FILE *to);
void receipt_restore(const struct receipt *receipt, bool is_json, FILE *to);
