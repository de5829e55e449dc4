/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Whether a directory tree is still used, as the kernel would know it of a mount (EBUSY).
 *
 * For trees that are no mount nobody counts. The kernel grants a write lease (fcntl(2)) only on a
 * file that nobody has open or mapped or runs, in whatever namespace: each file is tried. /proc
 * knows of programs, working and root directories, open files and mappings (proc(5)), of processes
 * of this user in this namespace; others cannot be looked into. What was read and closed again is
 * not seen by either.
 */
#include <stdbool.h>

/* path: absolute, without symlinks. The calling process does not count. True also when neither can
 * tell: there is no /proc, and the file system has no leases. A tree that is not there is unused.
 */
[[nodiscard]] bool inuse_tree(const char *path);
