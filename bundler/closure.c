/* SPDX-License-Identifier: MIT */
#include "bundler/closure.h"

#include <stdlib.h>
#include <string.h>

#include "bundler/elf.h"
#include "bundler/gems.h"
#include "bundler/plan.h"
#include "bundler/program.h"
#include "bundler/relocate.h"
#include "bundler/ruby.h"
#include "bundler/walk.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/text.h"
#include "common/xalloc.h"

enum { LINKS_MAX = 40 };

/* What the functions below share. */
struct state {
    const struct closure_input *input;
    struct plan *plan;
    struct closure *closure;
    char **paths;         /* by object: what its copy keeps of its search path */
    bool *own_path_first; /* by object */
};

static void state_release(struct state *state)
{
    for (size_t i = 0; i < state->input->walk->count; i++)
        free(state->paths[i]);
    free(state->paths);
    free(state->own_path_first);
}

/* "a/b/../c" and "a/./c" without the dots, in place; false when it leads out of the image. */
static bool normalize(char *path)
{
    size_t used = 0;

    for (const char *at = path; *at != '\0';) {
        size_t len = strcspn(at, "/");
        const char *next = at + len + strspn(at + len, "/");

        if (len == 2 && strncmp(at, "..", 2) == 0) {
            if (used == 0)
                return false;
            while (used > 0 && path[--used] != '/')
                ;
        } else if (len > 0 && !(len == 1 && *at == '.')) {
            if (used > 0)
                path[used++] = '/';
            memmove(path + used, at, len);
            used += len;
        }
        at = next;
    }
    path[used] = '\0';
    return true;
}

/* The shortest prefix of a path that the plan holds as a symlink. */
static const struct plan_entry *first_link(const struct plan *plan, const char *path)
{
    cleanup_free char *prefix = xstrdup(path);

    for (size_t i = 1;; i++) {
        char kept = prefix[i];

        if (kept != '/' && kept != '\0')
            continue;
        prefix[i] = '\0';
        if (plan_find(plan, prefix) == NULL)
            return NULL;
        if (plan_find(plan, prefix)->type == PLAN_SYMLINK)
            return plan_find(plan, prefix);
        prefix[i] = kept;
        if (kept == '\0')
            return NULL;
    }
}

/* The file that a path is in the image, links followed; NULL when there is none. */
static const struct plan_entry *resolve(const struct plan *plan, const char *path)
{
    cleanup_free char *at = xstrdup(path);

    for (int i = 0; i < LINKS_MAX; i++) {
        const struct plan_entry *link;
        char *next;

        if (!normalize(at) || at[0] == '\0')
            return NULL;
        link = first_link(plan, at);
        if (link == NULL) {
            const struct plan_entry *entry = plan_find(plan, at);

            return entry != NULL && entry->type != PLAN_DIR ? entry : NULL;
        }
        next = xasprintf("%.*s%s%s", (int)(text_base_name(link->path) - link->path), link->path,
                         link->target, at + strlen(link->path));
        free(at);
        at = next;
    }
    return NULL;
}

/* A program lies beside its launcher, an object of a gem below the gem home; NULL for others. */
static const char *known_place(const struct closure_input *input, const char *path)
{
    for (size_t i = 0; i < input->programs->count; i++)
        if (input->programs->items[i].source != NULL &&
            strcmp(input->programs->items[i].source, path) == 0)
            return input->programs->items[i].elf;
    for (size_t i = 0; i < input->gems->object_count; i++)
        if (strcmp(input->gems->objects[i].path, path) == 0)
            return input->gems->objects[i].image;
    return NULL;
}

/* Where an object of this machine stands in the image. */
static char *place(const struct state *state, size_t object)
{
    const struct closure_input *input = state->input;
    const char *path = input->walk->objects[object].path;
    cleanup_free char *real = realpath(path, NULL);
    cleanup_free char *image = NULL;
    const char *known = known_place(input, path);
    const struct plan_entry *entry;

    if (object == 0)
        return xstrdup(input->ruby->elf);
    if (known == NULL && real != NULL)
        known = known_place(input, real);
    if (known != NULL)
        return xstrdup(known);
    image = real == NULL ? NULL : plan_image_path(state->plan, real);
    entry = image == NULL ? NULL : resolve(state->plan, image);
    for (size_t i = 0; real != NULL && entry == NULL && i < state->plan->count; i++)
        if (state->plan->entries[i]->type == PLAN_FILE &&
            strcmp(state->plan->entries[i]->source, real) == 0)
            entry = state->plan->entries[i];
    return entry == NULL ? NULL : xstrdup(entry->path);
}

