/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Control files of zsync, by which AppImageUpdate, zsync and their like fetch of a new version only
 * the blocks that the old one does not have. The only file that knows libmd.
 *
 * A header of lines, an empty line, then for each block of the file its rsum and its MD4, both cut
 * to what a file of that size needs. Source: zsync 0.6.2, make.c and librcksum/rsum.c; the
 * technical paper beside it. No time is written: the same file gives the same bytes.
 */
#include <stdbool.h>
#include <stdint.h>

struct err;

struct zsync_input {
    int fd; /* of the file, read from 0 to its size */
    uint64_t size_bytes;
    const char *name; /* that the file gets where it is fetched: one component */
    const char *url;  /* of the file; may be relative to that of the control file */
};

/* Writes the control file to fd. E-NAME when name or url cannot be in it. */
[[nodiscard]] bool zsync_write(const struct zsync_input *input, int fd, struct err *err);
