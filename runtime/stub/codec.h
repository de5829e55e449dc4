/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Decompression of one squashfs block.
 *
 * Only gzip (zlib streams) and zstd are linked: nearly all images in the field use them, and the
 * other codecs cost size (xz, lz4) or a licence (lzo).
 */
#include <stdbool.h>
#include <stddef.h>

/* Values of the superblock's compression field (squashfs format, "Compression"). */
enum codec {
    CODEC_GZIP = 1,
    CODEC_LZMA = 2,
    CODEC_LZO = 3,
    CODEC_XZ = 4,
    CODEC_LZ4 = 5,
    CODEC_ZSTD = 6,
};

/* A name for messages; "unknown" for values that squashfs does not define. */
const char *codec_name(unsigned int codec);

[[nodiscard]] bool codec_supported(unsigned int codec);

/*
 * Decodes src into dst, at most size bytes, and stores how many came out. False on damaged input,
 * on output that does not fit and when out of memory: callers report an I/O error for all three.
 * Not thread-safe: one decoder state is kept between calls.
 */
[[nodiscard]] bool codec_decode(unsigned int codec, const void *src, size_t src_size, void *dst,
                                size_t size, size_t *ret_size);
