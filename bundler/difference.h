/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What differs between two bundles, as one JSON document (schema in docs/format.md): name, Ruby,
 * gems, libraries, files and what each component weighs. Nothing of either runs.
 *
 * Both are hostile: their manifests may say of a gem what they like, but files are compared by
 * their bytes, and sizes come from the images.
 */
#include <stdbool.h>

struct bundle;
struct err;
struct jdoc;

/* NULL with err when one of them is damaged. To be freed with jdoc_free(). */
[[nodiscard]] struct jdoc *difference_of(const struct bundle *before, const struct bundle *after,
                                         struct err *err);
