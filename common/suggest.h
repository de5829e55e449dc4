/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * "did you mean": the known name nearest to a mistyped one, by Levenshtein distance.
 *
 *     struct suggest suggest = suggest_begin(typed);
 *     suggest_offer(&suggest, "build");        once for each known name
 *     suggest.nearest                          NULL when none is near
 */
#include <stddef.h>

struct suggest {
    const char *typed;
    const char *nearest; /* one of those offered; borrowed */
    size_t distance;     /* private */
};

struct suggest suggest_begin(const char *typed);
void suggest_offer(struct suggest *suggest, const char *known);
