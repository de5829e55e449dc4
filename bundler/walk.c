/* SPDX-License-Identifier: MIT */
#include "bundler/walk.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bundler/elf.h"
#include "bundler/loader.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/xalloc.h"

enum { MAP_NONE = -1, MESSAGE_MAX = 1024 };

struct strings {
    char **items;
    size_t count;
    size_t capacity;
};

/* One loaded object of a simulated process (struct link_map). */
struct map {
    const struct elf *elf;
    char *path;   /* l_name; the main program's is "" to the loader */
    char *origin; /* what $ORIGIN stands for */
    long loader;  /* index of the map that caused the load, MAP_NONE for main and after dlopen() */
    struct strings names;
    size_t sealed_names;
    const char *owner; /* "gem 'sqlite3'", or NULL for the main program's own closure */
};

struct process {
    struct map *maps; /* in load order, main program first */
    size_t count;
    size_t capacity;
    size_t sealed_count; /* the program's own closure: what process_rewind() keeps */
};

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
    struct elf **files; /* parsed once, by path as opened */
    size_t file_count;
    size_t file_capacity;
    struct process main; /* the main program and its closure; roots are added and taken off again */
    struct strings provided; /* names and sonames that some dlopen()ed root brings along */
    struct missing *missing;
    size_t missing_count;
    size_t missing_capacity;
};

static void strings_add(struct strings *strings, char *text)
{
    strings->items = xgrow(strings->items, &strings->capacity, strings->count, sizeof(char *));
    strings->items[strings->count++] = text;
}

static bool strings_have(const struct strings *strings, const char *text)
{
    for (size_t i = 0; i < strings->count; i++)
        if (strcmp(strings->items[i], text) == 0)
            return true;
    return false;
}

static void strings_cut(struct strings *strings, size_t count)
{
    while (strings->count > count)
        free(strings->items[--strings->count]);
}

static void strings_release(struct strings *strings)
{
    strings_cut(strings, 0);
    free(strings->items);
}

static void process_cut(struct process *process, size_t count)
{
    while (process->count > count) {
        struct map *map = &process->maps[--process->count];

        free(map->path);
        free(map->origin);
        strings_release(&map->names);
    }
}

static void process_seal(struct process *process)
{
    process->sealed_count = process->count;
    for (size_t i = 0; i < process->count; i++)
        process->maps[i].sealed_names = process->maps[i].names.count;
}

/* Back to the state right after the program's start, before any dlopen(). */
static void process_rewind(struct process *process)
{
    process_cut(process, process->sealed_count);
    for (size_t i = 0; i < process->count; i++)
        strings_cut(&process->maps[i].names, process->maps[i].sealed_names);
}

static void process_release(struct process *process)
{
    process_cut(process, 0);
    free(process->maps);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL ? path : slash + 1;
}

static char *dir_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == path ? xstrdup("/") : xstrndup(path, (size_t)(slash - path));
}

static bool get_file(struct walk_state *state, const char *path, const struct elf **ret,
                     struct err *err)
{
    struct elf *elf;

    for (size_t i = 0; i < state->file_count; i++) {
        if (strcmp(state->files[i]->path, path) == 0) {
            *ret = state->files[i];
            return true;
        }
    }
    elf = xcalloc(1, sizeof(*elf));
    if (!elf_open(elf, path, err)) {
        free(elf);
        return false;
    }
    state->files = xgrow(state->files, &state->file_capacity, state->file_count, sizeof(elf));
    state->files[state->file_count++] = elf;
    *ret = elf;
    return true;
}

