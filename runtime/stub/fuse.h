/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The kernel's side of a FUSE mount: requests from /dev/fuse, answered from an image.
 *
 * Protocol: linux/fuse.h (7.x), fs/fuse/dev.c; no libfuse. The image never changes, so the kernel
 * may keep whatever it learns: entries (absent ones too), attributes, symlinks, directories and
 * pages are valid for ever, and files need no open or release. Node ids are refs of sqfs.h plus 2,
 * the root is FUSE_ROOT_ID; nothing has to be remembered between requests.
 */
#include <stdbool.h>
#include <sys/types.h>

struct err;
struct fuse;
struct sqfs_image;

/*
 * Starts threads that answer. fd is an open /dev/fuse, blocking, that a mount belongs to; image and
 * fd stay the caller's, for the life of the process: the threads end with it. Where own_ids, all
 * files appear to belong to uid and gid rather than to the image's ids.
 */
[[nodiscard]] bool fuse_start(struct fuse **ret, int fd, struct sqfs_image *image, bool own_ids,
                              uid_t uid, gid_t gid, struct err *err);

/* Becomes readable, and stays so, when the mount is gone or the device failed: no request will ever
 * come again. */
int fuse_gone_fd(const struct fuse *fuse);
