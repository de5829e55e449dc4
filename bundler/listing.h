/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The tree of an image with what each directory and file weighs in it (weight.h), for
 * `rucksack inspect --tree`.
 */
#include <stdbool.h>

struct err;
struct image;

/* On stdout, the heaviest first, names made visible. Depth 1 is what is in the root. E-IMAGE when
 * the image is damaged. */
[[nodiscard]] bool listing_print(struct image *image, unsigned int depth, struct err *err);
