/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The server process: serves the mount, and ends with it.
 *
 * It belongs to nobody: forked twice, in a session of its own, without any inherited descriptor, so
 * that neither a wait(), a hang-up nor a pipe of the app ever meets it. It watches the first
 * process; once that has ended it tries a plain unmount, which the kernel refuses (EBUSY) while
 * anything still uses the image. After success, or an unmount by somebody else, it serves on until
 * the kernel says that nothing is left of the mount: copies of it may live in other mount
 * namespaces. Then it removes the place. It never detaches a mount that is in use.
 *
 * A server starts before its place has directories, and has a guard (guard.h) that does
 * the same should the server be killed: whoever of the three is killed, one that is left cleans up.
 * Where all are, the next server of any image does (sweep.h). Not guarded is a mount in a namespace
 * of the app's own, which goes with it.
 *
 * All are at once where a pid namespace ends (process_ends_all()): then only a mount in a namespace
 * that ends, too, leaves nothing. A user who may not make one (user namespaces are forbidden) has
 * fusermount: its mount is left dead with its directories, for the next start. Nothing of ours can
 * outlive the namespace (zap_pid_ns_processes(), kernel/pid_namespace.c), the kernel takes a mount
 * away with its mount namespace only, a directory that was removed cannot be mounted on
 * (dont_mount()) and one that is mounted on here cannot be removed (EBUSY in vfs_rmdir()); a
 * detached mount has no path that realpath(3) could return.
 *
 * A place can have several servers: one for each mount namespace that shares its directory but not
 * its mounts. Each holds a shared lock on the directory (flock(2)), and the last one removes it,
 * for rmdir(2) would detach what is mounted on it elsewhere.
 */
#include <stdbool.h>
#include <sys/types.h>

struct err;
struct place;
struct sqfs_image;

enum lifetime_unmount {
    LIFETIME_NAMESPACE, /* the mount dies with the app's mount namespace */
    LIFETIME_DIRECT,    /* umount2(2) */
    LIFETIME_HELPER,    /* fusermount -u */
    LIFETIME_TREE,      /* no mount: the unpacked tree is removed when no file of it is open */
    LIFETIME_CACHE,     /* no mount: the tree is kept, but removed if it is not completed */
};

struct lifetime {
    struct place *place;      /* its lock may be held by the caller; with a socket it need only be
                               * chosen, and is made before anything is sent */
    struct sqfs_image *image; /* NULL with fd and socket -1 */
    int image_fd;
    int fd;     /* /dev/fuse, or -1 */
    int socket; /* where it will arrive, or -1; closed without it: there is nothing to serve, but
                 * perhaps a mount to take down. Of a tree: where a bare message says that it is
                 * complete; closed without one: it was given up */
    enum lifetime_unmount unmount;
    const char *helper; /* as fusermount.h's program */
    bool own_ids;
    /*
     * The server shares our memory instead of copying it, until we execute the app: a copy costs a
     * page fault for each page that either of us writes. For a caller that then does nothing but
     * mount and execute: it must leave place and image as they are, and on a failure call
     * lifetime_cancel() before it frees them or makes namespaces (unshare(2) refuses to make one of
     * users for who shares memory).
     */
    bool shares_memory;
};

/* Starts the server for the calling process as first process. */
[[nodiscard]] bool lifetime_start(const struct lifetime *lifetime, struct err *err);

/* Tells the server that waits at the other end of the socket that there is nothing to serve, nor to
 * take down; that of a tree, that this is complete. */
void lifetime_dismiss(int socket);

/* Ends the server that waits at the other end of the socket, which then shares nothing with us.
 * What there is to take down it still does. */
void lifetime_cancel(int socket);

/* For the first process itself: unmounts now, if nothing else uses the mount. The rest is left to
 * the server. */
void lifetime_end_early(struct place *place, enum lifetime_unmount unmount, const char *helper);
