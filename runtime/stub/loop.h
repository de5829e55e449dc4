/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The kernel's squashfs through a loop device: for root only, without any process of ours.
 *
 * The loop device clears itself (LO_FLAGS_AUTOCLEAR) with the last user of the mount, and a private
 * mount namespace ends with its last process: nothing can be left behind.
 *
 * The device reads the file through the page cache. Direct I/O would keep the encoded bytes out of
 * memory, which the kernel reclaims first anyway, but doubles the time of the mount (measured: 0.5
 * to 1.1 ms): its first reads go to the disk.
 */
#include <stdbool.h>

struct err;
struct payload;
struct place;

/*
 * Mounts the image at place->root. isolated: in a mount namespace of our own, in which the place's
 * directory is a tmpfs, so that nothing appears on the host; else in the caller's.
 * Nothing has happened to the process when it fails before the namespace is entered; later failures
 * are undone as far as possible.
 */
[[nodiscard]] bool loop_mount(const struct payload *payload, const struct place *place,
                              bool isolated, struct err *err);

/* A mount namespace of our own, in which a tmpfs hides the place; root and m are made in it. */
[[nodiscard]] bool loop_hide_place(const struct place *place, struct err *err);
