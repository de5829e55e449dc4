/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The record of a build, in the cache: what it looked at and what it wrote, so that the next one
 * can tell that nothing has changed and the file is still there.
 *
 * One record for each question: application, output, options, environment, machine, this program.
 * It says "unchanged" only if every look (bundler/witness.h) still sees the same, the application's
 * own Ruby gives the same answer, and the output is, byte for byte, what was written. In doubt none
 * is kept: for an input that changed while the build ran, or in the tick of the clock in which it
 * began (as git does not believe its index then).
 *
 * Layout, of this machine: struct record_head, then for each look its kind (1 byte), its hash, of a
 * directory also the hash of its names, and its path with a NUL.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bundler/store.h"

struct witness;

struct record {
    struct store *store; /* NULL: none is kept */
    struct store_key key;
    char *output;                     /* absolute */
    uint8_t answer[FORMAT_HASH_SIZE]; /* of record_answer() */
    char *text;                       /* to be kept, by record_collect(); or NULL */
    size_t text_size;
};

/* question: all that decides what is built, but for the answer and for files. */
void record_open(struct record *ret, const char *question, const char *output);
void record_release(struct record *record);

/* What the application's Ruby has said. */
void record_answer(struct record *record, const char *answer);

/* Whether all is as it was; then *ret_size_bytes is the output's size. Else *ret_changed may be a
 * path at which something has changed, owned by the caller. */
bool record_holds(const struct record *record, uint64_t *ret_size_bytes, char **ret_changed);

/* Takes down what was looked at, and the complete output: before that gets its name, which changes
 * its directory, and under which another build may put its own. */
void record_collect(struct record *record, const struct witness *witness, int fd);

/* Keeps it, once the output is there. Without a word if it cannot: then the next build works. */
void record_write(const struct record *record);

/* Environment and machine, for the question: all but variables that change from one terminal to
 * the next. Owned by the caller. */
char *record_surroundings(void);
