/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * All that the manifest of a bundle tells people, however long that is: `rucksack inspect --all`.
 * On stdout; no string of the bundle reaches the terminal before it was made visible.
 */
struct bundle;
struct jdoc;

/* manifest: of that bundle, as manifest_read() gives it. */
void details_print(const struct bundle *bundle, const struct jdoc *manifest);

/* Its one line of the newest file. */
void details_print_time(const struct jdoc *manifest);
