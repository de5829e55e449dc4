/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The root file system of a container, made of a bundle's image: one layer of an OCI image (OCI
 * Image Format Specification, "Image Layer Filesystem Changeset"), as tar in gzip, which every
 * reader of such images has had from the beginning.
 *
 * It holds the image's tree as it is, owned by root, and places that a container needs beside it.
 * Links that lead out of the image end at the root here: not every library resolves ".." there as
 * the kernel does (SQLite before 3.41 does not).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/format.h"

struct bundle;
struct err;

/* Something that the tree gets if the image has nothing of that path. */
struct layer_place {
    const char *path; /* image path; what is above it comes before it */
    mode_t mode;      /* type and permissions */
    uint32_t owner;
    const char *text; /* a file's content, or a symlink's target */
};

struct layer {
    uint64_t size_bytes;                    /* compressed */
    int64_t mtime;                          /* of the image */
    char digest[2 * FORMAT_HASH_SIZE + 1];  /* SHA-256 of what was written */
    char diff_id[2 * FORMAT_HASH_SIZE + 1]; /* SHA-256 before compression */
};

/*
 * Writes the layer to fd. The same bundle and places give the same bytes. E-IMAGE when the image is
 * damaged, E-NAME when a name in it would mean something else in a layer (".wh.").
 */
[[nodiscard]] bool layer_write(const struct bundle *bundle, const struct layer_place *places,
                               size_t count, int fd, struct layer *ret, struct err *err);
