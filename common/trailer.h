/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The end of a capsule (struct format_trailer, docs/format.md): where its snapshot is.
 */
#include <stdbool.h>
#include <stdint.h>

#include "common/format.h"

struct err;

/*
 * Reads the trailer of a file of file_size bytes whose image ends at image_end; UINT64_MAX: nobody
 * knows where. *ret_found false when nothing at the end of the file looks like one. E-SNAPSHOT when
 * one is there that is damaged, of a later version, or does not fill what is behind the image.
 */
[[nodiscard]] bool trailer_read(int fd, uint64_t file_size, uint64_t image_end,
                                struct format_trailer *ret, bool *ret_found, struct err *err);

/* The trailer as it is written, for a snapshot with that hash. */
void trailer_make(struct format_trailer *ret, uint64_t snapshot_offset, uint64_t snapshot_size,
                  const uint8_t snapshot_hash[FORMAT_HASH_SIZE]);

/* BLAKE2b-256 of bytes [offset, offset + size) of fd. */
[[nodiscard]] bool trailer_hash(int fd, uint64_t offset, uint64_t size,
                                uint8_t ret[FORMAT_HASH_SIZE], struct err *err);
