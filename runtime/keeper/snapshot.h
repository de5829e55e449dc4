/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A snapshot as a file (docs/format.md): a tar archive in Zstandard frames, the manifest first.
 *
 * What a file's hash is shows only when it is read, and a file is read once: so room is left for
 * the manifest, which gets a frame of its own there in the end; a skippable one fills the rest.
 */
#include <stdbool.h>
#include <stdint.h>

struct err;
struct inventory;
struct manifest;
struct progress;
struct site;

struct snapshot_input {
    const struct site *site;
    const struct inventory *inventory;
    const char
        *copies; /* directory of the databases' copies, called by their index in the manifest */
    struct progress *progress;
};

/*
 * Appends it at the end of fd, which is open for reading and writing. The manifest lists
 * everything; sizes and hashes are filled in, and files that have vanished are taken out. E-READ
 * when a file changes too much while it is read.
 */
[[nodiscard]] bool snapshot_write(const struct snapshot_input *input, int fd,
                                  struct manifest *manifest, struct err *err);
