/* SPDX-License-Identifier: MIT */
#include "bundler/blockcache.h"

#include <stdlib.h>

#include "bundler/store.h"
#include "common/xalloc.h"

struct blockcache {
    struct store *store;
    int level;
};

struct blockcache *blockcache_open(int level)
{
    struct store *store = store_open("blocks");
    struct blockcache *cache;

    if (store == NULL)
        return NULL;
    cache = xcalloc(1, sizeof(*cache));
    cache->store = store;
    cache->level = level;
    return cache;
}

void blockcache_close(struct blockcache *cache)
{
    if (cache == NULL)
        return;
    store_close(cache->store);
    free(cache);
}

static struct store_key key_of(const struct blockcache *cache, const void *block, size_t size)
{
    const struct store_piece pieces[] = {{&cache->level, sizeof(cache->level)}, {block, size}};

    return store_key(pieces, sizeof(pieces) / sizeof(pieces[0]));
}

int64_t blockcache_get(const struct blockcache *cache, const void *block, size_t size, void *ret,
                       size_t room)
{
    struct store_key key = key_of(cache, block, size);

    return store_get(cache->store, &key, ret, room);
}

void blockcache_put(const struct blockcache *cache, const void *block, size_t size,
                    const void *compressed, size_t size_bytes)
{
    struct store_key key = key_of(cache, block, size);

    store_put(cache->store, &key, compressed, size_bytes);
}
