/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The server process of a mount: how it starts, and when it ends.
 *
 * It watches the process that started it (which becomes the app). When that is gone it tries a
 * *plain* unmount; EBUSY means that somebody still uses the image, and it tries again later. So
 * nothing depends on an inherited descriptor: an app may close all of its own, or daemonize.
 *
 * `<dir>/lock` (flock) keeps starting and ending apart: a starter holds it until its exec, the
 * server takes it before it unmounts and keeps it until the directories are gone. A starter that
 * finds the mount alive joins it and touches the lock: between its exec and the moment its script
 * interpreter opens AppRun nothing else shows that the mount is in use. A shared flock on the
 * directory itself says that a server uses it, in whatever mount namespace its mount is.
 */
#include <stdbool.h>

struct err;
struct place;
struct sqfs;

struct lifetime {
    const struct place *place;
    struct sqfs *fs;
    int image_fd;           /* what fs reads */
    int fuse_fd;            /* mounted /dev/fuse, or -1: comes over socket_fd (SCM_RIGHTS) */
    int socket_fd;          /* or -1 */
    bool unmounts;          /* false: the mount dies with the app's namespace */
    const char *fusermount; /* program that unmounts, or NULL: umount2(2) */
};

/* The lock of place, whose directory is made; close-on-exec. Waits at most ten seconds. */
[[nodiscard]] bool lifetime_lock(struct place *place, int *ret_fd, struct err *err);

/* Starts the server: no child of ours, none of our descriptors. */
[[nodiscard]] bool lifetime_spawn(const struct lifetime *lifetime, struct err *err);

/* Runs program; its errors go to stderr_fd (above 2), or nowhere for -1. Its exit code, or -1. */
int lifetime_run(const char *program, char *const argv[], int stderr_fd);

/* The descriptor that comes over socket (SCM_RIGHTS), or -1. */
int lifetime_receive(int socket);

/* umount2(2) or `fusermount -u`. With lazy also when it is in use (for a dead mount). */
bool lifetime_unmount(const char *root, const char *fusermount, bool lazy);
