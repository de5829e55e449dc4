/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * How far something is that takes long: one line on stderr, drawn over and over, on a terminal
 * only. With report.h the next line of a phase takes its place.
 *
 *     image    #########-------------   41 %   11.2 MB of 27.3 MB   9.8 MB/s   2 s left
 *     check    it starts in an empty root, 3 s
 */
#include <stdbool.h>
#include <stdint.h>

struct report;
struct progress;

/* NULL where nothing is to be drawn: all others take that, too. total_bytes 0: it is not known, and
 * what counts is the time, which a thread of its own shows. The texts are the caller's. */
[[nodiscard]] struct progress *progress_begin(const struct report *report, const char *phase,
                                              const char *what, uint64_t total_bytes);

/* context: a struct progress. So much is done. */
void progress_step(uint64_t done_bytes, void *context);

/* Takes the line away. */
void progress_end(struct progress *progress);
