/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Writing the image's files into a directory, and listing them.
 *
 * Nothing is written outside the target whatever the image says: names are single components,
 * every step is *at() with O_NOFOLLOW or O_EXCL, each directory inode is entered once, and depth
 * and count are limited.
 */
#include <stdbool.h>

struct err;
struct payload;
struct sqfs;

/*
 * Unpacks into the existing directory dir_fd. With pattern (fnmatch on the path in the image; a
 * directory that matches brings its subtree) only what matches; ERR_INPUT when nothing does.
 * Each path is printed after echo, unless that is NULL.
 */
[[nodiscard]] bool extract_tree(struct sqfs *fs, int dir_fd, const char *pattern, const char *echo,
                                struct err *err);

/* The image's paths on stdout, one a line. */
[[nodiscard]] bool extract_list(struct sqfs *fs, struct err *err);

/*
 * The image unpacked in the user's cache: once, then reused. *ret_root is the caller's. A place
 * that is noexec, full or not ours is passed over for the next.
 */
[[nodiscard]] bool extract_cached(const struct payload *payload, struct sqfs *fs, bool secure,
                                  char **ret_root, struct err *err);
