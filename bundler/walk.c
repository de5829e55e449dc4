/* SPDX-License-Identifier: MIT */
#include "bundler/walk.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bundler/elf.h"
#include "bundler/load.h"
#include "bundler/loader.h"
#include "bundler/names.h"
#include "bundler/objects.h"
#include "bundler/process.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/text.h"
#include "common/xalloc.h"

enum { MESSAGE_MAX = 1024 };

/* A DT_NEEDED that no search found. Another root may still bring an object of that name. */
struct missing {
    char *name;
    char *path;  /* who needs it */
    char *owner; /* or NULL */
    char *tried;
    bool is_final; /* no later dlopen() can help: the process does not start */
};

struct walk_state {
    struct loader loader;
    struct search_context context;
    struct process main; /* the main program and its closure; roots are added and taken off again */
    struct names provided; /* names and sonames that some dlopen()ed root brings along */
    struct missing *missing;
    size_t missing_count;
    size_t missing_capacity;
    size_t edge_capacity;
};

static size_t find_object(const struct walk *walk, const char *path)
{
    size_t i = 0;

    while (i < walk->count && strcmp(walk->objects[i].path, path) != 0)
        i++;
    return i;
}

/* Its index; an object that is there already keeps the reason it has. */
static size_t add_object(struct walk *walk, const struct walk_object *object)
{
    size_t i = find_object(walk, object->path);

    if (i < walk->count) {
        walk->objects[i].is_root |= object->is_root;
        return i;
    }
    walk->objects = xgrow(walk->objects, &walk->capacity, walk->count, sizeof(*walk->objects));
    walk->objects[walk->count++] = (struct walk_object){
        .path = xstrdup(object->path),
        .name = xstrdup(object->name),
        .soname = object->soname == NULL ? NULL : xstrdup(object->soname),
        .reason = xstrdup(object->reason),
        .found = object->found,
        .is_root = object->is_root,
    };
    return i;
}

static void add_root_object(struct walk *walk, const struct elf *elf, const char *reason)
{
    (void)add_object(walk, &(struct walk_object){.path = elf->path,
                                                 .name = elf->path,
                                                 .soname = elf->soname,
                                                 .reason = (char *)(uintptr_t)reason,
                                                 .found = WALK_FOUND_ROOT,
                                                 .is_root = true});
}

static void add_interp(struct walk *walk, const char *reason)
{
    const struct loader *loader = &walk->state->loader;

    (void)add_object(walk, &(struct walk_object){.path = loader->path,
                                                 .name = loader->path,
                                                 .soname = loader->soname,
                                                 .reason = (char *)(uintptr_t)reason,
                                                 .found = WALK_FOUND_INTERP});
}

/* Another extension may count on it: see struct missing. */
static void note_provided(struct walk_state *state, const char *name)
{
    if (name != NULL && !names_have(&state->provided, name))
        names_add(&state->provided, xstrdup(name));
}

/* One process after the other can meet the same edge; how the object was found says more than that
 * it was loaded already. */
static void add_edge(struct walk *walk, const struct walk_edge *edge)
{
    for (size_t i = 0; i < walk->edge_count; i++) {
        struct walk_edge *old = &walk->edges[i];

        if (old->from != edge->from || old->to != edge->to || strcmp(old->name, edge->name) != 0)
            continue;
        if (old->found == WALK_FOUND_LOADED) {
            old->found = edge->found;
            old->via = edge->via;
        }
        return;
    }
    walk->edges = xgrow(walk->edges, &walk->state->edge_capacity, walk->edge_count, sizeof(*edge));
    walk->edges[walk->edge_count] = *edge;
    walk->edges[walk->edge_count++].name = xstrdup(edge->name);
}

static void take_edge(struct walk *walk, const struct process *process,
                      const struct process_edge *edge)
{
    size_t from = find_object(walk, process->maps[edge->from].path);
    size_t to = find_object(walk, process->maps[edge->to].path);
    size_t via =
        edge->via == PROCESS_NONE ? walk->count : find_object(walk, process->maps[edge->via].path);

    add_edge(walk, &(struct walk_edge){
                       .from = from,
                       .to = to,
                       .name = edge->name,
                       .found = edge->found,
                       .via = via == walk->count ? NULL : walk->objects[via].path,
                   });
}

/* The edge that brought a map comes before every other one to it. None did for a dlopen(). */
static void take_map(struct walk *walk, const struct process *process, size_t index)
{
    const struct map *map = &process->maps[index];
    bool is_dlopened = map->loader == PROCESS_NONE && map->found != WALK_FOUND_INTERP;
    cleanup_free char *reason = NULL;

    for (size_t i = 0; i < process->edge_count && reason == NULL && !is_dlopened; i++)
        if (process->edges[i].to == index)
            reason = process_reason(&process->maps[process->edges[i].from]);
    (void)add_object(walk, &(struct walk_object){
                               .path = map->path,
                               .name = map->names.items[0],
                               .soname = map->elf->soname,
                               .reason = reason != NULL ? reason : (char *)(uintptr_t)map->owner,
                               .found = map->found,
                           });
}

