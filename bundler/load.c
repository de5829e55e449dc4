/* SPDX-License-Identifier: MIT */
#include "bundler/load.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bundler/elf.h"
#include "bundler/elfsym.h"
#include "bundler/loader.h"
#include "bundler/objects.h"
#include "bundler/process.h"
#include "bundler/search.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/xalloc.h"

/* One map in the order of symbol search, which is the queue of the breadth-first walk, too. */
struct place {
    size_t map;
    bool is_done;
};

struct queue {
    struct place *places;
    size_t count;
    size_t capacity;
};

static void queue_insert(struct queue *queue, size_t at, size_t map, bool is_done)
{
    queue->places = xgrow(queue->places, &queue->capacity, queue->count, sizeof(*queue->places));
    memmove(queue->places + at + 1, queue->places + at,
            (queue->count - at) * sizeof(*queue->places));
    queue->places[at] = (struct place){map, is_done};
    queue->count++;
}

static void queue_remove(struct queue *queue, size_t at)
{
    queue->count--;
    memmove(queue->places + at, queue->places + at + 1,
            (queue->count - at) * sizeof(*queue->places));
}

/* queue->count when it is not there. */
static size_t queue_find(const struct queue *queue, size_t map)
{
    size_t at = 0;

    while (at < queue->count && queue->places[at].map != map)
        at++;
    return at;
}

static void queue_release(struct queue *queue)
{
    free(queue->places);
}

/* One load: a program's start or a dlopen(). */
struct load {
    const struct search_context *context;
    struct process *process;
    size_t first; /* maps before this one were there already */
    struct queue queue;
};

static void load_release(struct load *load)
{
    queue_release(&load->queue);
}

/* Of a path as opened: dl-object.c puts the working directory in front of a relative one. */
static char *origin_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    cleanup_free char *dir = slash == path ? xstrdup("/") : xstrndup(path, (size_t)(slash - path));
    cleanup_free char *cwd = NULL;

    if (path[0] == '/')
        return steal_ptr(&dir);
    cwd = getcwd(NULL, 0);
    return xasprintf("%s/%s", cwd == NULL ? "" : cwd, dir);
}

static struct map *add_map(struct process *process, const struct elf *elf, const char *path)
{
    cleanup_free char *origin = origin_of(path);

    return process_add(process, elf, path, origin);
}

/* Names of musl's own libraries, all of which are the loader: "libc.so", "libpthread.so.0". */
static bool is_musl_itself(const char *name)
{
    static const char *const reserved[] = {"c.", "pthread.", "rt.", "m.", "dl.", "util.", "xnet."};

    if (strncmp(name, "lib", 3) != 0)
        return false;
    for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
        if (strncmp(name + 3, reserved[i], strlen(reserved[i])) == 0)
            return true;
    return false;
}

static bool is_interp(const struct loader *loader, const char *name)
{
    if (strcmp(name, loader->path) == 0)
        return true;
    return loader->is_musl ? is_musl_itself(name)
                           : loader->soname != NULL && strcmp(name, loader->soname) == 0;
}

/* musl compares the names of files that a search found, never DT_SONAME. */
static long find_musl_name(const struct process *process, const char *name)
{
    for (size_t i = 1; i < process->count; i++) {
        const struct map *map = &process->maps[i];

        if (map->is_named && strcmp(strrchr(map->path, '/') + 1, name) == 0)
            return (long)i;
    }
    return PROCESS_NONE;
}

/* The map of the loader itself, which appears where it is asked for first. */
static bool map_interp(struct load *load, const char *name, long *ret, struct err *err)
{
    const char *path = load->context->loader->path;
    const struct elf *elf;
    struct map *map;

    for (size_t i = 1; i < load->process->count; i++) {
        if (load->process->maps[i].found == WALK_FOUND_INTERP) {
            *ret = (long)i;
            return true;
        }
    }
    if (!objects_get(load->context->objects, path, &elf, err))
        return false;
    map = add_map(load->process, elf, path);
    map->found = WALK_FOUND_INTERP;
    names_add(&map->names, xstrdup(name));
    *ret = (long)load->process->count - 1;
    return true;
}

/* A second libc in one process would be the end of it: musl takes itself for whatever exports both
 * (load_library(), "two versions of libc"). A file that cannot be read so is none. */
static bool is_musl_libc(const struct elf *elf)
{
    static const char *const symbols[] = {"__libc_start_main", "stdin"};
    cleanup_with(elfsym_release) struct elfsym exported = {0};
    struct err ignored = {0};

    if (!elfsym_read(&exported, elf, &ignored))
        return false;
    for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++) {
        const struct elfsym_ref ref = {.name = symbols[i]};

        if (!elfsym_defines(&exported, &ref))
            return false;
    }
    return true;
}

