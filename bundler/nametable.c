/* SPDX-License-Identifier: MIT */
#include "bundler/nametable.h"

#include <assert.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/err.h"
#include "common/nametable.h"
#include "common/xalloc.h"

static_assert(__BYTE_ORDER == __LITTLE_ENDIAN, "the table is written as it is in memory");

/* Each text once: thousands of gems have a version.rb. Offsets of texts that are stored, by hash.
 */
struct pool {
    char *bytes;
    size_t size;
    size_t capacity;
    struct stored {
        uint32_t offset;
        uint32_t len; /* 0: free */
    } * stored;
    size_t mask;
};

struct maker {
    const struct nametable_node *nodes;
    size_t count;
    struct nametable_entry *entries;
    uint32_t *slots;
    uint32_t slot_bits;
    uint32_t probe_max;
    struct pool pool;
};

static void maker_release(struct maker *maker)
{
    free(maker->entries);
    free(maker->slots);
    free(maker->pool.bytes);
    free(maker->pool.stored);
}

/* At most half of the slots are taken: a search ends soon, also one for nothing. */
static uint32_t slot_bits_for(size_t count)
{
    uint32_t bits = 1;

    while (((size_t)1 << bits) < count * 3 / 2)
        bits++;
    return bits;
}

static uint32_t pool_add(struct pool *pool, const char *text, size_t len)
{
    size_t at = (size_t)nametable_slot(nametable_hash(nametable_hash_empty, text, len), 32);
    struct stored *stored;

    for (;; at++) {
        stored = &pool->stored[at & pool->mask];
        if (stored->len == 0)
            break;
        if (stored->len == len && memcmp(pool->bytes + stored->offset, text, len) == 0)
            return stored->offset;
    }
    while (pool->capacity - pool->size < len) {
        pool->capacity = pool->capacity * 2 + 4096;
        pool->bytes = xrealloc_array(pool->bytes, pool->capacity, 1);
    }
    memcpy(pool->bytes + pool->size, text, len);
    *stored = (struct stored){(uint32_t)pool->size, (uint32_t)len};
    pool->size += len;
    return stored->offset;
}

static bool is_below(const char *path, const char *dir, size_t dir_len)
{
    return dir_len == 0 || (strncmp(path, dir, dir_len) == 0 && path[dir_len] == '/');
}

/* The nearest entry before it that its path lies below: all of a directory follows it. */
static uint32_t find_parent(const struct maker *maker, size_t index)
{
    size_t parent = index - 1;

    while (!is_below(maker->nodes[index].path, maker->nodes[parent].path,
                     strlen(maker->nodes[parent].path)))
        parent = maker->entries[parent].parent;
    return (uint32_t)parent;
}

static bool fill_entry(struct maker *maker, size_t index, struct err *err)
{
    const struct nametable_node *node = &maker->nodes[index];
    struct nametable_entry *entry = &maker->entries[index];
    const char *slash = strrchr(node->path, '/');
    const char *name = slash != NULL ? slash + 1 : node->path;
    size_t len = strlen(name);

    *entry = (struct nametable_entry){.size = node->size_bytes, .mode = (uint16_t)node->mode};
    if (S_ISDIR(node->mode))
        entry->extra = 2; /* its name and "."; for each subdirectory there is a ".." more */
    if (index == 0)
        return true;
    if (len == 0 || len > NAMETABLE_NAME_MAX)
        return err_set(err, ERR_INPUT, "'%.200s': a name of %zu bytes", node->path, len);
    /* The reader looks up all that is there, whoever asks. */
    if (S_ISDIR(node->mode) && (node->mode & 0555) != 0555)
        return err_set(err, ERR_INPUT, "'%.200s': not everybody may read it", node->path);
    entry->parent = find_parent(maker, index);
    if (S_ISDIR(node->mode))
        maker->entries[entry->parent].extra++;
    entry->name = pool_add(&maker->pool, name, len);
    entry->name_len = (uint16_t)len;
    if (node->target != NULL) {
        entry->size = strlen(node->target);
        entry->extra = pool_add(&maker->pool, node->target, (size_t)entry->size);
    }
    return true;
}

