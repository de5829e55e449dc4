/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A FUSE mount made with mount(2): for whoever may mount.
 */
#include <stdbool.h>

struct err;

/*
 * Mounts at root, readable by the effective user only. *ret_fd is the open /dev/fuse: nothing is
 * answered until something serves it. ERR_SYSTEM says which of open and mount was refused.
 */
[[nodiscard]] bool device_mount(const char *root, int *ret_fd, struct err *err);