/* What a search found: a new map, or a file that is loaded already under another name. */
static bool map_found(struct load *load, const struct search *search, long loader,
                      const char *owner, long *ret, struct err *err)
{
    struct process *process = load->process;
    const struct elf *elf;
    struct map *map;

    if (!objects_get(load->context->objects, search->path, &elf, err))
        return false;
    if (!elf->has_dynamic) {
        (void)err_set(err, ERR_INPUT, "'%s' has no dynamic section", search->path);
        return err_id(err, "E-ELF");
    }
    *ret = process_find_file(process, elf);
    if (*ret == PROCESS_NONE && load->context->loader->is_musl && is_musl_libc(elf))
        return map_interp(load, search->name, ret, err);
    if (*ret != PROCESS_NONE) {
        map = &process->maps[*ret];
        names_add(&map->names, xstrdup(search->name));
        map->is_named |= search->found != WALK_FOUND_PATH;
        return true;
    }
    map = add_map(process, elf, search->path);
    map->loader = loader;
    map->owner = owner;
    map->found = search->found;
    map->is_named = search->found != WALK_FOUND_PATH;
    names_add(&map->names, xstrdup(search->name));
    *ret = (long)process->count - 1;
    return true;
}

static bool find_loaded(struct load *load, const char *name, long *ret)
{
    const struct loader *loader = load->context->loader;

    if (loader->is_musl) {
        *ret = is_interp(loader, name) || strchr(name, '/') != NULL
                   ? PROCESS_NONE
                   : find_musl_name(load->process, name);
        return *ret != PROCESS_NONE;
    }
    *ret = process_find_name(load->process, name);
    return *ret != PROCESS_NONE;
}

/* A name of maps[from] that is not loaded yet. *ret_edge is the edge to it; its `to` says where. */
static bool find_new(struct load *load, size_t from, const char *name, bool is_optional, long *ret,
                     struct process_edge *ret_edge, struct err *err)
{
    const struct map *asker = &load->process->maps[from];
    cleanup_with(search_release) struct search search = {
        .context = load->context, .process = load->process, .asker = from, .name = name};
    bool ok = true;

    if (is_interp(load->context->loader, name)) {
        ret_edge->found = WALK_FOUND_INTERP;
        ret_edge->via = PROCESS_NONE;
        return map_interp(load, name, ret, err);
    }
    if (!search_run(&search, err) ||
        (search.path != NULL && !map_found(load, &search, (long)from, asker->owner, ret, err)))
        ok = false;
    else if (search.path == NULL)
        process_add_missing(load->process,
                            &(struct process_missing){.from = from,
                                                      .name = (char *)(uintptr_t)name,
                                                      .tried = names_join(&search.tried, ", "),
                                                      .is_optional = is_optional});
    ret_edge->found = search.found;
    ret_edge->via = search.via;
    if (ok && *ret != PROCESS_NONE && load->process->maps[*ret].found == WALK_FOUND_INTERP) {
        ret_edge->found = WALK_FOUND_INTERP;
        ret_edge->via = PROCESS_NONE;
    }
    return ok;
}

/* *ret is PROCESS_NONE when there is none. */
static bool load_name(struct load *load, size_t from, const char *raw, bool is_optional, long *ret,
                      struct err *err)
{
    const struct map *asker = &load->process->maps[from];
    cleanup_free char *expanded =
        load->context->loader->is_musl
            ? NULL
            : search_expand(load->context->loader, asker->origin, raw, strlen(raw));
    const char *name = expanded == NULL ? raw : expanded;
    struct process_edge edge = {
        .from = from, .name = (char *)(uintptr_t)name, .found = WALK_FOUND_LOADED, .via = -1};

    if (!find_loaded(load, name, ret) &&
        !find_new(load, from, name, is_optional, ret, &edge, err)) {
        cleanup_free char *reason = process_reason(&load->process->maps[from]);

        return err_wrap(err, "'%s', %s", name, reason);
    }
    if (*ret != PROCESS_NONE) {
        edge.to = (size_t)*ret;
        process_add_edge(load->process, &edge);
    }
    return true;
}

static bool load_needed(struct load *load, size_t from, const char *name, struct err *err)
{
    long map = PROCESS_NONE;

    if (!load_name(load, from, name, false, &map, err))
        return false;
    if (map != PROCESS_NONE && queue_find(&load->queue, (size_t)map) == load->queue.count)
        queue_insert(&load->queue, load->queue.count, (size_t)map, (size_t)map < load->first);
    return true;
}