static void add_object(struct walk *walk, const struct walk_object *object)
{
    for (size_t i = 0; i < walk->count; i++) {
        if (strcmp(walk->objects[i].path, object->path) == 0) {
            walk->objects[i].is_root |= object->is_root;
            return;
        }
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
}

/* $ORIGIN, $LIB, $PLATFORM (dl-load.c, _dl_dst_substitute) */
static size_t token_length(const char *text, const char *name)
{
    size_t len = strlen(name);
    bool braces = text[1] == '{';
    const char *start = text + 1 + braces;

    if (strncmp(start, name, len) != 0)
        return 0;
    if (braces)
        return start[len] == '}' ? len + 3 : 0;
    if (start[len] == '_' || (start[len] >= '0' && start[len] <= '9') ||
        (start[len] >= 'a' && start[len] <= 'z') || (start[len] >= 'A' && start[len] <= 'Z'))
        return 0;
    return len + 1;
}

static void append(char **text, size_t *len, const char *part, size_t part_len)
{
    *text = xrealloc_array(*text, *len + part_len + 1, 1);
    memcpy(*text + *len, part, part_len);
    *len += part_len;
    (*text)[*len] = '\0';
}

/* NULL when a token has no value here: the loader then drops the whole element. */
static char *expand(const struct loader *loader, const char *origin, const char *text, size_t size)
{
    const struct {
        const char *name;
        const char *value;
    } tokens[] = {{"ORIGIN", origin}, {"LIB", loader->lib}, {"PLATFORM", loader->platform}};
    cleanup_free char *source = xstrndup(text, size);
    cleanup_free char *result = xstrdup("");
    size_t len = 0;

    for (const char *at = source; *at != '\0';) {
        size_t skip = 0;

        for (size_t i = 0; *at == '$' && skip == 0 && i < sizeof(tokens) / sizeof(tokens[0]); i++) {
            skip = token_length(at, tokens[i].name);
            if (skip == 0)
                continue;
            if (tokens[i].value == NULL)
                return NULL;
            append(&result, &len, tokens[i].value, strlen(tokens[i].value));
        }
        if (skip == 0)
            append(&result, &len, at, 1);
        at += skip > 0 ? skip : 1;
    }
    return steal_ptr(&result);
}

/* One search for a name, on behalf of one map. */
struct search {
    struct walk_state *state;
    const struct process *process;
    const struct map *asker;
    const char *name;
    struct strings tried;
    char *path; /* the hit */
    enum walk_found found;
};

enum step { STEP_NEXT, STEP_HIT, STEP_ABANDON, STEP_FAIL };

static void search_release(struct search *search)
{
    strings_release(&search->tried);
    free(search->path);
}

static enum step try_file(struct search *search, const char *path, enum walk_found found,
                          struct err *err)
{
    const struct elf *like = search->process->maps[0].elf;

    if (strings_have(&search->tried, path))
        return STEP_NEXT;
    switch (elf_fit(path, like, err)) {
    case ELF_FIT_YES:
        search->path = xstrdup(path);
        search->found = found;
        return STEP_HIT;
    case ELF_FIT_FOREIGN:
        strings_add(&search->tried, xasprintf("%s (of another machine)", path));
        return STEP_NEXT;
    case ELF_FIT_ABANDON:
        strings_add(&search->tried, xstrdup(path));
        return STEP_ABANDON;
    case ELF_FIT_BROKEN:
        return STEP_FAIL;
    case ELF_FIT_ABSENT:
    default:
        strings_add(&search->tried, xstrdup(path));
        return STEP_NEXT;
    }
}

static enum step try_dir(struct search *search, char *dir, enum walk_found found, struct err *err)
{
    cleanup_free char *path = NULL;
    size_t len = strlen(dir);

    while (len > 0 && dir[len - 1] == '/')
        dir[--len] = '\0';
    path = xasprintf("%s/%s", dir, search->name);
    return try_file(search, path, found, err);
}

/* An RPATH or RUNPATH. Elements that depend on the working directory lead nowhere in a bundle. */
static enum step try_list(struct search *search, const char *list, const char *origin,
                          enum walk_found found, struct err *err)
{
    for (const char *element = list;;) {
        size_t len = strcspn(element, ":");
        cleanup_free char *dir = expand(&search->state->loader, origin, element, len);
        enum step step = STEP_NEXT;

        if (dir != NULL && dir[0] == '/')
            step = try_dir(search, dir, found, err);
        else if (dir != NULL)
            strings_add(&search->tried, xasprintf("%s (depends on the working directory)", dir));
        if (step == STEP_ABANDON)
            return STEP_NEXT;
        if (step != STEP_NEXT)
            return step;
        if (element[len] == '\0')
            return STEP_NEXT;
        element += len + 1;
    }
}

/* The asker's RPATH, then that of who loaded it, and so on; the main program's in any case. */
static enum step try_rpaths(struct search *search, struct err *err)
{
    const struct map *maps = search->process->maps;
    const struct map *map = search->asker;
    enum step step;

    for (;;) {
        if (map->elf->rpath != NULL) {
            step = try_list(search, map->elf->rpath, map->origin, WALK_FOUND_RPATH, err);
            if (step != STEP_NEXT)
                return step;
        }
        if (map->loader == MAP_NONE)
            break;
        map = &maps[map->loader];
    }
    if (map == &maps[0] || maps[0].elf->rpath == NULL)
        return STEP_NEXT;
    return try_list(search, maps[0].elf->rpath, maps[0].origin, WALK_FOUND_RPATH, err);
}

static bool in_default_dir(const struct loader *loader, const char *path)
{
    for (size_t i = 0; i < loader->default_dir_count; i++)
        if (strncmp(path, loader->default_dirs[i], strlen(loader->default_dirs[i])) == 0)
            return true;
    return false;
}

static enum step try_system(struct search *search, struct err *err)
{
    const struct loader *loader = &search->state->loader;
    const char *cached = loader_cache_find(loader, search->name);
    bool no_default = elf_ignores_default_dirs(search->asker->elf);
    enum step step = STEP_NEXT;

    if (cached != NULL && !(no_default && in_default_dir(loader, cached)))
        step = try_file(search, cached, WALK_FOUND_CACHE, err);
    if (step == STEP_ABANDON)
        step = STEP_NEXT;
    for (size_t i = 0; step == STEP_NEXT && !no_default && i < loader->default_dir_count; i++) {
        cleanup_free char *dir = xstrdup(loader->default_dirs[i]);

        step = try_dir(search, dir, WALK_FOUND_DEFAULT, err);
    }
    return step == STEP_ABANDON ? STEP_NEXT : step;
}

static enum step try_all(struct search *search, struct err *err)
{
    const struct map *asker = search->asker;
    enum step step = STEP_NEXT;

    if (search->name[0] == '/')
        return try_file(search, search->name, WALK_FOUND_PATH, err);
    if (strchr(search->name, '/') != NULL || search->name[0] == '\0') {
        strings_add(&search->tried, xstrdup("(depends on the working directory)"));
        return STEP_NEXT;
    }
    if (asker->elf->runpath == NULL)
        step = try_rpaths(search, err);
    else
        step = try_list(search, asker->elf->runpath, asker->origin, WALK_FOUND_RUNPATH, err);
    return step == STEP_NEXT ? try_system(search, err) : step;
}

/* The loader compares names before it touches any file. */
static bool has_name(const struct process *process, const char *name)
{
    for (size_t i = 0; i < process->count; i++) {
        const struct map *map = &process->maps[i];

        if ((i > 0 && strcmp(map->path, name) == 0) || strings_have(&map->names, name) ||
            (map->elf->soname != NULL && strcmp(map->elf->soname, name) == 0))
            return true;
    }
    return false;
}

/* The same file under another name is not loaded again. The main program is never compared. */
static struct map *find_inode(const struct process *process, const struct elf *elf)
{
    for (size_t i = 1; i < process->count; i++)
        if (process->maps[i].elf->dev == elf->dev && process->maps[i].elf->ino == elf->ino)
            return &process->maps[i];
    return NULL;
}

/* Another extension may count on it: see struct missing. */
static void note_provided(struct walk_state *state, const struct process *process,
                          const struct elf *elf, const char *name)
{
    if (process != &state->main)
        return;
    if (!strings_have(&state->provided, name))
        strings_add(&state->provided, xstrdup(name));
    if (elf->soname != NULL && !strings_have(&state->provided, elf->soname))
        strings_add(&state->provided, xstrdup(elf->soname));
}

static struct map *add_map(struct process *process, const struct elf *elf, const char *path)
{
    struct map *map;

    process->maps =
        xgrow(process->maps, &process->capacity, process->count, sizeof(*process->maps));
    map = &process->maps[process->count++];
    *map = (struct map){
        .elf = elf,
        .path = xstrdup(path),
        .origin = dir_name(path),
        .loader = MAP_NONE,
    };
    return map;
}

static void add_interp(struct walk *walk, const char *reason)
{
    const struct loader *loader = &walk->state->loader;

    add_object(walk, &(struct walk_object){.path = loader->path,
                                           .name = loader->path,
                                           .soname = loader->soname,
                                           .reason = (char *)(uintptr_t)reason,
                                           .found = WALK_FOUND_INTERP});
}

static char *needed_reason(const struct map *asker)
{
    if (asker->owner == NULL)
        return xasprintf("needed by %s", base_name(asker->path));
    return xasprintf("needed by %s of %s", base_name(asker->path), asker->owner);
}

static char *join(const struct strings *strings)
{
    char *text = xstrdup("");
    size_t len = 0;

    for (size_t i = 0; i < strings->count; i++) {
        if (i > 0)
            append(&text, &len, ", ", 2);
        append(&text, &len, strings->items[i], strlen(strings->items[i]));
    }
    return text;
}

static void note_missing(struct walk_state *state, const struct search *search)
{
    state->missing = xgrow(state->missing, &state->missing_capacity, state->missing_count,
                           sizeof(*state->missing));
    state->missing[state->missing_count++] = (struct missing){
        .name = xstrdup(search->name),
        .path = xstrdup(search->asker->path),
        .owner = search->asker->owner == NULL ? NULL : xstrdup(search->asker->owner),
        .tried = join(&search->tried),
        .is_final = search->process != &state->main || search->asker->owner == NULL,
    };
}

/* What a hit is: a new map, or a file that is loaded already under another name. */
enum load { LOAD_NEW, LOAD_OLD, LOAD_FAILED };

static enum load load_found(struct walk *walk, struct process *process, struct search *search,
                            bool is_dlopen, const char *reason, struct err *err)
{
    long loader = is_dlopen ? MAP_NONE : (long)(search->asker - process->maps);
    const char *owner = search->asker->owner;
    const struct elf *elf;
    struct map *map;

    if (!get_file(walk->state, search->path, &elf, err))
        return LOAD_FAILED;
    if (!elf->has_dynamic) {
        (void)err_set(err, ERR_INPUT, "'%s' has no dynamic section", search->path);
        (void)err_id(err, "E-ELF");
        return LOAD_FAILED;
    }
    map = find_inode(process, elf);
    if (map != NULL) {
        strings_add(&map->names, xstrdup(search->name));
        return LOAD_OLD;
    }
    add_object(walk, &(struct walk_object){.path = search->path,
                                           .name = (char *)(uintptr_t)search->name,
                                           .soname = elf->soname,
                                           .reason = (char *)(uintptr_t)reason,
                                           .found = search->found});
    note_provided(walk->state, process, elf, search->name);
    map = add_map(process, elf, search->path);
    map->loader = loader;
    map->owner = owner;
    strings_add(&map->names, xstrdup(search->name));
    return LOAD_NEW;
}

/* DT_NEEDED `raw` of maps[asker] (_dl_map_object). */
static bool load_needed(struct walk *walk, struct process *process, size_t asker, const char *raw,
                        struct err *err)
{
    const struct map *map = &process->maps[asker];
    const struct loader *loader = &walk->state->loader;
    cleanup_free char *name = expand(loader, map->origin, raw, strlen(raw));
    cleanup_free char *reason = needed_reason(map);
    cleanup_with(search_release) struct search search = {
        .state = walk->state,
        .process = process,
        .asker = map,
        .name = name == NULL ? raw : name,
    };

    if (has_name(process, search.name))
        return true;
    if (strcmp(search.name, loader->path) == 0 ||
        (loader->soname != NULL && strcmp(search.name, loader->soname) == 0)) {
        const struct elf *elf;

        if (!get_file(walk->state, loader->path, &elf, err))
            return false;
        add_interp(walk, reason);
        strings_add(&add_map(process, elf, loader->path)->names, xstrdup(search.name));
        return true;
    }
    switch (try_all(&search, err)) {
    case STEP_HIT:
        return load_found(walk, process, &search, false, reason, err) != LOAD_FAILED ||
               err_wrap(err, "'%s', %s", search.name, reason);
    case STEP_FAIL:
        return err_wrap(err, "'%s', %s", search.name, reason);
    default:
        note_missing(walk->state, &search);
        return true;
    }
}

/* Breadth first from map `first` on: the list is its own queue. */
static bool load_all_needed(struct walk *walk, struct process *process, size_t first,
                            struct err *err)
{
    for (size_t i = first; i < process->count; i++) {
        const struct elf *elf = process->maps[i].elf;

        if (strcmp(process->maps[i].path, walk->state->loader.path) == 0)
            continue;
        for (size_t n = 0; n < elf->needed_count; n++)
            if (!load_needed(walk, process, i, elf->needed[n], err))
                return false;
    }
    return true;
}

/* The main program of a process: $ORIGIN is where the kernel found the file. */
static bool start_process(struct walk *walk, struct process *process, const struct elf *elf,
                          const char *owner, struct err *err)
{
    cleanup_free char *real = realpath(elf->path, NULL);
    struct map *map;

    if (real == NULL) {
        (void)err_sys(err, "'%s'", elf->path);
        return err_id(err, "E-ELF");
    }
    map = add_map(process, elf, elf->path);
    free(map->origin);
    map->origin = dir_name(real);
    map->owner = owner;
    if (!load_all_needed(walk, process, 0, err))
        return false;
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
    size_t first = process->count;
    struct map *map;
    bool ok;

    if (has_name(process, elf->path) || find_inode(process, elf) != NULL)
        return true;
    note_provided(walk->state, process, elf, elf->path);
    map = add_map(process, elf, elf->path);
    map->owner = owner;
    strings_add(&map->names, xstrdup(elf->path));
    ok = load_all_needed(walk, process, first, err);
    process_rewind(process);
    return ok;
}

static bool add_root(struct walk *walk, const struct walk_root *root, struct err *err)
{
    const struct elf *elf;

    if (root->path[0] != '/')
        return err_set(err, ERR_INPUT, "'%s' is not an absolute path", root->path);
    if (!get_file(walk->state, root->path, &elf, err) || !check_root(walk, elf, err))
        return false;
    add_object(walk, &(struct walk_object){.path = elf->path,
                                           .name = elf->path,
                                           .soname = elf->soname,
                                           .reason = (char *)(uintptr_t)root->owner,
                                           .found = WALK_FOUND_ROOT,
                                           .is_root = true});
    return elf_is_program(elf) ? add_program(walk, elf, root->owner, err)
                               : add_library(walk, elf, root->owner, err);
}

/* The first DT_NEEDED that no other object of the process can satisfy is the error. */
static bool check_missing(const struct walk *walk, struct err *err)
{
    for (size_t i = 0; i < walk->state->missing_count; i++) {
        const struct missing *missing = &walk->state->missing[i];
        const char *of = missing->owner == NULL ? "" : " of ";

        if (!missing->is_final && strings_have(&walk->state->provided, missing->name))
            continue;
        (void)err_set(err, ERR_INPUT, "'%s', needed by '%s'%s%s, was not found (tried %.*s)",
                      missing->name, missing->path, of,
                      missing->owner == NULL ? "" : missing->owner, MESSAGE_MAX,
                      missing->tried[0] == '\0' ? "nothing" : missing->tried);
        (void)err_hint(err,
                       "install the package that contains '%s'; if it is installed "
                       "elsewhere, add its directory to /etc/ld.so.conf.d and run ldconfig",
                       base_name(missing->name));
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
    if (!get_file(state, main_path, &elf, err) || !loader_open(&state->loader, elf, err))
        return false;
    walk->interp = xstrdup(elf->interp);
    walk->machine = elf->machine;
    walk->loader = &state->loader;
    add_object(walk, &(struct walk_object){.path = elf->path,
                                           .name = elf->path,
                                           .soname = elf->soname,
                                           .reason = (char *)(uintptr_t) "the main program",
                                           .found = WALK_FOUND_ROOT,
                                           .is_root = true});
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

static bool add_soname_closure(struct walk *walk, const char *reason, size_t first, struct err *err)
{
    struct process *process = &walk->state->main;
    size_t missing_before = walk->state->missing_count;

    process->maps[first].owner = reason;
    if (load_all_needed(walk, process, first, err) && check_missing(walk, err))
        return true;
    forget_missing(walk->state, missing_before);
    return false;
}

bool walk_add_soname(struct walk *walk, const char *soname, const char *reason, bool *ret_found,
                     struct err *err)
{
    struct process *process = &walk->state->main;
    size_t first = process->count;
    cleanup_with(search_release) struct search search = {
        .state = walk->state,
        .process = process,
        .asker = &process->maps[0],
        .name = soname,
    };
    bool ok = true;

    if (has_name(process, soname)) {
        *ret_found = true;
        return true;
    }
    switch (try_all(&search, err)) {
    case STEP_HIT:
        break;
    case STEP_FAIL:
        return err_wrap(err, "'%s'", soname);
    default:
        *ret_found = false;
        return true;
    }
    switch (load_found(walk, process, &search, true, reason, err)) {
    case LOAD_NEW:
        ok = add_soname_closure(walk, reason, first, err);
        break;
    case LOAD_OLD:
        break;
    case LOAD_FAILED:
    default:
        ok = false;
        break;
    }
    process_rewind(process);
    if (ok)
        *ret_found = true;
    return ok;
}

const struct elf *walk_elf(const struct walk *walk, size_t object)
{
    const char *path = object < walk->count ? walk->objects[object].path : "";

    for (size_t i = 0; i < walk->state->file_count; i++)
        if (strcmp(walk->state->files[i]->path, path) == 0)
            return walk->state->files[i];
    return NULL;
}

static void state_free(struct walk_state *state)
{
    process_release(&state->main);
    for (size_t i = 0; i < state->file_count; i++) {
        elf_release(state->files[i]);
        free(state->files[i]);
    }
    free(state->files);
    strings_release(&state->provided);
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
    free(walk->objects);
    free(walk->interp);
    if (walk->state != NULL)
        state_free(walk->state);
    *walk = (struct walk){0};
}
