/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The file that the app runs from: the bundle in it, and the snapshot of a capsule.
 */
#include <stdbool.h>
#include <stdint.h>

#include "common/format.h"

struct err;

struct capsule {
    int fd;
    uint64_t bundle_size;                /* bytes of stub and image */
    char hash[2 * FORMAT_HASH_SIZE + 1]; /* of the image */
    bool has_snapshot;
    uint64_t snapshot_offset;
    uint64_t snapshot_size;
    uint8_t snapshot_hash[FORMAT_HASH_SIZE];
};

/* E-BUNDLE when it is no bundle, E-SNAPSHOT when it is a damaged capsule. */
[[nodiscard]] bool capsule_open(struct capsule *ret, const char *path, struct err *err);
void capsule_release(struct capsule *capsule);

/* Whether a file begins as a program, and so may be a capsule. */
bool capsule_is(int fd);

/* E-SNAPSHOT when the snapshot's bytes are not those of the trailer's hash. */
[[nodiscard]] bool capsule_check(const struct capsule *capsule, struct err *err);

/* Appends the bundle at the position of fd. */
[[nodiscard]] bool capsule_copy_bundle(const struct capsule *capsule, int fd, struct err *err);

/* Appends the trailer for a snapshot at [offset, end of fd). */
[[nodiscard]] bool capsule_seal(int fd, uint64_t offset, struct err *err);
