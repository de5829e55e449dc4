/* SPDX-License-Identifier: MIT */
#include "bundler/difference.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bundler/bundle.h"
#include "bundler/hash.h"
#include "bundler/image.h"
#include "bundler/jdoc.h"
#include "bundler/manifest.h"
#include "bundler/weight.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/xalloc.h"

static const size_t FILE_MAX_BYTES = (size_t)1 << 30;

/* A thing of a list: what it is called, and what it is. Sorted by name. */
struct entry {
    char *name;
    char *value; /* "8.0.2"; of a file, its type, mode and target */
    uint64_t bytes;
};

struct entries {
    struct entry *items;
    size_t count;
    size_t capacity;
};

struct side {
    const struct bundle *bundle;
    struct jdoc *manifest;
    struct image *image;
    struct entries gems;
    struct entries libraries;
    struct entries files;
    struct entries sizes;
};

static void release_entries(struct entries *entries)
{
    for (size_t i = 0; i < entries->count; i++) {
        free(entries->items[i].name);
        free(entries->items[i].value);
    }
    free(entries->items);
}

static void release_side(struct side *side)
{
    release_entries(&side->gems);
    release_entries(&side->libraries);
    release_entries(&side->files);
    release_entries(&side->sizes);
    image_free(side->image);
    jdoc_free(side->manifest);
}

/* Takes value. */
static void add(struct entries *entries, const char *name, char *value, uint64_t bytes)
{
    entries->items =
        xgrow(entries->items, &entries->capacity, entries->count, sizeof(*entries->items));
    entries->items[entries->count++] = (struct entry){xstrdup(name), value, bytes};
}

static int by_name(const void *a, const void *b)
{
    const struct entry *x = a;
    const struct entry *y = b;
    int order = strcmp(x->name, y->name);

    return order != 0 ? order : strcmp(x->value, y->value);
}

static void sort(struct entries *entries)
{
    if (entries->count > 0)
        qsort(entries->items, entries->count, sizeof(*entries->items), by_name);
}

static uint64_t bytes_of(int64_t number)
{
    return number > 0 ? (uint64_t)number : 0;
}

static void read_gems(struct side *side)
{
    const struct jdoc *gems = jdoc_member(side->manifest, "gems");

    for (size_t i = 0; i < jdoc_count(gems); i++) {
        const struct jdoc *gem = jdoc_at(gems, i);
        const char *platform = jdoc_text_or(gem, "platform", "ruby");
        bool is_pure = strcmp(platform, "ruby") == 0;

        add(&side->gems, jdoc_text_or(gem, "name", "?"),
            xasprintf("%s%s%s", jdoc_text_or(gem, "version", "?"), is_pure ? "" : "-",
                      is_pure ? "" : platform),
            bytes_of(jdoc_number(gem, "bytes")));
    }
    sort(&side->gems);
}

static void read_libraries(struct side *side)
{
    const struct jdoc *libraries = jdoc_member(side->manifest, "libraries");

    for (size_t i = 0; i < jdoc_count(libraries); i++) {
        const struct jdoc *library = jdoc_at(libraries, i);
        const char *package = jdoc_text_or(library, "package", "");

        add(&side->libraries, jdoc_text_or(library, "name", "?"),
            xasprintf("%s%s%s", package, package[0] != '\0' ? " " : "",
                      jdoc_text_or(library, "package_version", "")),
            bytes_of(jdoc_number(library, "bytes")));
    }
    sort(&side->libraries);
}

static bool read_file(const struct image_node *node, void *context, struct err *err)
{
    struct entries *files = context;

    (void)err;
    if (!S_ISDIR(node->mode))
        add(files, node->path,
            xasprintf("%o%s%s", (unsigned int)node->mode, node->target != NULL ? " " : "",
                      node->target != NULL ? node->target : ""),
            node->size_bytes);
    return true;
}

/* As one component may be in the manifest of one and not of the other, sizes are told by name. */
static bool read_sizes(struct side *side, struct err *err)
{
    cleanup_with(weights_release) struct weights weights = {0};

    if (!weights_read(&weights, side->image, side->manifest, err))
        return false;
    for (size_t i = 0; i < weights.count; i++)
        add(&side->sizes, weights.items[i].name, xstrdup(weights.items[i].part),
            weights.items[i].packed);
    sort(&side->sizes);
    return true;
}

