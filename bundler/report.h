/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What a long command says while it works: one line per phase on stderr. Results are not its
 * business: they go to stdout.
 *
 *     ruby     3.1.2 from /usr/bin/ruby3.1                8.7 MB
 *
 * On a terminal phases are bold and warnings coloured. Where CI is set, every line begins with the
 * time, as 2026-11-28T23:01:22Z; but on GitHub, whose runner does that itself, and where warnings
 * become annotations (annotation.h).
 */
#include <stdbool.h>
#include <stdint.h>

struct report {
    bool quiet;
    bool verbose; /* details, too */
};

/* right may be NULL. Control characters in left are shown as '?'. */
void report_phase(const struct report *report, const char *phase, const char *left,
                  const char *right);

/* A decision that only who asked for all of them wants to see. */
void report_detail(const struct report *report, const char *phase, const char *left,
                   const char *right);

/* "8.7 MB"; owned by the caller. */
[[nodiscard]] char *report_size(uint64_t bytes);
