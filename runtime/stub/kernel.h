/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Mounting by the kernel's own squashfs.
 */
#include <stdbool.h>
#include <stdint.h>

struct err;
struct place;

/*
 * Mounts the squashfs at offset_bytes of file fd on place->root. With private, in a new mount
 * namespace, on a small tmpfs over place->dir: the host sees an empty directory. Nothing has
 * happened to this process when it fails before the namespace is made, which is where it fails.
 */
[[nodiscard]] bool kernel_mount(struct place *place, int fd, uint64_t offset_bytes, bool private,
                                struct err *err);