static void take_missing(struct walk_state *state, const struct process *process,
                         const struct process_missing *missing)
{
    const struct map *from = &process->maps[missing->from];

    state->missing = xgrow(state->missing, &state->missing_capacity, state->missing_count,
                           sizeof(*state->missing));
    state->missing[state->missing_count++] = (struct missing){
        .name = xstrdup(missing->name),
        .path = xstrdup(from->path),
        .owner = from->owner == NULL ? NULL : xstrdup(from->owner),
        .tried = xstrdup(missing->tried),
        .is_final = process != &state->main || from->owner == NULL,
    };
}

/* What a load added to a process: maps from `first` on, edges from `first_edge` on. */
static void take_load(struct walk *walk, const struct process *process, size_t first,
                      size_t first_edge)
{
    struct walk_state *state = walk->state;

    for (size_t i = first; i < process->count; i++) {
        const struct map *map = &process->maps[i];

        if (i > 0)
            take_map(walk, process, i);
        if (process == &state->main && i > 0) {
            note_provided(state, map->names.items[0]);
            note_provided(state, map->elf->soname);
        }
    }
    for (size_t i = first_edge; i < process->edge_count; i++)
        take_edge(walk, process, &process->edges[i]);
    for (size_t i = 0; i < process->missing_count; i++)
        if (!process->missing[i].is_optional)
            take_missing(state, process, &process->missing[i]);
}

static bool start_process(struct walk *walk, struct process *process, const struct elf *elf,
                          const char *owner, struct err *err)
{
    if (!load_program(&walk->state->context, process, elf, owner, err))
        return false;
    take_load(walk, process, 0, 0);
    add_interp(walk, "the loader of every process");
    process_seal(process);
    return true;
}

static bool check_root(const struct walk *walk, const struct elf *elf, struct err *err)
{
    const struct elf *main_elf = walk->state->main.maps[0].elf;

    if (elf->machine != main_elf->machine || elf->elf_class != main_elf->elf_class) {
        (void)err_set(err, ERR_INPUT, "'%s' is for %s (%d bit), but '%s' is for %s (%d bit)",
                      elf->path, elf_machine_name(elf->machine), elf->elf_class * 32,
                      main_elf->path, elf_machine_name(main_elf->machine),
                      main_elf->elf_class * 32);
        (void)err_hint(err, "install the gems again on this machine");
        return err_id(err, "E-ELF");
    }
    if (!elf_is_program(elf) && !elf->has_dynamic) {
        (void)err_set(err, ERR_INPUT, "'%s' has no dynamic section", elf->path);
        return err_id(err, "E-ELF");
    }
    if (elf_is_program(elf) && elf->interp != NULL && strcmp(elf->interp, walk->interp) != 0) {
        (void)err_set(err, ERR_INPUT, "'%s' wants the loader '%s', but '%s' wants '%s'", elf->path,
                      elf->interp, main_elf->path, walk->interp);
        return err_id(err, "E-LIBC");
    }
    return true;
}

static bool add_program(struct walk *walk, const struct elf *elf, const char *owner,
                        struct err *err)
{
    cleanup_with(process_release) struct process process = {0};

    return elf->interp == NULL || start_process(walk, &process, elf, owner, err);
}

/* dlopen() by path. What it brought is taken off again: see walk.h on the order of roots. */
static bool add_library(struct walk *walk, const struct elf *elf, const char *owner,
                        struct err *err)
{
    struct process *process = &walk->state->main;
    bool ok = load_library(&walk->state->context, process, elf, owner, err);

    if (ok)
        take_load(walk, process, process->sealed_count, process->sealed_edges);
    process_rewind(process);
    return ok;
}

static bool add_root(struct walk *walk, const struct walk_root *root, struct err *err)
{
    const struct elf *elf;

    if (root->path[0] != '/')
        return err_set(err, ERR_INPUT, "'%s' is not an absolute path", root->path);
    if (!objects_get(walk->state->context.objects, root->path, &elf, err) ||
        !check_root(walk, elf, err))
        return false;
    add_root_object(walk, elf, root->owner);
    return elf_is_program(elf) ? add_program(walk, elf, root->owner, err)
                               : add_library(walk, elf, root->owner, err);
}

