/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Files and directories, with errors that name them.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

struct err;

/* A regular file of at most max bytes, with a NUL behind it. Owned by the caller. */
[[nodiscard]] bool fs_read_file(const char *path, size_t max_bytes, char **ret_data,
                                size_t *ret_size, struct err *err);

/* Whether dir has a regular file of that name, or a link to one. */
bool fs_has_file(const char *dir, const char *name);

/* Writes all of it, whatever write(2) takes at once. */
[[nodiscard]] bool fs_write_all(int fd, const void *data, size_t size, struct err *err);

/* Whether all that was ever written to the stream has arrived: also what was let go before now, of
 * which fflush() says nothing. name is for the error: "standard output". */
[[nodiscard]] bool fs_flush(FILE *stream, const char *name, struct err *err);

/* Makes path a file of these bytes in one step, written beside it (path.new), on disk before it is
 * renamed. On failure what was there is as it was. */
[[nodiscard]] bool fs_put_file(const char *path, const void *data, size_t size, mode_t mode,
                               struct err *err);

/* The path as a person here would write it: without the working directory where it is below that.
 * Both are compared as text. A part of path. */
[[nodiscard]] const char *fs_shown(const char *path);

/* Makes the directory and those above it; existing ones are fine. */
[[nodiscard]] bool fs_mkdir_p(const char *path, mode_t mode, struct err *err);

/* Removes name in dirfd with all that is below it. Symlinks are removed, never followed. */
[[nodiscard]] bool fs_remove_tree(int dirfd, const char *name, struct err *err);
