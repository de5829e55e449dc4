/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * One round of the FUSE protocol (linux/fuse.h, 7.x) for a squashfs image, without libfuse.
 *
 * Node ids are inode references, so there is no table to keep and FORGET needs no work. The image
 * never changes: the kernel may cache names, attributes and data for good.
 */
#include <stdbool.h>

struct err;
struct fuse;
struct sqfs;

enum fuse_event {
    FUSE_EVENT_SERVED,  /* one request answered, or nothing to do */
    FUSE_EVENT_IDLE,    /* nothing waits; poll the descriptor */
    FUSE_EVENT_UNMOUNT, /* the mount is gone */
};

/*
 * fd is an open, mounted /dev/fuse, made non-blocking here; it stays the caller's, as does fs.
 * With own_ids every file belongs to the caller: the image's owners mean nothing to a plain user.
 */
[[nodiscard]] bool fuse_new(struct fuse **ret, int fd, struct sqfs *fs, bool own_ids,
                            struct err *err);
void fuse_free(struct fuse *fuse);

enum fuse_event fuse_serve(struct fuse *fuse);
