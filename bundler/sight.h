/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What is at a path, as a hash: equal as long as whoever looks there sees the same.
 *
 * Contents are not read. A file is told by device, inode, size, mode, owner and both times, as make
 * and git do; the change time (inode(7)) cannot be set, so an edit shows whatever the editor does,
 * unless it falls into the tick of the clock in which the file was read: sight_is_settled().
 */
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

enum sight_kind {
    SIGHT_FILE = 'f',    /* stat(2): of what is no regular file only type, mode and owner count */
    SIGHT_LINK = 'l',    /* lstat(2) */
    SIGHT_DIR = 'd',     /* the names in it */
    SIGHT_REAL = 'r',    /* realpath(3) */
    SIGHT_PATTERN = 'g', /* pattern.h */
};

enum { SIGHT_SIZE = 16 };

struct sight {
    uint8_t hash[SIGHT_SIZE];
    struct timespec changed; /* change time; 0 where there is none */
};

/* Of SIGHT_DIR the directory as such: as long as that is the same, so are the names in it. */
void sight_see(enum sight_kind kind, const char *path, struct sight *ret);

/* The names in a directory with their types, without the one path that the build makes itself. */
void sight_list(const char *dir, const char *without, struct sight *ret);

/* Whether both saw the same: by the hash. */
bool sight_equals(const struct sight *a, const struct sight *b);

/* Whether what was changed then is old enough that a later change cannot have the same time. */
bool sight_is_settled(const struct sight *sight, const struct timespec *begun);