static bool read_side(struct side *side, struct err *err)
{
    side->manifest = manifest_read(side->bundle, err);
    if (side->manifest == NULL || !bundle_open_image(side->bundle, &side->image, err))
        return false;
    read_gems(side);
    read_libraries(side);
    if (!image_each(side->image, read_file, &side->files, err))
        return false;
    sort(&side->files);
    return read_sizes(side, err);
}

/* Goes through two lists side by side: a pair, or only one of it. */
struct pair {
    const struct entry *before;
    const struct entry *after;
};

struct zip {
    const struct entries *before;
    const struct entries *after;
    size_t before_at;
    size_t after_at;
};

static bool zip_next(struct zip *zip, struct pair *ret)
{
    const struct entry *before =
        zip->before_at < zip->before->count ? &zip->before->items[zip->before_at] : NULL;
    const struct entry *after =
        zip->after_at < zip->after->count ? &zip->after->items[zip->after_at] : NULL;
    int order = before == NULL ? 1 : after == NULL ? -1 : strcmp(before->name, after->name);

    *ret = (struct pair){order <= 0 ? before : NULL, order >= 0 ? after : NULL};
    zip->before_at += ret->before != NULL;
    zip->after_at += ret->after != NULL;
    return before != NULL || after != NULL;
}

static const char *change_of(const struct pair *pair)
{
    return pair->before == NULL ? "added" : pair->after == NULL ? "removed" : "changed";
}

static void set_value(struct jdoc *change, const char *key, const struct entry *entry)
{
    if (entry != NULL)
        jdoc_set_text(change, key, entry->value);
}

/* Gems and libraries: those whose value differs. */
static struct jdoc *changes_of(const struct entries *before, const struct entries *after)
{
    struct zip zip = {.before = before, .after = after};
    struct jdoc *changes = jdoc_array();
    struct pair pair;

    while (zip_next(&zip, &pair)) {
        struct jdoc *change;

        if (pair.before != NULL && pair.after != NULL &&
            strcmp(pair.before->value, pair.after->value) == 0)
            continue;
        change = jdoc_object();
        jdoc_set_text(change, "name", (pair.before != NULL ? pair.before : pair.after)->name);
        jdoc_set_text(change, "change", change_of(&pair));
        set_value(change, "before", pair.before);
        set_value(change, "after", pair.after);
        jdoc_push(changes, change);
    }
    return changes;
}

static bool same_content(struct side *before, struct side *after, const struct pair *pair,
                         bool *ret, struct err *err)
{
    cleanup_free char *one = NULL;
    cleanup_free char *other = NULL;
    size_t one_size;
    size_t other_size;

    *ret = pair->before->bytes == pair->after->bytes &&
           strcmp(pair->before->value, pair->after->value) == 0;
    if (!*ret || pair->before->bytes == 0)
        return true;
    if (!image_read(before->image, pair->before->name, FILE_MAX_BYTES, &one, &one_size, err) ||
        !image_read(after->image, pair->after->name, FILE_MAX_BYTES, &other, &other_size, err))
        return false;
    *ret = one_size == other_size && memcmp(one, other, one_size) == 0;
    return true;
}

static bool add_files(struct side *before, struct side *after, struct jdoc *files, struct err *err)
{
    struct zip zip = {.before = &before->files, .after = &after->files};
    struct pair pair;

    while (zip_next(&zip, &pair)) {
        struct jdoc *change;
        bool is_same = false;

        if (pair.before != NULL && pair.after != NULL &&
            !same_content(before, after, &pair, &is_same, err))
            return false;
        if (is_same)
            continue;
        change = jdoc_object();
        jdoc_set_text(change, "path", (pair.before != NULL ? pair.before : pair.after)->name);
        jdoc_set_text(change, "change", change_of(&pair));
        jdoc_set_number(change, "before", pair.before != NULL ? (int64_t)pair.before->bytes : 0);
        jdoc_set_number(change, "after", pair.after != NULL ? (int64_t)pair.after->bytes : 0);
        jdoc_push(files, change);
    }
    return true;
}

struct growth {
    struct pair pair;
    uint64_t before;
    uint64_t after;
};