/* An element of a search path with $ORIGIN replaced, and a file name behind it. */
static char *in_element(const char *element, size_t len, const char *object, const char *name)
{
    size_t token = strncmp(element, "${ORIGIN}", 9) == 0 ? 9
                   : strncmp(element, "$ORIGIN", 7) == 0 ? 7
                                                         : 0;

    if (token > len || token == 0)
        return xasprintf("%.*s/%s", (int)len, element, name);
    return xasprintf("%.*s%.*s/%s",
                     (int)(text_base_name(object) - object - (text_base_name(object) > object)),
                     object, (int)(len - token), element + token, name);
}

static const struct plan_entry *search_list(const struct state *state, size_t asker,
                                            const char *name)
{
    for (const char *at = state->paths[asker]; *at != '\0';) {
        size_t len = strcspn(at, ":");
        cleanup_free char *path = in_element(at, len, state->closure->images[asker], name);
        const struct plan_entry *entry = resolve(state->plan, path);

        if (entry != NULL)
            return entry;
        at += len + (at[len] == ':');
    }
    return NULL;
}

static const struct plan_entry *search_dirs(const struct state *state, char *const *dirs,
                                            size_t count, const char *name)
{
    const struct plan_entry *entry = NULL;

    for (size_t i = 0; i < count && entry == NULL; i++) {
        cleanup_free char *path = xasprintf("%s/%s", dirs[i], name);

        entry = resolve(state->plan, path);
    }
    return entry;
}

/* What the bundle's loader opens (walker: dl-load.c, _dl_map_new_object). */
static const struct plan_entry *search(const struct state *state, size_t asker, const char *name)
{
    const struct closure_input *input = state->input;
    bool is_rpath = state->own_path_first[asker] || walk_elf(input->walk, asker)->runpath == NULL;
    const struct plan_entry *entry = is_rpath ? search_list(state, asker, name) : NULL;

    if (entry == NULL)
        entry = search_dirs(state, (char *const *)(uintptr_t)input->dirs, input->dir_count, name);
    if (entry == NULL)
        entry = search_dirs(state, state->closure->dirs, state->closure->dir_count, name);
    if (entry == NULL && !is_rpath)
        entry = search_list(state, asker, name);
    return entry;
}

/* DT_RPATH is inherited by what an object loads: any one that leads there will do. */
static bool is_inherited(const struct state *state, const char *name, const char *image)
{
    for (size_t i = 0; i < state->input->walk->count; i++) {
        const struct plan_entry *entry = NULL;

        if (state->closure->images[i] != NULL && walk_elf(state->input->walk, i) != NULL &&
            walk_elf(state->input->walk, i)->runpath == NULL)
            entry = search_list(state, i, name);
        if (entry != NULL && strcmp(entry->path, image) == 0)
            return true;
    }
    return false;
}

/* Found by DT_RPATH of one who loaded the asker. That comes before the library path in the bundle,
 * too, as far as the copy keeps it. */
static bool is_by_loader(const struct state *state, const struct walk_edge *edge, const char *image)
{
    const struct walk *walk = state->input->walk;

    for (size_t i = 0; edge->found == WALK_FOUND_RPATH && i < walk->count; i++) {
        const struct plan_entry *entry;

        if (i == edge->from || state->closure->images[i] == NULL ||
            strcmp(walk->objects[i].path, edge->via) != 0)
            continue;
        entry = search_list(state, i, text_base_name(edge->name));
        return entry != NULL && strcmp(entry->path, image) == 0;
    }
    return false;
}

static void add_line(char ***lines, size_t *count, char *line)
{
    *lines = xrealloc_array(*lines, *count + 1, sizeof(**lines));
    (*lines)[(*count)++] = line;
}

