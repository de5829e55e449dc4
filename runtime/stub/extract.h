/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * From the image to ordinary files.
 *
 * Nothing is written outside the target: names are single components (sqfs.h), every directory is
 * opened relative to its parent without following symlinks, and what is in the way is replaced,
 * never written through. Hostile trees end: a directory that occurs twice (a loop, or a tree that
 * doubles at each level) is an error.
 */
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct err;
struct sqfs_image;

enum { EXTRACT_DEPTH_MAX = 512 };

struct extract_options {
    const char *pattern; /* fnmatch(3) on the path below the root; NULL: everything */
    FILE *names;         /* every entry is printed as target/path, one a line; NULL: none is */
    const char *target;  /* for names only */
    const volatile sig_atomic_t *stop; /* ends the work when it becomes true; may be NULL */
    /* For a tree to run from: no set-user-id bits, devices or xattrs; its directories are open to
     * their owner. */
    bool plain;
};

/*
 * Unpacks into the directory target_fd. Modes, times, symlinks and hard links are kept; devices,
 * FIFOs, sockets, and extended attributes of files and directories, where permitted. *ret_count
 * (may be NULL): matched entries.
 */
[[nodiscard]] bool extract_tree(struct sqfs_image *image, int target_fd,
                                const struct extract_options *options, size_t *ret_count,
                                struct err *err);

/* Prints every path below the root, one a line. */
[[nodiscard]] bool extract_list(struct sqfs_image *image, FILE *out, struct err *err);