static uint64_t extent(const struct growth *growth)
{
    return growth->after > growth->before ? growth->after - growth->before
                                          : growth->before - growth->after;
}

static const struct entry *entry_of(const struct growth *growth)
{
    return growth->pair.after != NULL ? growth->pair.after : growth->pair.before;
}

/* The largest first, whether it grew or shrank. */
static int by_extent(const void *a, const void *b)
{
    uint64_t x = extent(a);
    uint64_t y = extent(b);

    return x != y ? (x < y) - (x > y) : by_name(entry_of(a), entry_of(b));
}

static struct jdoc *growth_of(const struct growth *growth)
{
    const struct entry *entry = entry_of(growth);
    struct jdoc *size = jdoc_object();

    jdoc_set_text(size, "name", entry->name);
    jdoc_set_text(size, "part", entry->value);
    jdoc_set_number(size, "before", (int64_t)growth->before);
    jdoc_set_number(size, "after", (int64_t)growth->after);
    return size;
}

static struct jdoc *sizes_of(const struct side *before, const struct side *after)
{
    struct zip zip = {.before = &before->sizes, .after = &after->sizes};
    struct jdoc *sizes = jdoc_array();
    cleanup_free struct growth *all = NULL;
    size_t capacity = 0;
    size_t count = 0;
    struct pair pair;

    while (zip_next(&zip, &pair)) {
        uint64_t was = pair.before != NULL ? pair.before->bytes : 0;
        uint64_t is = pair.after != NULL ? pair.after->bytes : 0;

        if (was == is)
            continue;
        all = xgrow(all, &capacity, count, sizeof(*all));
        all[count++] = (struct growth){pair, was, is};
    }
    if (count > 0)
        qsort(all, count, sizeof(*all), by_extent);
    for (size_t i = 0; i < count; i++)
        jdoc_push(sizes, growth_of(&all[i]));
    return sizes;
}

/* By their bytes, whatever their headers say. */
static bool are_same(const struct bundle *before, const struct bundle *after, bool *ret,
                     struct err *err)
{
    uint8_t one[FORMAT_HASH_SIZE];
    uint8_t other[FORMAT_HASH_SIZE];

    if (!hash_range(before->fd, before->header.image_offset, before->header.image_size, one, err) ||
        !hash_range(after->fd, after->header.image_offset, after->header.image_size, other, err))
        return false;
    *ret = memcmp(one, other, sizeof(one)) == 0;
    return true;
}

static struct jdoc *side_of(const struct side *side)
{
    const struct jdoc *ruby = jdoc_member(side->manifest, "ruby");
    struct jdoc *told = jdoc_object();

    jdoc_set_text(told, "name", side->bundle->header.name);
    jdoc_set_text(told, "version", jdoc_text_or(side->manifest, "version", ""));
    jdoc_set_text(told, "ruby", jdoc_text_or(ruby, "version", "?"));
    jdoc_set_number(told, "size", (int64_t)side->bundle->file_size);
    return told;
}

struct jdoc *difference_of(const struct bundle *before, const struct bundle *after, struct err *err)
{
    cleanup_with(release_side) struct side one = {.bundle = before};
    cleanup_with(release_side) struct side other = {.bundle = after};
    struct jdoc *difference;
    struct jdoc *files;
    bool is_same;

    if (!read_side(&one, err)) {
        (void)err_wrap(err, "'%s'", before->path);
        return NULL;
    }
    if (!read_side(&other, err)) {
        (void)err_wrap(err, "'%s'", after->path);
        return NULL;
    }
    if (!are_same(before, after, &is_same, err))
        return NULL;
    files = jdoc_array();
    if (!add_files(&one, &other, files, err)) {
        jdoc_free(files);
        return NULL;
    }
    difference = jdoc_object();
    jdoc_set(difference, "before", side_of(&one));
    jdoc_set(difference, "after", side_of(&other));
    jdoc_set_bool(difference, "same", is_same);
    jdoc_set(difference, "gems", changes_of(&one.gems, &other.gems));
    jdoc_set(difference, "libraries", changes_of(&one.libraries, &other.libraries));
    jdoc_set(difference, "files", files);
    jdoc_set(difference, "sizes", sizes_of(&one, &other));
    return difference;
}
