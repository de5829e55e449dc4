/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * "did you mean": the known name nearest to a mistyped one, by Levenshtein distance.
 *
 *     struct suggest suggest = suggest_begin(typed);
 *     suggest_offer(&suggest, "build");        once for each known name
 *     suggest.nearest                          NULL when none is near
 *
 * Near is what two letters more, less or other make of it, but not where that is all of it. What
 * follows a '=' is a value, and does not count.
 */
#include <stdbool.h>
#include <stddef.h>

struct err;

struct suggest {
    const char *typed;
    const char *nearest; /* one of those offered; borrowed */
    size_t distance;     /* private */
};

/* Both borrow: typed and known outlive it. */
struct suggest suggest_begin(const char *typed);
void suggest_offer(struct suggest *suggest, const char *known);

/* The hint "did you mean '...'?", or the other one where none is near (NULL: no hint). False. */
bool suggest_hint(const struct suggest *suggest, const char *otherwise, struct err *err);
