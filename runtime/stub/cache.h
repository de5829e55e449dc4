/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The image unpacked once, to run from ordinary files where nothing can be mounted.
 *
 * A tree is unpacked beside its final name and renamed when it is complete and on disk; the place's
 * lock makes two starts wait for each other. A tree of that name that is ours is complete.
 */
#include <stdbool.h>

#include "runtime/stub/place.h"

struct err;
struct sqfs_image;

/*
 * Makes the tree, or finds it, and registers the calling process as its user. A place that is
 * read-only, full or noexec leads to the next one; err names each. A damaged image does not.
 */
[[nodiscard]] bool cache_unpack(struct sqfs_image *image, enum place_kind kind, const char *key,
                                bool trusted, struct place *ret, struct err *err);