static bool place(struct maker *maker, size_t index, struct err *err)
{
    const char *path = maker->nodes[index].path;
    uint64_t hash = nametable_hash(nametable_hash_empty, path, strlen(path));
    uint32_t mask = (UINT32_C(1) << maker->slot_bits) - 1;
    uint32_t at = nametable_slot(hash, maker->slot_bits);
    uint32_t probes = 0;

    while (maker->slots[at] != 0) {
        at = (at + 1) & mask;
        probes++;
    }
    maker->slots[at] = (uint32_t)index;
    if (probes > maker->probe_max)
        maker->probe_max = probes;
    if (probes <= NAMETABLE_PROBE_MAX)
        return true;
    return err_set(err, ERR_INPUT, "'%.200s': too many paths of one hash", path);
}

static void join(const struct maker *maker, size_t self, uint32_t mtime, struct nametable *ret)
{
    struct nametable_header header = {
        .magic = NAMETABLE_MAGIC,
        .version = NAMETABLE_VERSION,
        .count = (uint32_t)maker->count,
        .slot_bits = maker->slot_bits,
        .probe_max = maker->probe_max,
        .self = (uint32_t)self,
        .mtime = mtime,
        .strings_size = maker->pool.size,
    };

    header.size = nametable_strings_at(&header) + maker->pool.size;
    maker->entries[self].size = header.size;
    ret->size_bytes = (size_t)header.size;
    ret->bytes = xcalloc(ret->size_bytes, 1);
    memcpy(ret->bytes, &header, sizeof(header));
    memcpy(ret->bytes + sizeof(header), maker->entries, maker->count * sizeof(*maker->entries));
    memcpy(ret->bytes + nametable_slots_at(&header), maker->slots,
           sizeof(uint32_t) << maker->slot_bits);
    if (maker->pool.size > 0)
        memcpy(ret->bytes + nametable_strings_at(&header), maker->pool.bytes, maker->pool.size);
}

bool nametable_make(struct nametable *ret, const struct nametable_node *nodes, size_t count,
                    size_t self, uint32_t mtime, struct err *err)
{
    struct maker maker = {.nodes = nodes, .count = count, .slot_bits = slot_bits_for(count)};
    bool ok = true;

    assert(self > 0 && self < count && nodes[0].path[0] == '\0');
    if (count > NAMETABLE_COUNT_MAX)
        return err_set(err, ERR_INPUT, "%zu files", count);
    maker.entries = xcalloc(count, sizeof(*maker.entries));
    maker.slots = xcalloc((size_t)1 << maker.slot_bits, sizeof(*maker.slots));
    /* A symlink has two texts. */
    maker.pool.mask = ((size_t)1 << slot_bits_for(count * 2)) - 1;
    maker.pool.stored = xcalloc(maker.pool.mask + 1, sizeof(*maker.pool.stored));
    for (size_t i = 0; ok && i < count; i++)
        ok = fill_entry(&maker, i, err) && (i == 0 || place(&maker, i, err));
    if (ok && maker.pool.size > UINT32_MAX)
        ok = err_set(err, ERR_INPUT, "names of %zu bytes", maker.pool.size);
    if (ok)
        join(&maker, self, mtime, ret);
    maker_release(&maker);
    return ok;
}

void nametable_release(struct nametable *table)
{
    free(table->bytes);
    *table = (struct nametable){0};
}

void nametable_set_size(struct nametable *table, size_t index, uint64_t size_bytes)
{
    memcpy(table->bytes + sizeof(struct nametable_header) + index * sizeof(struct nametable_entry) +
               offsetof(struct nametable_entry, size),
           &size_bytes, sizeof(size_bytes));
}
