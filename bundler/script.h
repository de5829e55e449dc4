/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Scripts: which program the kernel starts for one (Linux fs/binfmt_script.c), and, where that is
 * env(1), which program env starts.
 */

/* The absolute path of the program; NULL when the file is no script or the program is not found.
 * Owned by the caller. */
[[nodiscard]] char *script_program(const char *path);