static bool not_found(const struct walk_object *asker, const char *name, const char *image,
                      struct err *err)
{
    (void)err_set(err, ERR_INPUT,
                  "'%s', needed by '%s' (%s), is in the image as '%s', where nothing finds it",
                  name, asker->path, asker->reason, image);
    (void)err_hint(err, "give the file the name by which it is needed");
    return err_id(err, "E-LIB");
}

static bool not_packed(const struct walk_object *asker, const struct walk_object *wanted,
                       struct err *err)
{
    (void)err_set(err, ERR_INPUT, "'%s', needed by '%s' (%s), does not get into the image",
                  wanted->path, asker->path, asker->reason);
    (void)err_hint(err, "it lies in a directory of a gem that only its build needs: install the "
                        "library's package and build the gem with that (--use-system-libraries)");
    return err_id(err, "E-LIB");
}

/* Found through a directory of the build machine: the library path takes its place. */
static bool add_dir(struct state *state, size_t asker, const char *name, const char *image,
                    struct err *err)
{
    struct closure *closure = state->closure;
    const struct plan_entry *entry;
    char *dir;

    if (strchr(image, '/') == NULL)
        return not_found(&state->input->walk->objects[asker], name, image, err);
    dir = xstrndup(image, (size_t)(text_base_name(image) - image - 1));
    add_line(&closure->dirs, &closure->dir_count, dir);
    entry = search(state, asker, name);
    if (entry != NULL && strcmp(entry->path, image) == 0)
        return true;
    return not_found(&state->input->walk->objects[asker], name, image, err);
}

static void warn_conflict(struct state *state, size_t asker, const char *name, size_t wanted,
                          const char *got)
{
    const struct walk *walk = state->input->walk;
    const struct walk_object *object = &walk->objects[asker];
    const struct walk_object *other = NULL;

    for (size_t i = 0; i < walk->count; i++)
        if (state->closure->images[i] != NULL && strcmp(state->closure->images[i], got) == 0)
            other = &walk->objects[i];
    add_line(&state->closure->warnings, &state->closure->warning_count,
             xasprintf("'%s' is two files: '%s' for '%s' (%s), and '%s' (%s), which comes first in "
                       "the bundle",
                       name, walk->objects[wanted].path, object->path, object->reason,
                       other == NULL ? got : other->path,
                       other == NULL ? "in the image" : other->reason));
}

static void add_edge(struct closure *closure, size_t from, size_t to)
{
    closure->edges = xgrow(closure->edges, &closure->edge_capacity, closure->edge_count,
                           sizeof(*closure->edges));
    closure->edges[closure->edge_count++] = (struct closure_edge){from, to};
}

/* "$ORIGIN/libx.so": the edge has the path that it was here. */
static bool is_token(const struct elf *elf, const char *name)
{
    const char *base = text_base_name(name);

    for (size_t i = 0; strchr(name, '/') != NULL && i < elf->needed_count; i++)
        if (elf->needed[i][0] == '$' && strcmp(text_base_name(elf->needed[i]), base) == 0)
            return true;
    return false;
}

static bool check_edge(struct state *state, const struct walk_edge *edge, struct err *err)
{
    const struct walk *walk = state->input->walk;
    const char *name = text_base_name(edge->name);
    const char *image = state->closure->images[edge->to];
    const struct plan_entry *entry;

    add_edge(state->closure, edge->from, edge->to);
    /* The loader is loaded already; a name that begins with $ORIGIN is a path inside. */
    if (is_token(walk_elf(walk, edge->from), edge->name) ||
        walk->objects[edge->to].found == WALK_FOUND_INTERP)
        return true;
    if (image == NULL)
        return not_packed(&walk->objects[edge->from], &walk->objects[edge->to], err);
    entry = search(state, edge->from, name);
    if (is_by_loader(state, edge, image) || (entry != NULL && strcmp(entry->path, image) == 0))
        return true;
    if (entry == NULL)
        return is_inherited(state, name, image) || add_dir(state, edge->from, name, image, err);
    state->own_path_first[edge->from] = true;
    entry = search(state, edge->from, name);
    if (entry != NULL && strcmp(entry->path, image) == 0)
        return true;
    state->own_path_first[edge->from] = false;
    warn_conflict(state, edge->from, name, edge->to, search(state, edge->from, name)->path);
    return true;
}