/* The first DT_NEEDED that no other object of the process can satisfy is the error. */
static bool check_missing(const struct walk *walk, struct err *err)
{
    for (size_t i = 0; i < walk->state->missing_count; i++) {
        const struct missing *missing = &walk->state->missing[i];
        const char *of = missing->owner == NULL ? "" : " of ";

        if (!missing->is_final && names_have(&walk->state->provided, missing->name))
            continue;
        (void)err_set(err, ERR_INPUT, "'%s', needed by '%s'%s%s, was not found (tried %.*s)",
                      missing->name, missing->path, of,
                      missing->owner == NULL ? "" : missing->owner, MESSAGE_MAX,
                      missing->tried[0] == '\0' ? "nothing" : missing->tried);
        (void)err_hint(err,
                       "install the package that contains '%s'; if it is installed "
                       "elsewhere, add its directory to /etc/ld.so.conf.d and run ldconfig",
                       text_base_name(missing->name));
        return err_id(err, "E-LIB");
    }
    return true;
}

static bool start_walk(struct walk *walk, const char *main_path, struct err *err)
{
    struct walk_state *state = walk->state;
    const struct elf *elf;

    if (main_path[0] != '/')
        return err_set(err, ERR_INPUT, "'%s' is not an absolute path", main_path);
    state->context.objects = objects_new();
    state->context.loader = &state->loader;
    if (!objects_get(state->context.objects, main_path, &elf, err) ||
        !loader_open(&state->loader, elf, err))
        return false;
    walk->interp = xstrdup(elf->interp);
    walk->machine = elf->machine;
    walk->loader = &state->loader;
    add_root_object(walk, elf, "the main program");
    return start_process(walk, &state->main, elf, NULL, err);
}

bool walk_closure(struct walk *ret, const char *main_path, const struct walk_root *roots,
                  size_t root_count, struct err *err)
{
    struct walk walk = {.state = xcalloc(1, sizeof(*walk.state))};
    bool ok = start_walk(&walk, main_path, err);

    for (size_t i = 0; ok && i < root_count; i++) {
        ok = add_root(&walk, &roots[i], err);
        if (!ok)
            (void)err_wrap(err, "%s", roots[i].owner);
    }
    if (!ok || !check_missing(&walk, err)) {
        walk_release(&walk);
        return false;
    }
    *ret = walk;
    return true;
}

const struct elf *walk_elf(const struct walk *walk, size_t object)
{
    struct err ignored = {0};
    const struct elf *elf = NULL;

    /* Every object was read; the interpreter, which no other may need, is read here. */
    if (!objects_get(walk->state->context.objects, walk->objects[object].path, &elf, &ignored))
        return NULL;
    return elf;
}

/* What a caller ignores must not fail the next call. */
static void forget_missing(struct walk_state *state, size_t count)
{
    while (state->missing_count > count) {
        struct missing *missing = &state->missing[--state->missing_count];

        free(missing->name);
        free(missing->path);
        free(missing->owner);
        free(missing->tried);
    }
}

bool walk_add_root(struct walk *walk, const struct walk_root *root, struct err *err)
{
    size_t missing_before = walk->state->missing_count;

    if (add_root(walk, root, err) && check_missing(walk, err))
        return true;
    forget_missing(walk->state, missing_before);
    return err_wrap(err, "%s", root->owner);
}

bool walk_add_soname(struct walk *walk, const char *soname, const char *reason, bool *ret_found,
                     struct err *err)
{
    struct walk_state *state = walk->state;
    struct process *process = &state->main;
    size_t missing_before = state->missing_count;
    long map = PROCESS_NONE;
    bool ok = load_soname(&state->context, process, soname, reason, &map, err);

    if (ok) {
        take_load(walk, process, process->sealed_count, process->sealed_edges);
        ok = check_missing(walk, err);
    }
    process_rewind(process);
    if (ok)
        *ret_found = map != PROCESS_NONE;
    else
        forget_missing(state, missing_before);
    return ok;
}

static void state_free(struct walk_state *state)
{
    process_release(&state->main);
    objects_free(state->context.objects);
    names_release(&state->provided);
    forget_missing(state, 0);
    free(state->missing);
    loader_release(&state->loader);
    free(state);
}

void walk_release(struct walk *walk)
{
    if (walk == NULL)
        return;
    for (size_t i = 0; i < walk->count; i++) {
        free(walk->objects[i].path);
        free(walk->objects[i].name);
        free(walk->objects[i].soname);
        free(walk->objects[i].reason);
    }
    for (size_t i = 0; i < walk->edge_count; i++)
        free(walk->edges[i].name);
    free(walk->objects);
    free(walk->edges);
    free(walk->interp);
    if (walk->state != NULL)
        state_free(walk->state);
    *walk = (struct walk){0};
}
