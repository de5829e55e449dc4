/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Starting programs of the bundle: always through the bundled loader, always in place (same pid,
 * tty, signals and descriptors).
 */
#include <stdbool.h>

struct bundle;
struct err;

/*
 * Becomes the program or script that stands at the image path, with argv[1...] as its arguments.
 * Returns only on failure; ERR_INPUT when nothing is known by that path.
 */
[[nodiscard]] bool start_image_path(const struct bundle *bundle, const char *image_path,
                                    char *const argv[], struct err *err);

/*
 * Becomes the command: one of the bundle's by name, else whatever PATH finds. Returns only on
 * failure, with sys_errno ENOENT when there is no such command.
 */
[[nodiscard]] bool start_command(const struct bundle *bundle, char *const argv[], struct err *err);
