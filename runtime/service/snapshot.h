/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A snapshot to restore from: a file of its own, or what a capsule carries. What is in it the
 * keeper checks; here it is only found.
 */
#include <stdbool.h>
#include <stdint.h>

struct bundlefile;
struct err;

struct snapshot {
    int fd;
    uint64_t offset; /* bytes */
    uint64_t size;
};

/* E-SNAPSHOT when it is no regular file, or a bundle without a snapshot; what bundlefile_open()
 * fails with. */
[[nodiscard]] bool snapshot_open(struct snapshot *ret, const char *path, struct err *err);

/* The one of a capsule that is open already; path is for messages. */
[[nodiscard]] bool snapshot_take(struct snapshot *ret, const struct bundlefile *capsule,
                                 const char *path, struct err *err);
void snapshot_release(struct snapshot *snapshot);
