/* SPDX-License-Identifier: MIT */
#include "bundler/objects.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/err.h"
#include "common/xalloc.h"

enum { SLOTS_FIRST = 1024 };

struct entry {
    char *path;
    uint64_t hash;
    struct elf *elf; /* NULL until objects_get() */
    bool is_fit_known;
    enum elf_fit fit;
    int like_class; /* what fit is about */
    int like_machine;
    bool is_dir_known;
    bool is_dir;
    bool is_marked;
};

/* Open addressing; never more than half full. */
struct objects {
    struct entry *slots;
    size_t slot_count; /* a power of two */
    size_t used;
};

/* FNV-1a */
static uint64_t hash_of(const char *text)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
    return hash;
}

static struct entry *slot_of(const struct objects *objects, const char *path, uint64_t hash)
{
    size_t mask = objects->slot_count - 1;

    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        struct entry *entry = &objects->slots[i];

        if (entry->path == NULL || (entry->hash == hash && strcmp(entry->path, path) == 0))
            return entry;
    }
}

static void grow(struct objects *objects)
{
    struct objects larger = {.slot_count = objects->slot_count * 2, .used = objects->used};

    larger.slots = xcalloc(larger.slot_count, sizeof(*larger.slots));
    for (size_t i = 0; i < objects->slot_count; i++) {
        const struct entry *entry = &objects->slots[i];

        if (entry->path != NULL)
            *slot_of(&larger, entry->path, entry->hash) = *entry;
    }
    free(objects->slots);
    *objects = larger;
}

static struct entry *entry_of(struct objects *objects, const char *path)
{
    uint64_t hash = hash_of(path);
    struct entry *entry = slot_of(objects, path, hash);

    if (entry->path != NULL)
        return entry;
    if (objects->used >= objects->slot_count / 2) {
        grow(objects);
        entry = slot_of(objects, path, hash);
    }
    objects->used++;
    entry->path = xstrdup(path);
    entry->hash = hash;
    return entry;
}

struct objects *objects_new(void)
{
    struct objects *objects = xcalloc(1, sizeof(*objects));

    objects->slot_count = SLOTS_FIRST;
    objects->slots = xcalloc(objects->slot_count, sizeof(*objects->slots));
    return objects;
}

void objects_free(struct objects *objects)
{
    if (objects == NULL)
        return;
    for (size_t i = 0; i < objects->slot_count; i++) {
        elf_release(objects->slots[i].elf);
        free(objects->slots[i].elf);
        free(objects->slots[i].path);
    }
    free(objects->slots);
    free(objects);
}

bool objects_get(struct objects *objects, const char *path, const struct elf **ret, struct err *err)
{
    struct entry *entry = entry_of(objects, path);
    struct elf *elf;

    if (entry->elf == NULL) {
        elf = xcalloc(1, sizeof(*elf));
        if (!elf_open(elf, path, err)) {
            free(elf);
            return false;
        }
        entry->elf = elf;
    }
    *ret = entry->elf;
    return true;
}

enum elf_fit objects_fit(struct objects *objects, const char *path, const struct elf *like,
                         struct err *err)
{
    struct entry *entry = entry_of(objects, path);
    enum elf_fit fit;

    if (entry->is_fit_known && entry->like_class == like->elf_class &&
        entry->like_machine == like->machine)
        return entry->fit;
    fit = elf_fit(path, like, err);
    if (fit == ELF_FIT_BROKEN) /* ends the search: its message is made each time */
        return fit;
    entry->is_fit_known = true;
    entry->fit = fit;
    entry->like_class = like->elf_class;
    entry->like_machine = like->machine;
    return fit;
}

bool objects_have_dir(struct objects *objects, const char *path)
{
    struct entry *entry = entry_of(objects, path);
    struct stat st;

    if (!entry->is_dir_known) {
        entry->is_dir_known = true;
        entry->is_dir =
            stat(path, &st) == 0 ? S_ISDIR(st.st_mode) : errno != ENOENT && errno != ENOTDIR;
    }
    return entry->is_dir;
}

bool objects_mark(struct objects *objects, const char *path)
{
    struct entry *entry = entry_of(objects, path);
    bool is_first = !entry->is_marked;

    entry->is_marked = true;
    return is_first;
}
