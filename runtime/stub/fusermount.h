/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The setuid helper that mounts FUSE for users: fusermount3, or fusermount.
 *
 * Protocol (libfuse, util/fusermount.c): the helper gets one end of a socket pair by number in
 * _FUSE_COMMFD, mounts, and sends the open /dev/fuse through it. It is simply tried: wrappers on
 * NixOS, Guix and Gentoo answer neither to stat nor to --version.
 */
#include <stdbool.h>
#include <sys/types.h>

struct err;

/*
 * Whether the helper could take a mount at dir, where nothing is mounted yet, down again. For users
 * it reads /etc/mtab and wants their name: without either it mounts, and the mount would stay for
 * ever.
 */
[[nodiscard]] bool fusermount_check(const char *program, const char *dir, struct err *err);

/* program: what FUSERMOUNT_PROG names, or NULL for the usual names in PATH. */
[[nodiscard]] bool fusermount_mount(const char *program, const char *root, int *ret_fd,
                                    struct err *err);

/* Starts the helper to unmount; the caller waits for it. -1 when there is no process. */
pid_t fusermount_start_unmount(const char *program, const char *root, bool lazy);

/* For a mount whose server died: detaches it and waits for that. */
[[nodiscard]] bool fusermount_detach(const char *program, const char *root, struct err *err);
