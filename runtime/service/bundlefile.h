/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The file of a bundle, read as docs/format.md asks: nothing in it is believed before it is
 * checked, nothing of it is run.
 */
#include <stdbool.h>
#include <stdint.h>

#include "common/format.h"

struct err;

struct bundlefile {
    int fd;
    uint64_t header_offset;
    struct format_header header;         /* in this machine's byte order */
    char hash[2 * FORMAT_HASH_SIZE + 1]; /* of the image */
    bool has_snapshot;                   /* it is a capsule */
    uint64_t snapshot_offset;
    uint64_t snapshot_size;
};

/* Up to step 7 of "How a reader validates": E-BUNDLE, E-TRUNCATED; E-ARCH when it is for another
 * machine; E-SNAPSHOT when it is a damaged capsule. */
[[nodiscard]] bool bundlefile_open(struct bundlefile *ret, const char *path, struct err *err);

/* The file of a running bundle, of which the start was told that identity (NULL: nothing). E-BUNDLE
 * when another one has the name by now: what runs may have been checked, that was not. */
[[nodiscard]] bool bundlefile_open_own(struct bundlefile *ret, const char *path,
                                       const char *identity, struct err *err);
void bundlefile_release(struct bundlefile *file);

/* Appends stub and image to another file. */
[[nodiscard]] bool bundlefile_copy(const struct bundlefile *file, int to, struct err *err);

/* E-VERIFY when stub or image are not those of the header's hashes. */
[[nodiscard]] bool bundlefile_verify(const struct bundlefile *file, struct err *err);
