/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Whether a directory tree is still used, as the kernel would know it of a mount (EBUSY).
 *
 * For trees that are no mount nobody counts, so /proc is searched: programs, working and root
 * directories, open files and mappings (proc(5)). Processes of other users cannot be looked into
 * and do not count.
 */
#include <stdbool.h>

/* path: absolute, without symlinks. The calling process does not count. */
[[nodiscard]] bool inuse_tree(const char *path);
