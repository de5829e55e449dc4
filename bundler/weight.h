/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What each component of a bundle weighs: a gem, a library, the time zones, the application. Told
 * by the paths of the image and its manifest, which names gems and libraries; an image without one,
 * as other tools make them, is told by its directories.
 *
 * What several files share is counted once: of files with the same bytes the first one has them,
 * and a fragment is divided among its tails by their sizes. Metadata of the image belongs to no
 * file.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct image;
struct jdoc;

struct weight {
    char *name;       /* "puma-8.0.2", "libcrypto.so.3", "usr/share/zoneinfo" */
    const char *part; /* as in the manifest: "runtime", "ruby", "gems", "libraries", "app" */
    uint64_t files;   /* regular ones */
    uint64_t bytes;   /* unpacked */
    uint64_t packed;  /* as stored in the image */
};

struct weights {
    struct weight *items; /* the heaviest first, as stored */
    size_t count;
};

/* manifest may be NULL. E-IMAGE when the image is damaged. */
[[nodiscard]] bool weights_read(struct weights *ret, struct image *image,
                                const struct jdoc *manifest, struct err *err);
/* Of each regular file, by its path. */
[[nodiscard]] bool weights_read_files(struct weights *ret, struct image *image, struct err *err);
void weights_release(struct weights *weights);

/* A list of them, as `rucksack inspect --json` has it. Owned by the caller. */
[[nodiscard]] struct jdoc *weights_json(const struct weights *weights);
