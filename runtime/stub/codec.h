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

struct err;

/* Values of the superblock's compression field (squashfs format, "Compression"). */
enum codec_kind {
    CODEC_GZIP = 1,
    CODEC_LZMA = 2,
    CODEC_LZO = 3,
    CODEC_XZ = 4,
    CODEC_LZ4 = 5,
    CODEC_ZSTD = 6,
};

/* A name for messages; "unknown" for values that squashfs does not define. */
const char *codec_name(unsigned int kind);

[[nodiscard]] bool codec_supported(unsigned int kind);

/* One decoder's memory: making it anew for each block would cost more than a small block does. For
 * one thread at a time. */
struct codec;

[[nodiscard]] bool codec_new(struct codec **ret, unsigned int kind, struct err *err);
void codec_free(struct codec *codec);

/*
 * Decodes src into dst, at most size bytes, and stores how many came out. False on damaged input
 * and on output that does not fit.
 */
[[nodiscard]] bool codec_decode(struct codec *codec, const void *src, size_t src_size, void *dst,
                                size_t size, size_t *ret_size);
