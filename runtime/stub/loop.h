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
 * Mounts the image at place->root. isolated: the place is one of hidden.h, which is entered; else
 * the mount is made in the caller's namespace.
 * Nothing has happened to the process when it fails before the namespace is entered; later failures
 * are undone as far as possible.
 */
[[nodiscard]] bool loop_mount(const struct payload *payload, const struct place *place,
                              bool isolated, struct err *err);
