/* SPDX-License-Identifier: MIT */
#include "bundler/search.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "bundler/loader.h"
#include "bundler/objects.h"
#include "bundler/process.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/xalloc.h"

enum step { STEP_NEXT, STEP_HIT, STEP_ABANDON, STEP_FAIL };

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

static char *expand_tokens(const struct loader *loader, const char *origin, const char *source)
{
    const struct {
        const char *name;
        const char *value;
    } tokens[] = {{"ORIGIN", origin}, {"LIB", loader->lib}, {"PLATFORM", loader->platform}};
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

char *search_expand(const struct loader *loader, const char *origin, const char *text, size_t size)
{
    cleanup_free char *source = xstrndup(text, size);

    return strchr(source, '$') == NULL ? steal_ptr(&source) : expand_tokens(loader, origin, source);
}

void search_release(struct search *search)
{
    names_release(&search->tried);
    free(search->path);
    search->path = NULL;
}

static enum step try_file(struct search *search, const char *path, enum walk_found found,
                          struct err *err)
{
    const struct elf *like = search->process->maps[0].elf;

    if (names_have(&search->tried, path))
        return STEP_NEXT;
    switch (objects_fit(search->context->objects, path, like, err)) {
    case ELF_FIT_YES:
        search->path = xstrdup(path);
        search->found = found;
        return STEP_HIT;
    case ELF_FIT_FOREIGN:
        names_add(&search->tried, xasprintf("%s (of another machine)", path));
        return STEP_NEXT;
    case ELF_FIT_ABANDON:
        names_add(&search->tried, xstrdup(path));
        return STEP_ABANDON;
    case ELF_FIT_BROKEN:
        return STEP_FAIL;
    case ELF_FIT_ABSENT:
    default:
        names_add(&search->tried, xstrdup(path));
        return STEP_NEXT;
    }
}

/* The subdirectories for this machine's processor, best first. */
static enum step try_variants(struct search *search, const char *dir, enum walk_found found,
                              struct err *err)
{
    const struct loader *loader = search->context->loader;
    enum step step = STEP_NEXT;

    for (size_t i = 0; i < loader->variant_count && step == STEP_NEXT; i++) {
        cleanup_free char *variant = xasprintf("%s/%s", dir, loader->variants[i]);
        cleanup_free char *path = NULL;

        if (!loader_uses_variant(loader, i, search->context->mode.hwcaps_mask) ||
            !objects_have_dir(search->context->objects, variant))
            continue;
        path = xasprintf("%s/%s", variant, search->name);
        step = try_file(search, path, found, err);
    }
    return step == STEP_ABANDON ? STEP_NEXT : step;
}

/* dir is "" for the root directory. What it answers last decides whether the list is abandoned. */
static enum step try_dir(struct search *search, const char *dir, enum walk_found found,
                         struct err *err)
{
    cleanup_free char *path = xasprintf("%s/%s", dir, search->name);
    enum step step = STEP_NEXT;

    if (dir[0] != '\0' && !objects_have_dir(search->context->objects, dir)) {
        names_add(&search->tried, steal_ptr(&path));
        return STEP_NEXT;
    }
    if (search->context->mode.is_here)
        step = try_variants(search, dir, found, err);
    return step == STEP_NEXT ? try_file(search, path, found, err) : step;
}

/* One element of a list, with its tokens expanded. */
static enum step try_element(struct search *search, char *dir, enum walk_found found,
                             struct err *err)
{
    size_t len = strlen(dir);

    if (dir[0] != '/' && !search->context->mode.is_here) {
        names_add(&search->tried, xasprintf("%s (depends on the working directory)", dir));
        return STEP_NEXT;
    }
    if (len == 0)
        return try_dir(search, ".", found, err);
    while (len > 0 && dir[len - 1] == '/')
        dir[--len] = '\0';
    return try_dir(search, dir, found, err);
}

/* An RPATH, RUNPATH or library path. */
static enum step try_list(struct search *search, const char *list, const char *separators,
                          const char *origin, enum walk_found found, struct err *err)
{
    for (const char *element = list;;) {
        size_t len = strcspn(element, separators);
        cleanup_free char *dir = search_expand(search->context->loader, origin, element, len);
        enum step step = dir == NULL ? STEP_NEXT : try_element(search, dir, found, err);

        if (step == STEP_ABANDON)
            return STEP_NEXT;
        if (step != STEP_NEXT)
            return step;
        if (element[len] == '\0')
            return STEP_NEXT;
        element += len + 1;
    }
}

static enum step try_rpath(struct search *search, size_t map, struct err *err)
{
    const struct map *of = &search->process->maps[map];
    enum step step = STEP_NEXT;

    if (of->elf->rpath != NULL)
        step = try_list(search, of->elf->rpath, ":", of->origin, WALK_FOUND_RPATH, err);
    if (step == STEP_HIT)
        search->via = (long)map;
    return step;
}

/* The asker's RPATH, then that of who loaded it, and so on; the main program's in any case. */
static enum step try_rpaths(struct search *search, struct err *err)
{
    long map = (long)search->asker;
    long last = map;
    enum step step = STEP_NEXT;

    for (; map != PROCESS_NONE && step == STEP_NEXT; map = search->process->maps[map].loader) {
        step = try_rpath(search, (size_t)map, err);
        last = map;
    }
    return step == STEP_NEXT && last != 0 ? try_rpath(search, 0, err) : step;
}

static enum step try_runpath(struct search *search, struct err *err)
{
    const struct map *asker = &search->process->maps[search->asker];
    enum step step;

    if (asker->elf->runpath == NULL)
        return STEP_NEXT;
    step = try_list(search, asker->elf->runpath, ":", asker->origin, WALK_FOUND_RUNPATH, err);
    if (step == STEP_HIT)
        search->via = (long)search->asker;
    return step;
}

static enum step try_library_path(struct search *search, struct err *err)
{
    const char *list = search->context->mode.library_path;

    /* An empty one is none: it does not stand for the working directory. */
    if (list == NULL || list[0] == '\0')
        return STEP_NEXT;
    return try_list(search, list, ":;", search->process->maps[0].origin, WALK_FOUND_LIBRARY_PATH,
                    err);
}

static bool in_default_dir(const struct loader *loader, const char *path)
{
    for (size_t i = 0; i < loader->default_dir_count; i++)
        if (strncmp(path, loader->default_dirs[i], strlen(loader->default_dirs[i])) == 0)
            return true;
    return false;
}

static enum step try_cache(struct search *search, bool no_default, struct err *err)
{
    const struct loader *loader = search->context->loader;
    const char *cached;
    enum step step = STEP_NEXT;

    if (search->context->mode.no_cache)
        return STEP_NEXT;
    cached = search->context->mode.is_here
                 ? loader_cache_find_here(loader, search->name, search->context->mode.hwcaps_mask)
                 : loader_cache_find(loader, search->name);
    if (cached != NULL && !(no_default && in_default_dir(loader, cached)))
        step = try_file(search, cached, WALK_FOUND_CACHE, err);
    return step == STEP_ABANDON ? STEP_NEXT : step;
}

static enum step try_default_dirs(struct search *search, struct err *err)
{
    const struct loader *loader = search->context->loader;
    enum step step = STEP_NEXT;

    for (size_t i = 0; step == STEP_NEXT && i < loader->default_dir_count; i++) {
        cleanup_free char *dir = xstrdup(loader->default_dirs[i]);

        step = try_element(search, dir, WALK_FOUND_DEFAULT, err);
    }
    return step;
}

static enum step try_glibc(struct search *search, struct err *err)
{
    const struct elf *asker = search->process->maps[search->asker].elf;
    bool no_default = elf_ignores_default_dirs(asker);
    enum step step = STEP_NEXT;

    if (asker->runpath == NULL)
        step = try_rpaths(search, err);
    if (step == STEP_NEXT)
        step = try_library_path(search, err);
    if (step == STEP_NEXT)
        step = try_runpath(search, err);
    if (step == STEP_NEXT)
        step = try_cache(search, no_default, err);
    if (step == STEP_NEXT && !no_default)
        step = try_default_dirs(search, err);
    return step;
}

/* musl takes the first file that can be opened, whatever it is: of another machine, too, by which
 * it crashes. */
static enum step try_musl_file(struct search *search, const char *path, enum walk_found found,
                               struct err *err)
{
    const struct elf *like = search->process->maps[0].elf;
    enum step step = try_file(search, path, found, err);

    if (step == STEP_NEXT &&
        objects_fit(search->context->objects, path, like, err) == ELF_FIT_FOREIGN) {
        (void)err_set(err, ERR_INPUT, "'%s' is of another machine", path);
        (void)err_id(err, "E-ELF");
        return STEP_FAIL;
    }
    return step;
}

/* path_open(): empty elements are none, an element that makes trouble ends the whole search. */
static enum step try_musl_list(struct search *search, const char *list, enum walk_found found,
                               struct err *err)
{
    enum step step = STEP_NEXT;

    while (step == STEP_NEXT && *(list += strspn(list, ":\n")) != '\0') {
        size_t len = strcspn(list, ":\n");
        cleanup_free char *path = xasprintf("%.*s/%s", (int)len, list, search->name);

        if (path[0] != '/' && !search->context->mode.is_here)
            names_add(&search->tried, xasprintf("%s (depends on the working directory)", path));
        else
            step = try_musl_file(search, path, found, err);
        list += len;
    }
    return step;
}

/* fixup_rpath(): every "$ORIGIN" is replaced, whatever follows; another token drops it all. */
static char *expand_musl(const char *list, const char *origin)
{
    cleanup_free char *result = xstrdup("");
    size_t len = 0;

    for (const char *at = list; *at != '\0';) {
        bool braces = strncmp(at, "${ORIGIN}", 9) == 0;

        if (at[0] != '$') {
            append(&result, &len, at++, 1);
        } else if (braces || strncmp(at, "$ORIGIN", 7) == 0) {
            append(&result, &len, origin, strlen(origin));
            at += braces ? 9 : 7;
        } else {
            return NULL;
        }
    }
    return steal_ptr(&result);
}

static enum step try_musl_rpath(struct search *search, size_t map, struct err *err)
{
    const struct map *of = &search->process->maps[map];
    bool is_runpath = of->elf->runpath != NULL;
    const char *raw = is_runpath ? of->elf->runpath : of->elf->rpath;
    cleanup_free char *list = raw == NULL ? NULL : expand_musl(raw, of->origin);
    enum step step = STEP_NEXT;

    if (list != NULL)
        step = try_musl_list(search, list, is_runpath ? WALK_FOUND_RUNPATH : WALK_FOUND_RPATH, err);
    if (step == STEP_HIT)
        search->via = (long)map;
    return step;
}

static enum step try_musl(struct search *search, struct err *err)
{
    const struct loader *loader = search->context->loader;
    const char *library_path = search->context->mode.library_path;
    enum step step = STEP_NEXT;

    if (strlen(search->name) > NAME_MAX)
        return STEP_NEXT;
    if (library_path != NULL)
        step = try_musl_list(search, library_path, WALK_FOUND_LIBRARY_PATH, err);
    for (long map = (long)search->asker; map != PROCESS_NONE && step == STEP_NEXT;
         map = search->process->maps[map].loader)
        step = try_musl_rpath(search, (size_t)map, err);
    for (size_t i = 0; i < loader->default_dir_count && step == STEP_NEXT; i++)
        step = try_musl_list(search, loader->default_dirs[i], WALK_FOUND_DEFAULT, err);
    return step;
}

bool search_run(struct search *search, struct err *err)
{
    const struct search_context *context = search->context;
    enum step step = STEP_NEXT;

    search->via = PROCESS_NONE;
    if (search->name[0] == '/' || (context->mode.is_here && strchr(search->name, '/') != NULL))
        step = try_file(search, search->name, WALK_FOUND_PATH, err);
    else if (strchr(search->name, '/') != NULL || search->name[0] == '\0')
        names_add(&search->tried, xstrdup("(depends on the working directory)"));
    else if (context->loader->is_musl)
        step = try_musl(search, err);
    else
        step = try_glibc(search, err);
    return step != STEP_FAIL;
}
