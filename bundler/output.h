/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A file that is complete or not there at all.
 *
 * It is written without a name (O_TMPFILE) where the file system can: then a killed program, even
 * by SIGKILL, leaves nothing. Elsewhere it has a scratch name beside its place from the start,
 * which the ordinary signals remove (common/unfinished.h).
 */
#include <stdbool.h>
#include <sys/types.h>

struct err;

struct output {
    const char *path; /* the caller's, where it will be */
    char *directory;
    char *scratch; /* name of the file while it is unfinished */
    int fd;        /* open for reading and writing */
    bool is_named; /* scratch exists in the file system */
};

/* E-OUTPUT when path is a directory or its directory cannot be written, E-SPACE. */
[[nodiscard]] bool output_open(struct output *ret, const char *path, struct err *err);

/* The same, of what is made from the file fd: E-OUTPUT when it would take that one's place. */
[[nodiscard]] bool output_open_beside(struct output *ret, const char *path, int fd,
                                      struct err *err);

/* Syncs it and gives it its name, in the place of whatever had it, with that mode. */
[[nodiscard]] bool output_publish(struct output *output, mode_t mode, struct err *err);

/* Takes one that has no place away. */
void output_release(struct output *output);

/* Gives a failed write to path its name, and where it was for want of room E-SPACE and a hint.
 * Returns false. */
bool output_explain(const char *path, struct err *err);
