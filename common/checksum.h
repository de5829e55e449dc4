/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * XXH3 with 64 bits of output (xxHash, doc/xxhash_spec.md): notices accidents, at the speed of
 * memory. No defence against malice: for that there are the BLAKE2b hashes. The only file that
 * knows xxHash.
 */
#include <stdbool.h>
#include <stdint.h>

struct err;

/*
 * The checksum of bytes [0, end) of fd, those of [zero_from, zero_to) read as zero: a file that
 * holds its own checksum. Ranges are in order; the file position is left alone. ERR_SYSTEM when a
 * read fails, ERR_INPUT when the file ends before.
 */
[[nodiscard]] bool checksum_file(int fd, uint64_t zero_from, uint64_t zero_to, uint64_t end,
                                 uint64_t *ret, struct err *err);
