/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The shared objects of a bundle, as its manifest tells them: for `rucksack deps`. Nothing of the
 * bundle runs, and its image is not searched again: the build did that, and refused to write a
 * bundle whose loader would find other files.
 */
#include <stdbool.h>

struct bundle;
struct err;
struct jdoc;

/* Each root and what recipes added, and below it what it needs, no object twice in one tree: "name
 * => /image/path (reason)". On stdout. */
[[nodiscard]] bool contents_print_tree(const struct bundle *bundle, struct err *err);

/* One image path a line, in the order of the manifest; NUL instead of newlines with is_null. */
[[nodiscard]] bool contents_print_list(const struct bundle *bundle, bool is_null, struct err *err);
