/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The current directory's path, of any length.
 *
 * getcwd(2) ends at one page; a longer path is put together from the names of the directories
 * above.
 */

/* On the heap; NULL when the directory is gone, or one above it cannot be read. */
char *cwd_path(void);
