/* SPDX-License-Identifier: MIT */
#include "bundler/iseqs.h"

#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/iseqpack.h"
#include "common/xalloc.h"

enum { ALIGN = 4, ROOM = 4096 };

static const uint64_t PACK_MAX_BYTES = (uint64_t)1 << 30;

/* How many offsets a value begins with; false when it is none. */
static bool count_texts(const char *value, size_t size_bytes, uint32_t *ret)
{
    if (size_bytes < sizeof(*ret))
        return false;
    memcpy(ret, value, sizeof(*ret));
    return *ret <= (size_bytes - sizeof(*ret)) / sizeof(uint32_t);
}

bool iseqs_add(struct iseqs *iseqs, const char *path, const char *value, size_t size_bytes)
{
    uint32_t texts;

    if (!count_texts(value, size_bytes, &texts))
        return false;
    iseqs->sources = xrealloc_array(iseqs->sources, iseqs->count + 1, sizeof(*iseqs->sources));
    iseqs->sources[iseqs->count++] =
        (struct iseqs_source){xstrdup(path), xstrndup(value, size_bytes), size_bytes};
    return true;
}

void iseqs_release(struct iseqs *iseqs)
{
    for (size_t i = 0; i < iseqs->count; i++) {
        free(iseqs->sources[i].path);
        free(iseqs->sources[i].value);
    }
    free(iseqs->sources);
    *iseqs = (struct iseqs){0};
}

static bool holds(size_t size, uint64_t offset, uint64_t length)
{
    return offset <= size && length <= size - offset;
}

static bool read_entry(struct iseqs *iseqs, const char *bytes, size_t size,
                       const struct iseqpack_entry *entry)
{
    size_t texts = (size_t)entry->texts_count * sizeof(uint32_t);
    size_t value_size = sizeof(uint32_t) + texts + entry->blob_size;
    cleanup_free char *path = NULL;
    cleanup_free char *value = NULL;

    if (!holds(size, entry->path_offset, entry->path_size) ||
        !holds(size, entry->blob_offset, entry->blob_size) ||
        !holds(size, entry->texts_offset, texts))
        return false;
    path = xstrndup(bytes + entry->path_offset, entry->path_size);
    value = xcalloc(value_size, 1);
    memcpy(value, &entry->texts_count, sizeof(entry->texts_count));
    memcpy(value + sizeof(uint32_t), bytes + entry->texts_offset, texts);
    memcpy(value + sizeof(uint32_t) + texts, bytes + entry->blob_offset, entry->blob_size);
    return iseqs_add(iseqs, path, value, value_size);
}

bool iseqs_read(struct iseqs *ret, const char *bytes, size_t size_bytes, struct err *err)
{
    struct iseqpack_header header = {0};
    bool ok;

    *ret = (struct iseqs){0};
    ok = size_bytes >= sizeof(header);
    if (ok)
        memcpy(&header, bytes, sizeof(header));
    ok = ok && memcmp(header.magic, ISEQPACK_MAGIC, sizeof(header.magic)) == 0 &&
         header.count <= (size_bytes - sizeof(header)) / sizeof(struct iseqpack_entry);
    for (size_t i = 0; ok && i < header.count; i++) {
        struct iseqpack_entry entry;

        memcpy(&entry, bytes + sizeof(header) + i * sizeof(entry), sizeof(entry));
        ok = read_entry(ret, bytes, size_bytes, &entry);
    }
    if (ok)
        return true;
    iseqs_release(ret);
    return err_set(err, ERR_INPUT, "what Ruby has compiled is no pack");
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct iseqs_source *)a)->path, ((const struct iseqs_source *)b)->path);
}

const struct iseqs_source *iseqs_find(const struct iseqs *iseqs, const char *path)
{
    struct iseqs_source wanted = {.path = (char *)(uintptr_t)path};

    return iseqs->count == 0
               ? NULL
               : bsearch(&wanted, iseqs->sources, iseqs->count, sizeof(wanted), by_path);
}

static uint64_t rounded(uint64_t at, uint64_t align)
{
    return (at + align - 1) / align * align;
}

static uint32_t texts_of(const struct iseqs_source *source)
{
    uint32_t count = 0;

    memcpy(&count, source->value, sizeof(count));
    return count;
}

static size_t blob_at(const struct iseqs_source *source)
{
    return sizeof(uint32_t) * (1 + (size_t)texts_of(source));
}

static bool is_of_app(const struct iseqs_source *source)
{
    return strncmp(source->path, "app/", 4) == 0;
}

/* Where everything goes; the size of the whole. */
static uint64_t lay_out(const struct iseqs *iseqs, struct iseqpack_entry *entries)
{
    uint64_t at = sizeof(struct iseqpack_header) + iseqs->count * sizeof(*entries);

    for (size_t i = 0; i < iseqs->count; i++) {
        entries[i].texts_offset = (uint32_t)at;
        entries[i].texts_count = texts_of(&iseqs->sources[i]);
        at += (uint64_t)entries[i].texts_count * sizeof(uint32_t);
    }
    for (size_t i = 0; i < iseqs->count; i++) {
        entries[i].path_offset = (uint32_t)at;
        entries[i].path_size = (uint32_t)strlen(iseqs->sources[i].path);
        at += entries[i].path_size;
    }
    at = rounded(at, ROOM);
    for (int is_app = 0; is_app < 2; is_app++) {
        for (size_t i = 0; i < iseqs->count; i++) {
            const struct iseqs_source *source = &iseqs->sources[i];

            if (is_of_app(source) != (is_app == 1))
                continue;
            entries[i].blob_offset = (uint32_t)at;
            entries[i].blob_size = (uint32_t)(source->size_bytes - blob_at(source));
            at = rounded(at + entries[i].blob_size, ALIGN);
        }
    }
    return at;
}

bool iseqs_write(struct iseqs *iseqs, char **ret, size_t *ret_size, struct err *err)
{
    struct iseqpack_header header = {.magic = ISEQPACK_MAGIC, .count = (uint32_t)iseqs->count};
    cleanup_free struct iseqpack_entry *entries = xcalloc(iseqs->count + 1, sizeof(*entries));
    cleanup_free char *pack = NULL;
    uint64_t size;

    if (iseqs->count > 0)
        qsort(iseqs->sources, iseqs->count, sizeof(*iseqs->sources), by_path);
    size = lay_out(iseqs, entries);
    if (size > PACK_MAX_BYTES)
        return err_set(err, ERR_INPUT, "the compiled sources have more than %llu bytes",
                       (unsigned long long)PACK_MAX_BYTES);
    pack = xcalloc(size, 1);
    memcpy(pack, &header, sizeof(header));
    memcpy(pack + sizeof(header), entries, iseqs->count * sizeof(*entries));
    for (size_t i = 0; i < iseqs->count; i++) {
        const struct iseqs_source *source = &iseqs->sources[i];

        memcpy(pack + entries[i].texts_offset, source->value + sizeof(uint32_t),
               blob_at(source) - sizeof(uint32_t));
        memcpy(pack + entries[i].path_offset, source->path, entries[i].path_size);
        memcpy(pack + entries[i].blob_offset, source->value + blob_at(source),
               entries[i].blob_size);
    }
    *ret = steal_ptr(&pack);
    *ret_size = (size_t)size;
    return true;
}
