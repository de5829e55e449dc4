/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A file that is complete or not there at all.
 *
 * It is written without a name (O_TMPFILE) where the file system can: then a killed build, even by
 * SIGKILL, leaves nothing. Elsewhere it has a name from the start, which the ordinary signals
 * remove.
 */
#include <stdbool.h>
#include <sys/types.h>

struct err;

struct output {
    const char *path; /* borrowed */
    char *directory;
    char *scratch; /* name of the file while it is unfinished */
    int fd;        /* open for reading and writing */
    bool is_named; /* scratch exists in the file system */
};

/* E-OUTPUT when path is a directory or its directory cannot be written. To be released whatever
 * comes. */
[[nodiscard]] bool output_open(struct output *output, const char *path, struct err *err);

/* Syncs the file and renames it into its place, where it replaces what was there. E-OUTPUT,
 * E-SPACE. */
[[nodiscard]] bool output_publish(struct output *output, mode_t mode, struct err *err);

/* Its directory, too: then it is there after a power failure. */
[[nodiscard]] bool output_sync(const struct output *output, struct err *err);

/* Without output_publish(), nothing is left of it. */
void output_release(struct output *output);

/* Says what to do of an error of those who wrote into it: E-SPACE where no room was left. */
void output_explain(const char *path, struct err *err);
