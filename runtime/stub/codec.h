/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Decompression of one squashfs block.
 *
 * gzip (zlib streams), xz, lz4 and zstd; of the stub they take 28, 32, 1 and 122 kB. Of xz only
 * what the kernel reads too: one block, its checksum CRC32 or none (with liblzma's whole stream
 * decoder it would be 65 kB). lzo is missing for its licence, lzma because the kernel does not read
 * it either.
 */
#include <stdbool.h>
#include <stddef.h>

struct err;

/* An xz block may ask for a dictionary as large as a squashfs block, which has at most 1 MiB. */
enum { CODEC_XZ_MEMORY_MAX = (1 << 20) + (1 << 17) };

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

/* Whether codec_new() takes it. */
[[nodiscard]] bool codec_supported(unsigned int kind);

/* One decoder's memory: making it anew for each block would cost more than a small block does. For
 * one thread at a time. */
struct codec;

/* kind: one that is supported. ERR_SYSTEM for want of memory. */
[[nodiscard]] bool codec_new(struct codec **ret, unsigned int kind, struct err *err);
void codec_free(struct codec *codec);

/*
 * Decodes src into dst, at most size bytes, and stores how many came out. False on damaged input
 * and on output that does not fit.
 */
[[nodiscard]] bool codec_decode(struct codec *codec, const void *src, size_t src_size, void *dst,
                                size_t size, size_t *ret_size);
