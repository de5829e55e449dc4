/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What a build looks at: every path that this thread asks the system for is noted, with what was
 * there, so that a later build can tell whether anything has changed (bundler/record.h).
 *
 * The linker leads the calls of our own code and of the libraries in the tool through here (ld(1),
 * --wrap; the list is in the Makefile), so no phase can forget to say what it read. Calls inside
 * libc are covered by their entry: scandir(3), realpath(3), fopen(3). What other processes
 * read is not seen: their caller says it with witness_file(), or asks them again. A look for which
 * there is no memory ends the program (xalloc.h): it must not seem that nothing is there.
 *
 * Left out are /proc, /sys and /dev, files that are opened for writing, and what lies where
 * witness_ignore() says.
 */
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "bundler/sight.h"

/* One look. path: absolute, as it was asked for; of SIGHT_PATTERN the pattern. */
struct witness_note {
    enum sight_kind kind;
    char *path;
    struct sight sight; /* when it was asked for first */
};

struct witness {
    struct witness_note *notes; /* no kind and path twice; not sorted */
    size_t count;
    size_t capacity;
    size_t *slots; /* private */
    size_t slot_count;
    char *cwd;
    struct timespec begun; /* by the clock of file times */
};

/* From now on this thread's looks are noted in it, until witness_end(). One at a time. */
void witness_begin(struct witness *witness);
void witness_end(void);
/* Looks in between are none of the build's inputs: false, and then true again. */
void witness_listen(bool listens);
void witness_release(struct witness *witness);

/* That file, or its absence, matters: a program that is started, say. No-op without a witness. */
void witness_file(const char *path);
/* All that lies below that directory, symlinks not followed. */
void witness_tree(const char *path);

/* What lies below that directory, or is that file, is of the build's own making. For the rest of
 * the process; absolute. */
void witness_ignore(const char *path);
