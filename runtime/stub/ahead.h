/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Read-ahead: decodes what a sequential reader will ask for next, while it is busy with what it
 * has.
 *
 * The kernel asks for one window of a file in advance and knows nothing of the next file. Here a
 * thread decodes the next block of a file that is read from front to back, and, where files are
 * read in the order in which the image holds them (a start does that, a copy too), the next file's
 * first block. A reader that jumps causes nothing.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ahead;
struct sqfs_image;

/* NULL when there is no thread to be had, or one processor only: it is a luxury. The thread ends
 * with the process. */
struct ahead *ahead_start(struct sqfs_image *image);

/* A request that is about to be answered. ahead may be NULL. */
void ahead_note(struct ahead *ahead, uint64_t ref, uint64_t offset, size_t size);
