/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The ways to make the image a directory, in the order they are tried:
 *
 *     kernel      root: squashfs on a loop device in a mount namespace of our own; no server, and
 *                 the kernel takes everything away with the last process
 *     fuse        root: /dev/fuse opened and mounted directly
 *     fusermount  user: mounted by the setuid helper
 *     userns      user: mounted in a user namespace of our own, where setuid programs don't work
 *     extract     unpacked once, kept (see extract.h)
 *
 * All mounts are read-only, nosuid, nodev and for the mounting user only.
 */
#include <stdbool.h>

struct err;
struct payload;
struct sqfs;

enum mount_way {
    MOUNT_KERNEL,
    MOUNT_FUSE,
    MOUNT_FUSERMOUNT,
    MOUNT_USERNS,
    MOUNT_EXTRACT,
    MOUNT_WAYS,
};

struct mount_request {
    const struct payload *payload;
    struct sqfs *fs;
    int only;     /* an enum mount_way, or -1: all in order */
    bool visible; /* others must see the mount (--appimage-mount): no private namespace */
    bool secure;  /* setuid start: variables are not looked at */
};

struct mount {
    char *root;             /* where the image is */
    enum mount_way way;     /* how */
    int lock_fd;            /* close-on-exec: keeps the mount until exec; or -1 */
    const char *fusermount; /* see lifetime_unmount() */
};

/* -1 when there is no such way. */
int mount_way_named(const char *name);

/* On failure the message names every way that was tried, and why it failed. */
[[nodiscard]] bool mount_image(const struct mount_request *request, struct mount *ret,
                               struct err *err);
void mount_release(struct mount *mount);
