/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * How far it is, on standard error when that is a terminal; nothing elsewhere.
 */
#include <stdbool.h>
#include <stdint.h>

struct progress {
    const char *what; /* "backup" */
    uint64_t total_bytes;
    uint64_t done_bytes;
    uint64_t shown_ms;
    bool is_shown;
};

/* what: borrowed until progress_end(). add counts bytes that are done. */
void progress_begin(struct progress *progress, const char *what, uint64_t total_bytes);
void progress_add(struct progress *progress, uint64_t bytes);
void progress_end(struct progress *progress); /* wipes the line */

/* "12.3 MB" */
enum { PROGRESS_SIZE = 24 };
void progress_size(uint64_t bytes, char ret[PROGRESS_SIZE]);
