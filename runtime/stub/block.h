/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The data blocks of an image, decoded.
 *
 * Many threads read at once: each decodes with a decoder of its own, outside any lock; two that
 * want the same block share one decoding. What was decoded but not wanted as a whole is kept, up
 * to BLOCK_CACHE_BYTES: fragments hold many small files, and the kernel reads 128 KiB at a time
 * whatever the block size. A block that is wanted as a whole goes straight to its reader, because
 * the kernel keeps it from then on.
 *
 * Positions and sizes are checked by the caller (sqfs.c) against the image; what comes out of a
 * decoder is checked here.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct block_cache;

enum {
    BLOCK_CACHE_BYTES = 2 << 20,
    BLOCK_CACHE_MIN = 4, /* blocks, however large */
    BLOCK_CACHE_MAX = 64,
};

/* One encoded block: size bytes at position of the image; never empty, never above the image's
 * block size. */
struct block {
    uint64_t position;
    uint32_t size;
    bool compressed;
};

/* The image begins at offset of fd; fd stays the caller's. */
[[nodiscard]] bool block_cache_new(struct block_cache **ret, int fd, uint64_t offset,
                                   unsigned int codec_kind, size_t block_size, struct err *err);
void block_cache_free(struct block_cache *cache);

/* Stores size decoded bytes, from offset on. False when the block cannot be read, is damaged or
 * ends before, and when out of memory. */
[[nodiscard]] bool block_read(struct block_cache *cache, const struct block *block, size_t offset,
                              void *buf, size_t size);

/* Stores a block that has exactly size decoded bytes. */
[[nodiscard]] bool block_read_whole(struct block_cache *cache, const struct block *block, void *buf,
                                    size_t size);

/* Decodes a block into the cache, ahead of its reader; failures are the reader's to meet. */
void block_prefetch(struct block_cache *cache, const struct block *block);