/*
 * One name of one object can have led to two files, in two processes: to what the search finds, and
 * to what was loaded already. Who finds the first in the bundle has the second as here, too.
 */
static bool is_first(const struct walk *walk, size_t at)
{
    const struct walk_edge *edge = &walk->edges[at];

    for (size_t i = 0; i < walk->edge_count; i++) {
        const struct walk_edge *other = &walk->edges[i];
        bool is_better = edge->found == WALK_FOUND_LOADED && other->found != WALK_FOUND_LOADED;
        bool is_earlier = edge->found == WALK_FOUND_LOADED || other->found != WALK_FOUND_LOADED;

        if (other->from == edge->from && strcmp(other->name, edge->name) == 0 &&
            (is_better || (is_earlier && i < at)))
            return false;
    }
    return true;
}

static void place_all(struct state *state)
{
    const struct walk *walk = state->input->walk;

    for (size_t i = 0; i < walk->count; i++) {
        const struct elf *elf = walk_elf(walk, i);
        char *image = place(state, i);

        state->closure->images[i] = image;
        state->paths[i] =
            elf == NULL || image == NULL ? xstrdup("") : relocate_search_path(elf, image);
    }
}

/* One file by two names (a symlink) is two objects, and one copy: the first one stands for both. */
static size_t first_of(const struct closure *closure, size_t object)
{
    for (size_t i = 0; i < object; i++)
        if (closure->images[i] != NULL && strcmp(closure->images[i], closure->images[object]) == 0)
            return i;
    return object;
}

static bool edit_all(struct state *state, struct err *err)
{
    const struct walk *walk = state->input->walk;
    struct closure *closure = state->closure;

    for (size_t i = 0; i < walk->count; i++)
        if (closure->images[i] != NULL)
            state->own_path_first[first_of(closure, i)] |= state->own_path_first[i];
    for (size_t i = 0; i < walk->count; i++) {
        const struct elf *elf = walk_elf(walk, i);

        if (closure->images[i] == NULL || elf == NULL)
            continue;
        if (first_of(closure, i) != i)
            closure->is_edited[i] = closure->is_edited[first_of(closure, i)];
        else if (!relocate_object(elf, closure->images[i], state->own_path_first[i], state->plan,
                                  &closure->is_edited[i], err))
            return false;
    }
    return true;
}

static bool settle(struct state *state, struct err *err)
{
    const struct walk *walk = state->input->walk;
    struct closure *closure = state->closure;

    for (size_t i = 0; i < walk->edge_count; i++)
        if (closure->images[walk->edges[i].from] != NULL && is_first(walk, i) &&
            !check_edge(state, &walk->edges[i], err))
            return false;
    return edit_all(state, err);
}

bool closure_settle(struct closure *ret, const struct closure_input *input, struct plan *plan,
                    struct err *err)
{
    size_t count = input->walk->count;
    struct closure closure = {.images = xcalloc(count, sizeof(*closure.images)),
                              .is_edited = xcalloc(count, sizeof(*closure.is_edited)),
                              .object_count = count};
    cleanup_with(state_release) struct state state = {
        .input = input,
        .plan = plan,
        .closure = &closure,
        .paths = xcalloc(count, sizeof(*state.paths)),
        .own_path_first = xcalloc(count, sizeof(*state.own_path_first)),
    };

    place_all(&state);
    if (!settle(&state, err)) {
        closure_release(&closure);
        return false;
    }
    *ret = closure;
    return true;
}

void closure_release(struct closure *closure)
{
    if (closure == NULL)
        return;
    for (size_t i = 0; i < closure->object_count; i++)
        free(closure->images[i]);
    for (size_t i = 0; i < closure->dir_count; i++)
        free(closure->dirs[i]);
    for (size_t i = 0; i < closure->warning_count; i++)
        free(closure->warnings[i]);
    free(closure->edges);
    free(closure->images);
    free(closure->is_edited);
    free(closure->dirs);
    free(closure->warnings);
    *closure = (struct closure){0};
}
