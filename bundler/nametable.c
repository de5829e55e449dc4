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

struct texts {
    char *bytes;
    size_t size;
    size_t capacity;
};

struct maker {
    const struct nametable_node *nodes;
    size_t count;
    struct nametable_entry *entries;
    uint32_t *slots;
    uint32_t slot_bits;
    uint32_t probe_max;
    struct texts texts;
};

static void maker_release(struct maker *maker)
{
    free(maker->entries);
    free(maker->slots);
    free(maker->texts.bytes);
}

/* At most two thirds of the slots are taken: a search ends soon, also one for nothing. */
static uint32_t slot_bits_for(size_t count)
{
    uint32_t bits = 1;

    while (((size_t)1 << bits) < count * 3 / 2)
        bits++;
    return bits;
}

/* Not each text once: where a name ends is then known without its length, which takes more. */
static uint32_t texts_add(struct texts *texts, const char *text, size_t len)
{
    while (texts->capacity - texts->size < len) {
        texts->capacity = texts->capacity * 2 + 4096;
        texts->bytes = xrealloc_array(texts->bytes, texts->capacity, 1);
    }
    memcpy(texts->bytes + texts->size, text, len);
    texts->size += len;
    return (uint32_t)(texts->size - len);
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
    entry->name = texts_add(&maker->texts, name, len);
    return true;
}

static void fill_target(struct maker *maker, size_t index)
{
    const char *target = maker->nodes[index].target;
    struct nametable_entry *entry = &maker->entries[index];

    if (target == NULL)
        return;
    entry->size = strlen(target);
    entry->extra = texts_add(&maker->texts, target, (size_t)entry->size);
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

static void join(const struct maker *maker, size_t self, uint32_t mtime, uint32_t names_size,
                 struct nametable *ret)
{
    struct nametable_header header = {
        .magic = NAMETABLE_MAGIC,
        .version = NAMETABLE_VERSION,
        .count = (uint32_t)maker->count,
        .slot_bits = maker->slot_bits,
        .probe_max = maker->probe_max,
        .self = (uint32_t)self,
        .mtime = mtime,
        .strings_size = (uint32_t)maker->texts.size,
        .names_size = names_size,
    };

    header.size = nametable_strings_at(&header) + maker->texts.size;
    maker->entries[self].size = header.size;
    ret->size_bytes = (size_t)header.size;
    ret->bytes = xcalloc(ret->size_bytes, 1);
    memcpy(ret->bytes, &header, sizeof(header));
    memcpy(ret->bytes + sizeof(header), maker->entries, maker->count * sizeof(*maker->entries));
    memcpy(ret->bytes + nametable_slots_at(&header), maker->slots,
           sizeof(uint32_t) << maker->slot_bits);
    if (maker->texts.size > 0)
        memcpy(ret->bytes + nametable_strings_at(&header), maker->texts.bytes, maker->texts.size);
}

bool nametable_make(struct nametable *ret, const struct nametable_node *nodes, size_t count,
                    size_t self, uint32_t mtime, struct err *err)
{
    struct maker maker = {.nodes = nodes, .count = count, .slot_bits = slot_bits_for(count)};
    uint32_t names_size;
    bool ok = true;

    assert(self > 0 && self < count && nodes[0].path[0] == '\0');
    if (count > NAMETABLE_COUNT_MAX)
        return err_set(err, ERR_INPUT, "%zu files", count);
    maker.entries = xcalloc(count, sizeof(*maker.entries));
    maker.slots = xcalloc((size_t)1 << maker.slot_bits, sizeof(*maker.slots));
    for (size_t i = 0; ok && i < count; i++)
        ok = fill_entry(&maker, i, err) && (i == 0 || place(&maker, i, err));
    names_size = (uint32_t)maker.texts.size;
    for (size_t i = 0; ok && i < count; i++)
        fill_target(&maker, i);
    if (ok && maker.texts.size > UINT32_MAX)
        ok = err_set(err, ERR_INPUT, "names of %zu bytes", maker.texts.size);
    if (ok)
        join(&maker, self, mtime, names_size, ret);
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
