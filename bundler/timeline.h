/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What a start of the bundle reads, in its order: the boot profile (FORMAT_PROFILE), told with the
 * sizes that the image says. For the page of `rucksack inspect`.
 */
struct err;
struct image;
struct jdoc;

/*
 * An array of objects: path, bytes, read (whether the contents are needed, or it is only opened);
 * empty where there is no profile. To be freed with jdoc_free(); NULL and E-IMAGE when the image or
 * its profile is damaged.
 */
[[nodiscard]] struct jdoc *timeline_of(struct image *image, struct err *err);
