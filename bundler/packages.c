/* SPDX-License-Identifier: MIT */
#include "bundler/packages.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "bundler/plan.h"
#include "bundler/walk.h"
#include "common/cleanup.h"
#include "common/xalloc.h"

static size_t directory_length(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL ? 0 : (size_t)(slash - path);
}

/* The plan has the files of a directory one after the other. */
static bool is_new_directory(const struct packages *packages, const char *source)
{
    const char *last;
    size_t length = directory_length(source);

    if (packages->path_count == packages->object_count)
        return true;
    last = packages->paths[packages->path_count - 1];
    return directory_length(last) != length || strncmp(last, source, length) != 0;
}

static void collect_paths(struct packages *packages, const struct walk *walk,
                          const struct plan *plan)
{
    packages->paths = xcalloc(walk->count + plan->count + 1, sizeof(*packages->paths));
    for (size_t i = 0; i < walk->count; i++)
        packages->paths[packages->path_count++] = xstrdup(walk->objects[i].path);
    packages->object_count = packages->path_count;
    for (size_t i = 0; i < plan->count; i++) {
        const struct plan_entry *entry = plan->entries[i];

        if (entry->type == PLAN_FILE &&
            (entry->part == PLAN_PART_RUBY || entry->part == PLAN_PART_LIBS) &&
            is_new_directory(packages, entry->source))
            packages->paths[packages->path_count++] = xstrdup(entry->source);
    }
}

static int compare_texts(const char *a, const char *b)
{
    return strcmp(a != NULL ? a : "", b != NULL ? b : "");
}

static int compare_items(const void *a, const void *b)
{
    const struct packages_item *left = a;
    const struct packages_item *right = b;
    int order = compare_texts(left->kind, right->kind);

    if (order == 0)
        order = compare_texts(left->name, right->name);
    return order != 0 ? order : compare_texts(left->version, right->version);
}

static void collect_items(struct packages *packages)
{
    size_t kept = 0;

    packages->items = xcalloc(packages->path_count + 1, sizeof(*packages->items));
    for (size_t i = 0; i < packages->path_count; i++) {
        const struct owner *owner = &packages->owners[i];

        if (owner->package != NULL)
            packages->items[packages->count++] =
                (struct packages_item){owner->kind, owner->package, owner->version};
    }
    qsort(packages->items, packages->count, sizeof(*packages->items), compare_items);
    for (size_t i = 0; i < packages->count; i++)
        if (i == 0 || compare_items(&packages->items[i], &packages->items[kept - 1]) != 0)
            packages->items[kept++] = packages->items[i];
    packages->count = kept;
}

void packages_find(struct packages *ret, const struct walk *walk, const struct plan *plan,
                   const char *root)
{
    *ret = (struct packages){0};
    collect_paths(ret, walk, plan);
    ret->owners = xcalloc(ret->path_count + 1, sizeof(*ret->owners));
    owner_find(ret->owners, (const char *const *)ret->paths, ret->path_count, root);
    collect_items(ret);
}

void packages_release(struct packages *packages)
{
    owner_release(packages->owners, packages->path_count);
    for (size_t i = 0; i < packages->path_count; i++)
        free(packages->paths[i]);
    free(packages->paths);
    free(packages->owners);
    free(packages->items);
    *packages = (struct packages){0};
}