/* A filtee comes right before its owner, which stands at *at; unless it came earlier. */
static bool load_filter(struct load *load, size_t from, const struct elf_filter *filter, size_t *at,
                        struct err *err)
{
    long map = PROCESS_NONE;
    size_t old;
    bool is_done;

    if (!load_name(load, from, filter->name, filter->is_auxiliary, &map, err)) {
        if (!filter->is_auxiliary)
            return false;
        *err = (struct err){0};
        return true;
    }
    if (map == PROCESS_NONE)
        return true;
    old = queue_find(&load->queue, (size_t)map);
    if (old <= *at)
        return true;
    is_done = (size_t)map < load->first;
    if (old < load->queue.count) {
        is_done = load->queue.places[old].is_done;
        queue_remove(&load->queue, old);
    }
    queue_insert(&load->queue, (*at)++, (size_t)map, is_done);
    return true;
}

static bool load_all_of(struct load *load, size_t position, struct err *err)
{
    size_t from = load->queue.places[position].map;
    const struct elf *elf = load->process->maps[from].elf;
    size_t filter = 0;

    for (size_t n = 0; n <= elf->needed_count; n++) {
        for (; filter < elf->filter_count && elf->filters[filter].needed_before == n &&
               !load->context->loader->is_musl;
             filter++)
            if (!load_filter(load, from, &elf->filters[filter], &position, err))
                return false;
        if (n < elf->needed_count && !load_needed(load, from, elf->needed[n], err))
            return false;
    }
    return true;
}

static void keep_order(const struct load *load)
{
    struct process *process = load->process;

    free(process->order);
    process->order = xcalloc(load->queue.count, sizeof(*process->order));
    process->order_count = load->queue.count;
    for (size_t i = 0; i < load->queue.count; i++)
        process->order[i] = load->queue.places[i].map;
}

/* Filtees are put before the place that is being worked on, and are next. */
static bool load_all(struct load *load, struct err *err)
{
    queue_insert(&load->queue, 0, load->first, false);
    for (size_t i = 0; i < load->queue.count;) {
        struct place *place = &load->queue.places[i];

        if (place->is_done || load->process->maps[place->map].found == WALK_FOUND_INTERP) {
            i++;
            continue;
        }
        place->is_done = true;
        if (!load_all_of(load, i, err))
            return false;
    }
    keep_order(load);
    return true;
}

/* A library as main program is always started by the loader. */
static char *program_origin(const struct search_context *context, const struct elf *elf,
                            struct err *err)
{
    const struct loader *loader = context->loader;
    const char *path = elf->path;
    bool is_text = (context->mode.by_loader || elf->interp == NULL) &&
                   (loader->is_musl || loader->glibc_minor < 42);
    cleanup_free char *real = is_text ? xstrdup(path) : realpath(path, NULL);

    if (real != NULL)
        return origin_of(real);
    (void)err_sys(err, "'%s'", path);
    (void)err_id(err, "E-ELF");
    return NULL;
}

bool load_program(const struct search_context *context, struct process *process,
                  const struct elf *elf, const char *owner, struct err *err)
{
    cleanup_with(load_release) struct load load = {.context = context, .process = process};
    cleanup_free char *origin = program_origin(context, elf, err);
    struct map *main_map;

    if (origin == NULL)
        return false;
    main_map = process_add(process, elf, elf->path, origin);
    main_map->owner = owner;
    names_add(&main_map->names, xstrdup("")); /* the loader's name for it */
    return load_all(&load, err);
}

bool load_library(const struct search_context *context, struct process *process,
                  const struct elf *elf, const char *owner, struct err *err)
{
    cleanup_with(load_release) struct load load = {
        .context = context, .process = process, .first = process->count};
    struct map *map;

    if (process_find_name(process, elf->path) != PROCESS_NONE ||
        process_find_file(process, elf) != PROCESS_NONE)
        return true;
    map = add_map(process, elf, elf->path);
    map->owner = owner;
    names_add(&map->names, xstrdup(elf->path));
    return load_all(&load, err);
}

bool load_soname(const struct search_context *context, struct process *process, const char *soname,
                 const char *owner, long *ret, struct err *err)
{
    cleanup_with(load_release) struct load load = {
        .context = context, .process = process, .first = process->count};
    cleanup_with(search_release) struct search search = {
        .context = context, .process = process, .asker = 0, .name = soname};

    *ret = process_find_name(process, soname);
    if (*ret != PROCESS_NONE)
        return true;
    if (!search_run(&search, err) ||
        (search.path != NULL && !map_found(&load, &search, PROCESS_NONE, owner, ret, err)))
        return err_wrap(err, "'%s'", soname);
    return *ret == PROCESS_NONE || (size_t)*ret < load.first || load_all(&load, err);
}
