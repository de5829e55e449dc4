/* SPDX-License-Identifier: MIT */
#include "runtime/stub/block.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"
#include "runtime/stub/codec.h"

enum slot_state { SLOT_FREE, SLOT_LOADING, SLOT_READY };

struct slot {
    enum slot_state state;
    uint64_t position;
    uint64_t stamp;
    unsigned int users; /* threads that copy from it, or fill it */
    size_t size;
    uint8_t *bytes;
};

/* What a thread needs to decode; as many as threads ever decoded at once. */
struct decoder {
    struct decoder *next;
    struct codec *codec;
    uint8_t *input; /* block_size bytes */
};

struct block_cache {
    int fd;
    uint64_t offset;
    unsigned int codec_kind;
    size_t block_size;
    pthread_mutex_t lock; /* of everything below; never held while a block is read or decoded */
    pthread_cond_t changed;
    struct decoder *idle;
    uint64_t clock; /* for the age of slots */
    struct slot *slots;
    size_t count;
};

bool block_cache_new(struct block_cache **ret, int fd, uint64_t offset, unsigned int codec_kind,
                     size_t block_size, struct err *err)
{
    struct block_cache *cache = calloc(1, sizeof(*cache));
    size_t count = BLOCK_CACHE_BYTES / block_size;

    if (count < BLOCK_CACHE_MIN)
        count = BLOCK_CACHE_MIN;
    if (count > BLOCK_CACHE_MAX)
        count = BLOCK_CACHE_MAX;
    if (cache == NULL || (cache->slots = calloc(count, sizeof(*cache->slots))) == NULL) {
        free(cache);
        return err_sys(err, "reading the image");
    }
    cache->fd = fd;
    cache->offset = offset;
    cache->codec_kind = codec_kind;
    cache->block_size = block_size;
    cache->count = count;
    (void)pthread_mutex_init(&cache->lock, NULL);
    (void)pthread_cond_init(&cache->changed, NULL);
    *ret = cache;
    return true;
}

static void decoder_free(struct decoder *decoder)
{
    codec_free(decoder->codec);
    free(decoder->input);
    free(decoder);
}

void block_cache_free(struct block_cache *cache)
{
    if (cache == NULL)
        return;
    while (cache->idle != NULL) {
        struct decoder *decoder = cache->idle;

        cache->idle = decoder->next;
        decoder_free(decoder);
    }
    for (size_t i = 0; i < cache->count; i++)
        free(cache->slots[i].bytes);
    free(cache->slots);
    (void)pthread_mutex_destroy(&cache->lock);
    (void)pthread_cond_destroy(&cache->changed);
    free(cache);
}

static struct decoder *take_decoder(struct block_cache *cache)
{
    struct decoder *decoder;
    struct err err;

    (void)pthread_mutex_lock(&cache->lock);
    decoder = cache->idle;
    if (decoder != NULL)
        cache->idle = decoder->next;
    (void)pthread_mutex_unlock(&cache->lock);
    if (decoder != NULL || (decoder = calloc(1, sizeof(*decoder))) == NULL)
        return decoder;
    decoder->input = malloc(cache->block_size);
    if (decoder->input != NULL && codec_new(&decoder->codec, cache->codec_kind, &err))
        return decoder;
    decoder_free(decoder);
    return NULL;
}

static void give_decoder(struct block_cache *cache, struct decoder *decoder)
{
    (void)pthread_mutex_lock(&cache->lock);
    decoder->next = cache->idle;
    cache->idle = decoder;
    (void)pthread_mutex_unlock(&cache->lock);
}

static bool read_encoded(const struct block_cache *cache, const struct block *block, void *buf)
{
    ssize_t got;

    do {
        got = pread(cache->fd, buf, block->size, (off_t)(cache->offset + block->position));
    } while (got < 0 && errno == EINTR);
    return got == (ssize_t)block->size;
}

/* At most capacity bytes into buf. */
static bool decode(struct block_cache *cache, const struct block *block, void *buf, size_t capacity,
                   size_t *ret_size)
{
    struct decoder *decoder;
    bool ok;

    if (!block->compressed) {
        *ret_size = block->size;
        return block->size <= capacity && read_encoded(cache, block, buf);
    }
    decoder = take_decoder(cache);
    if (decoder == NULL)
        return false;
    ok = read_encoded(cache, block, decoder->input) &&
         codec_decode(decoder->codec, decoder->input, block->size, buf, capacity, ret_size);
    give_decoder(cache, decoder);
    return ok;
}

