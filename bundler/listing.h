/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The tree of a bundle's image with what each directory and file weighs in it (weight.h), for
 * `rucksack inspect --tree`. Also of an image without a manifest.
 */
#include <stdbool.h>

struct bundle;
struct err;

/* On stdout, the heaviest first, names made visible. Depth 1 is what is in the root. E-IMAGE when
 * the image is damaged. */
[[nodiscard]] bool listing_print(const struct bundle *bundle, unsigned int depth, struct err *err);
