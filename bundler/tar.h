/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Tar archives (POSIX.1-2017, pax, "ustar Interchange Format"), written as a stream.
 *
 * Not by libarchive, as snapshots are (runtime/keeper/tar.h): that converts names by the locale, or
 * marks every entry in a way that GNU tar warns of. Here names are the bytes of an image, and the
 * same entries give the same archive wherever it is written. A pax header stands only before an
 * entry that ustar has no room for.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

struct tar_entry {
    const char *path;    /* relative */
    const char *target;  /* of a symlink */
    mode_t mode;         /* type (file, directory, symlink) and permissions */
    uint64_t size_bytes; /* of a file; so many must follow by tar_data() */
    uint32_t owner;      /* number of user and group */
    int64_t mtime;
};

/* Takes bytes of the archive. */
typedef bool tar_sink(void *context, const void *data, size_t size, struct err *err);

struct tar {
    tar_sink *sink;
    void *context;
    uint64_t missing_bytes; /* of the entry's content */
    uint64_t done_bytes;
};

/* Begins an entry, after the one before is complete. Fails only as the sink does. */
[[nodiscard]] bool tar_entry(struct tar *tar, const struct tar_entry *entry, struct err *err);
/* Content of the entry, which is complete when it has its size. */
[[nodiscard]] bool tar_data(struct tar *tar, const void *data, size_t size, struct err *err);
/* Ends the archive. */
[[nodiscard]] bool tar_end(struct tar *tar, struct err *err);

/* A small file at once, owned by root. */
[[nodiscard]] bool tar_file(struct tar *tar, const char *path, const void *data, size_t size,
                            int64_t mtime, struct err *err);
