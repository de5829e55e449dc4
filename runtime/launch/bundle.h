/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The image as the launcher sees it: where it is, and its launch file.
 */
#include <stdbool.h>
#include <stddef.h>

#include "common/launchfile.h"

struct err;

struct bundle {
    char *root;       /* absolute, no '/' at the end; "" when the image is the root directory */
    const char *self; /* image path of the running program: "AppRun", "usr/bin/ruby3.1" */
    struct launchfile_record *records;
    size_t count;
    char *self_path; /* what root and self are cut from; private */
    char *text;      /* what the records point into; private */
};

/*
 * Finds the image by the running executable's own path: the nearest directory above it that holds
 * FORMAT_LAUNCH. Never by the environment: that is anybody's.
 */
[[nodiscard]] bool bundle_open(struct bundle *ret, struct err *err);
void bundle_release(struct bundle *bundle);

/* The first record with this key and, unless first is NULL, this first value; NULL when none. */
const struct launchfile_record *bundle_find(const struct bundle *bundle, const char *key,
                                            const char *first);

/* "<root>/<image path>" on the heap. */
[[nodiscard]] char *bundle_path(const struct bundle *bundle, const char *image_path);
