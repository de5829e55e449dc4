/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Compressed blocks of earlier builds, by what they hold: a second build compresses only what has
 * changed.
 *
 * One file for each block in the tool's cache directory (cachedir.h), named by the BLAKE2b of the
 * block, the level and this program, which holds the hash of what follows and the compressed bytes.
 * What is damaged, or cannot be read or written, is as if it were not there. What no build has
 * asked for in a month is removed. Threads and builds may use it at the same time.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct blockcache;

/* NULL when there is no place for it that only this user can write. */
[[nodiscard]] struct blockcache *blockcache_open(int level);
void blockcache_close(struct blockcache *cache);

/* The compressed bytes, so many; 0: the block is stored as it is; -1: not known. */
int64_t blockcache_get(const struct blockcache *cache, const void *block, size_t size, void *ret,
                       size_t room);
/* compressed: as compressing it once more would give it; none when size_bytes is 0. */
void blockcache_put(const struct blockcache *cache, const void *block, size_t size,
                    const void *compressed, size_t size_bytes);
