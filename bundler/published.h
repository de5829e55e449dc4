/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A gem as it was published, for `rucksack build --gem`: installed into a gem home of its own below
 * the cache directory, which stays there for the next build and can be deleted at any time.
 */
#include <stdbool.h>

struct err;

struct published {
    char *name; /* "rubocop" */
    char *home; /* gem home that has it; owned */
};

/* wanted: NAME or NAME@VERSION. E-GEM when it is no name, or cannot be installed. */
[[nodiscard]] bool published_install(struct published *ret, const char *wanted, struct err *err);
void published_release(struct published *published);
