/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A snapshot that is read: found in a file, a capsule or a pipe, its manifest first. All of it is
 * hostile until it has been compared with the manifest, and the manifest is a claim.
 */
#include <stdbool.h>
#include <stdint.h>

#include "runtime/keeper/manifest.h"
#include "runtime/keeper/tar.h"

struct err;
struct zreader;

struct reading {
    int fd;
    struct zreader *zstd;
    struct tar_reader *tar;
    struct manifest manifest;
};

/* path "-" is standard input. E-SNAPSHOT when it is none; of a capsule the whole hash is compared.
 */
[[nodiscard]] bool reading_open(struct reading *ret, const char *path, struct err *err);

/* The same of a tar archive that comes from anywhere. */
[[nodiscard]] bool reading_begin(struct reading *ret, tar_source *source, void *context,
                                 struct err *err);
void reading_close(struct reading *reading);
