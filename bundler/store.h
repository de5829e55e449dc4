/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Values kept for later builds in a directory of the cache (bundler/cachedir.h), found by a hash of
 * all that determines them. Every program has its own: what another version of it wrote is not
 * found.
 *
 * A file is the hash of the value, then the value; it is written beside and renamed. Nothing is
 * kept or believed where others may write, and a file that is damaged, or not ours, is none. What
 * nobody has asked for in 30 days is removed. Threads may share a store.
 */
#include <stddef.h>
#include <stdint.h>

#include "common/format.h"

struct store; /* NULL is a store that has nothing and keeps nothing */

/* NULL where none can be. */
struct store *store_open(const char *name);
void store_close(struct store *store);

struct store_key {
    uint8_t hash[FORMAT_HASH_SIZE];
};

/* The size of the value, copied to ret; -1 when it is not there or has no room. */
int64_t store_get(const struct store *store, const struct store_key *key, void *ret, size_t room);

/* The value, owned by the caller, with a NUL behind it; NULL when it is not there or larger. */
char *store_load(const struct store *store, const struct store_key *key, size_t max_bytes,
                 size_t *ret_size);

/* Without a word when it cannot be kept: then it is made again. */
void store_put(const struct store *store, const struct store_key *key, const void *value,
               size_t size_bytes);

/* A key from pieces: each counts with its length, so that no two lists of pieces have one key. */
struct store_piece {
    const void *data;
    size_t size_bytes;
};
struct store_key store_key(const struct store_piece *pieces, size_t count);
