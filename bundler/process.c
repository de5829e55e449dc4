/* SPDX-License-Identifier: MIT */
#include "bundler/process.h"

#include <stdlib.h>
#include <string.h>

#include "bundler/elf.h"
#include "common/xalloc.h"

struct map *process_add(struct process *process, const struct elf *elf, const char *path,
                        const char *origin)
{
    struct map *map;

    process->maps =
        xgrow(process->maps, &process->capacity, process->count, sizeof(*process->maps));
    map = &process->maps[process->count++];
    *map = (struct map){
        .elf = elf,
        .path = xstrdup(path),
        .origin = xstrdup(origin),
        .loader = PROCESS_NONE,
    };
    return map;
}

void process_add_edge(struct process *process, const struct process_edge *edge)
{
    process->edges =
        xgrow(process->edges, &process->edge_capacity, process->edge_count, sizeof(*edge));
    process->edges[process->edge_count] = *edge;
    process->edges[process->edge_count++].name = xstrdup(edge->name);
}

void process_add_missing(struct process *process, const struct process_missing *missing)
{
    process->missing = xgrow(process->missing, &process->missing_capacity, process->missing_count,
                             sizeof(*process->missing));
    process->missing[process->missing_count] = *missing;
    process->missing[process->missing_count++].name = xstrdup(missing->name);
}

long process_find_file(const struct process *process, const struct elf *elf)
{
    for (size_t i = 1; i < process->count; i++)
        if (process->maps[i].elf->dev == elf->dev && process->maps[i].elf->ino == elf->ino)
            return (long)i;
    return PROCESS_NONE;
}

long process_find_name(const struct process *process, const char *name)
{
    for (size_t i = 0; i < process->count; i++) {
        const struct map *map = &process->maps[i];

        if ((i > 0 && strcmp(map->path, name) == 0) || names_have(&map->names, name) ||
            (map->elf->soname != NULL && strcmp(map->elf->soname, name) == 0))
            return (long)i;
    }
    return PROCESS_NONE;
}

char *process_reason(const struct map *asker)
{
    const char *slash = strrchr(asker->path, '/');
    const char *base = slash == NULL ? asker->path : slash + 1;

    if (asker->owner == NULL)
        return xasprintf("needed by %s", base);
    return xasprintf("needed by %s of %s", base, asker->owner);
}

static void cut_missing(struct process *process)
{
    while (process->missing_count > 0) {
        struct process_missing *missing = &process->missing[--process->missing_count];

        free(missing->name);
        free(missing->tried);
    }
}

static void cut(struct process *process, size_t count, size_t edge_count)
{
    while (process->edge_count > edge_count)
        free(process->edges[--process->edge_count].name);
    while (process->count > count) {
        struct map *map = &process->maps[--process->count];

        free(map->path);
        free(map->origin);
        names_release(&map->names);
    }
    cut_missing(process);
}

void process_seal(struct process *process)
{
    process->sealed_count = process->count;
    process->sealed_edges = process->edge_count;
    for (size_t i = 0; i < process->count; i++)
        process->maps[i].sealed_names = process->maps[i].names.count;
}

void process_rewind(struct process *process)
{
    cut(process, process->sealed_count, process->sealed_edges);
    for (size_t i = 0; i < process->count; i++)
        names_cut(&process->maps[i].names, process->maps[i].sealed_names);
}

void process_release(struct process *process)
{
    if (process == NULL)
        return;
    cut(process, 0, 0);
    free(process->maps);
    free(process->edges);
    free(process->missing);
    free(process->order);
    *process = (struct process){0};
}