static struct slot *find_slot(struct block_cache *cache, uint64_t position)
{
    for (size_t i = 0; i < cache->count; i++)
        if (cache->slots[i].state != SLOT_FREE && cache->slots[i].position == position)
            return &cache->slots[i];
    return NULL;
}

/* The least recently used slot that nobody uses, or NULL. */
static struct slot *oldest_slot(struct block_cache *cache)
{
    struct slot *oldest = NULL;

    for (size_t i = 0; i < cache->count; i++) {
        struct slot *slot = &cache->slots[i];

        if (slot->users == 0 && (oldest == NULL || slot->stamp < oldest->stamp))
            oldest = slot;
    }
    return oldest;
}

/* Decodes into a slot that nobody uses; the lock is held before and after, not meanwhile. */
static bool fill_slot(struct block_cache *cache, struct slot *slot, const struct block *block)
{
    bool ok;

    slot->state = SLOT_LOADING;
    slot->position = block->position;
    slot->users = 1;
    (void)pthread_mutex_unlock(&cache->lock);
    if (slot->bytes == NULL)
        slot->bytes = malloc(cache->block_size);
    ok = slot->bytes != NULL && decode(cache, block, slot->bytes, cache->block_size, &slot->size);
    (void)pthread_mutex_lock(&cache->lock);
    slot->state = ok ? SLOT_READY : SLOT_FREE;
    slot->users--;
    (void)pthread_cond_broadcast(&cache->changed);
    return ok;
}

/* The slot of a decoded block, with one more user; NULL when it cannot be decoded. Under the lock,
 * which is given up meanwhile. */
static struct slot *hold_slot(struct block_cache *cache, const struct block *block)
{
    for (;;) {
        struct slot *slot = find_slot(cache, block->position);

        if (slot == NULL) {
            slot = oldest_slot(cache);
            if (slot != NULL && !fill_slot(cache, slot, block))
                return NULL;
        }
        if (slot != NULL && slot->state == SLOT_READY && slot->position == block->position) {
            slot->users++;
            slot->stamp = ++cache->clock;
            return slot;
        }
        /* It is being decoded, or every slot is in use. */
        if (slot == NULL || slot->state == SLOT_LOADING)
            (void)pthread_cond_wait(&cache->changed, &cache->lock);
    }
}

static void release_slot(struct block_cache *cache, struct slot *slot)
{
    (void)pthread_mutex_lock(&cache->lock);
    if (--slot->users == 0)
        (void)pthread_cond_broadcast(&cache->changed);
    (void)pthread_mutex_unlock(&cache->lock);
}

bool block_read(struct block_cache *cache, const struct block *block, size_t offset, void *buf,
                size_t size)
{
    struct slot *slot;
    bool ok;

    (void)pthread_mutex_lock(&cache->lock);
    slot = hold_slot(cache, block);
    (void)pthread_mutex_unlock(&cache->lock);
    if (slot == NULL)
        return false;
    ok = offset <= slot->size && size <= slot->size - offset;
    if (ok)
        memcpy(buf, slot->bytes + offset, size);
    release_slot(cache, slot);
    return ok;
}

bool block_read_whole(struct block_cache *cache, const struct block *block, void *buf, size_t size)
{
    bool kept;
    size_t got;

    (void)pthread_mutex_lock(&cache->lock);
    kept = find_slot(cache, block->position) != NULL;
    (void)pthread_mutex_unlock(&cache->lock);
    if (kept)
        return block_read(cache, block, 0, buf, size);
    return decode(cache, block, buf, size, &got) && got == size;
}

void block_prefetch(struct block_cache *cache, const struct block *block)
{
    struct slot *slot = NULL;

    (void)pthread_mutex_lock(&cache->lock);
    if (find_slot(cache, block->position) == NULL)
        slot = oldest_slot(cache);
    if (slot != NULL && fill_slot(cache, slot, block))
        slot->stamp = ++cache->clock;
    (void)pthread_mutex_unlock(&cache->lock);
}
