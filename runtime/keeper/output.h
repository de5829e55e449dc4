/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A file that is complete or not there at all. Until it is published it has no name where the file
 * system can do without (O_TMPFILE), so that nothing is left even by SIGKILL; elsewhere a scratch
 * name, which the next one for that path removes.
 */
#include <stdbool.h>
#include <sys/types.h>

struct err;

struct output {
    int fd;
    char *directory;
    char *path;    /* where it will be; NULL: nowhere, it is only streamed */
    char *scratch; /* a name beside it */
    bool is_named; /* the scratch name exists */
};

/* Opens for reading and writing, with mode 0600. path NULL: a file without a name in directory.
 * E-OUTPUT, E-SPACE, E-WRITE. */
[[nodiscard]] bool output_open(struct output *ret, const char *directory, const char *path,
                               struct err *err);

/* Syncs it and gives it its name, in the place of whatever had it. */
[[nodiscard]] bool output_publish(struct output *output, mode_t mode, struct err *err);
void output_release(struct output *output);

/* Give a failed write its id and hint: E-SPACE when that was the reason, else E-OUTPUT, or E-WRITE
 * of the state directory, which no option names. Return false. */
bool output_explain(const char *path, struct err *err);
bool output_explain_state(const char *dir, struct err *err);
