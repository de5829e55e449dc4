/* SPDX-License-Identifier: MIT */
#include "bundler/weight.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bundler/image.h"
#include "bundler/jdoc.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/format.h"
#include "common/xalloc.h"

/* Of a directory that nobody knows, so many components tell what is in it. */
enum { DIR_COMPONENTS = 3 };

/* Files in the order of the walk, with the component each belongs to. */
struct file {
    size_t component;
    uint64_t bytes;
    struct image_place place;
    size_t number; /* in the image: of files with the same bytes the first has their weight */
};

/* In trees (tsearch(3)), by the first field. */
struct component {
    char *name;
    size_t index; /* in the weights */
};

struct library {
    char *path;
    const char *name;
};

struct scale {
    struct weights *weights;
    size_t weights_capacity;
    bool by_file; /* each is a component */
    void *components;
    void *libraries;
    struct file *files;
    size_t count;
    size_t capacity;
};

static int by_key(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void free_node(void *node)
{
    free(*(char **)node);
    free(node);
}

static void release(struct scale *scale)
{
    tdestroy(scale->components, free_node);
    tdestroy(scale->libraries, free_node);
    free(scale->files);
}

/* The node with this key, or NULL. */
static void *find(void *const *tree, const char *key)
{
    void *const *found = tfind(&key, tree, by_key);

    return found != NULL ? *found : NULL;
}

void weights_release(struct weights *weights)
{
    for (size_t i = 0; i < weights->count; i++)
        free(weights->items[i].name);
    free(weights->items);
    *weights = (struct weights){0};
}

static void add_library(struct scale *scale, const char *path, const char *name)
{
    struct library *library;

    path += path[0] == '/';
    if (find(&scale->libraries, path) != NULL)
        return;
    library = xcalloc(1, sizeof(*library));
    *library = (struct library){xstrdup(path), name};
    (void)xtsearch(library, &scale->libraries, by_key);
}

/* The manifest lives longer than the scale. */
static void read_libraries(struct scale *scale, const struct jdoc *libraries)
{
    for (size_t i = 0; i < jdoc_count(libraries); i++) {
        const struct jdoc *library = jdoc_at(libraries, i);
        const char *path = jdoc_text_or(library, "path", "");
        const char *name = jdoc_text_or(library, "name", path);
        cleanup_free char *merged = xasprintf("/usr%s", path);

        if (path[0] != '\0')
            add_library(scale, path, name);
        /* Where /lib is a symlink, it is listed by the loader's path. */
        if (path[0] == '/')
            add_library(scale, merged, name);
    }
}

/* What comes behind the directory, if the path is in it. */
static const char *below(const char *path, const char *dir)
{
    size_t len = strlen(dir);

    return strncmp(path, dir, len) == 0 && path[len] == '/' ? path + len + 1 : NULL;
}

static char *first_component(const char *path)
{
    return xstrndup(path, strcspn(path, "/"));
}

/* "gems/puma-8.0.2/...", "specifications/puma-8.0.2.gemspec",
 * "extensions/x86_64-linux/3.1.0/puma-8.0.2/..." */
static char *gem_of(const char *path)
{
    const char *inside = below(path, "gems");
    size_t len = strlen(path);

    if (inside != NULL)
        return first_component(inside);
    inside = below(path, "specifications");
    if (inside != NULL && len > strlen(".gemspec") &&
        strcmp(path + len - strlen(".gemspec"), ".gemspec") == 0)
        return xstrndup(inside, strlen(inside) - strlen(".gemspec"));
    inside = below(path, "extensions");
    for (int i = 0; i < 2 && inside != NULL; i++) {
        inside = strchr(inside, '/');
        inside = inside != NULL ? inside + 1 : NULL;
    }
    return inside != NULL ? first_component(inside) : xstrdup(FORMAT_GEM_DIR);
}

static char *runtime_of(const char *path)
{
    if (strncmp(path, FORMAT_ISEQS, strlen(FORMAT_ISEQS)) == 0)
        return xstrdup("compiled sources");
    if (strcmp(path, FORMAT_KEEPER) == 0)
        return xstrdup("keeper");
    return xstrdup("runtime");
}

/* The directory, cut off where a name would tell too much; a file at the top is itself. The triplet
 * of a multiarch system is part of a name: "usr/lib/x86_64-linux-gnu/ruby". */
static char *directory_of(const char *path)
{
    const char *last = strrchr(path, '/');
    const char *end = path;

    if (last == NULL)
        return xstrdup(path);
    for (int i = 0; i < DIR_COMPONENTS && end < last; i++) {
        const char *from = end + (i > 0);

        end = from + strcspn(from, "/");
        i -= memmem(from, (size_t)(end - from), "-linux-", strlen("-linux-")) != NULL;
    }
    return xstrndup(path, (size_t)(end - path));
}

/* Owned by the caller. */
static char *component_of(const struct scale *scale, const char *path, const char **ret_part)
{
    const char *inside = below(path, FORMAT_GEM_DIR);
    const struct library *library = find(&scale->libraries, path);

    *ret_part = library != NULL ? "libraries" : "gems";
    if (library != NULL)
        return xstrdup(library->name);
    if (inside != NULL)
        return gem_of(inside);
    *ret_part = "app";
    if (below(path, FORMAT_APP_DIR) != NULL)
        return xstrdup(FORMAT_APP_DIR);
    *ret_part = "runtime";
    if (below(path, FORMAT_DIR) != NULL || strchr(path, '/') == NULL)
        return runtime_of(path);
    *ret_part = strstr(path, "/ruby") != NULL ? "ruby" : "libraries";
    return directory_of(path);
}

static size_t add_weight(struct scale *scale, const char *name, const char *part)
{
    struct weights *weights = scale->weights;

    weights->items =
        xgrow(weights->items, &scale->weights_capacity, weights->count, sizeof(*weights->items));
    weights->items[weights->count] = (struct weight){.name = xstrdup(name), .part = part};
    return weights->count++;
}

static size_t find_component(struct scale *scale, const char *path)
{
    const char *part;
    cleanup_free char *name = component_of(scale, path, &part);
    struct component *found;

    if (scale->by_file)
        return add_weight(scale, path, part);
    found = find(&scale->components, name);
    if (found != NULL)
        return found->index;
    found = xcalloc(1, sizeof(*found));
    found->index = add_weight(scale, name, part);
    found->name = steal_ptr(&name);
    (void)xtsearch(found, &scale->components, by_key);
    return found->index;
}

/* A library's name often is a symlink, to the file beside it. */
static bool visit_link(const struct image_node *node, void *context, struct err *err)
{
    struct scale *scale = context;
    const struct library *library;

    (void)err;
    if (node->target == NULL || strchr(node->target, '/') != NULL)
        return true;
    library = find(&scale->libraries, node->path);
    if (library != NULL) {
        const char *name = strrchr(node->path, '/');
        int dir = name != NULL ? (int)(name + 1 - node->path) : 0;
        cleanup_free char *path = xasprintf("%.*s%s", dir, node->path, node->target);

        add_library(scale, path, library->name);
    }
    return true;
}

static bool visit_file(const struct image_node *node, void *context, struct err *err)
{
    struct scale *scale = context;

    (void)err;
    if (!S_ISREG(node->mode))
        return true;
    scale->files = xgrow(scale->files, &scale->capacity, scale->count, sizeof(*scale->files));
    scale->files[scale->count] = (struct file){find_component(scale, node->path), node->size_bytes,
                                               node->place, scale->count};
    scale->count++;
    return true;
}

static int compare(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int by_place(const void *a, const void *b)
{
    const struct file *x = a;
    const struct file *y = b;
    int order = compare(x->place.fragment, y->place.fragment);

    order = order != 0 ? order : compare(x->place.tail_at, y->place.tail_at);
    order = order != 0 ? order : compare(x->place.blocks_at, y->place.blocks_at);
    return order != 0 ? order : compare(x->number, y->number);
}

/* Whether the same bytes are the previous file's. */
static bool repeats_tail(const struct scale *scale, size_t index)
{
    const struct image_place *place = &scale->files[index].place;
    const struct image_place *before = index > 0 ? &scale->files[index - 1].place : NULL;

    return before != NULL && before->has_tail && before->fragment == place->fragment &&
           before->tail_at == place->tail_at;
}

/* Of each fragment, the bytes of its tails. */
static uint64_t *measure_fragments(const struct scale *scale, size_t fragments)
{
    uint64_t *tails = xcalloc(fragments + 1, sizeof(*tails));

    for (size_t i = 0; i < scale->count; i++) {
        const struct image_place *place = &scale->files[i].place;

        if (place->has_tail && place->fragment < fragments && !repeats_tail(scale, i))
            tails[place->fragment] += place->tail_bytes;
    }
    return tails;
}

static void weigh_tails(struct scale *scale, const struct image *image)
{
    size_t fragments = image_fragment_count(image);
    cleanup_free uint64_t *tails = NULL;

    qsort(scale->files, scale->count, sizeof(*scale->files), by_place);
    tails = measure_fragments(scale, fragments);
    for (size_t i = 0; i < scale->count; i++) {
        const struct image_place *place = &scale->files[i].place;

        if (place->has_tail && place->fragment < fragments && tails[place->fragment] > 0 &&
            !repeats_tail(scale, i))
            scale->weights->items[scale->files[i].component].packed +=
                image_fragment_bytes(image, place->fragment) * place->tail_bytes /
                tails[place->fragment];
    }
}

static int by_blocks(const void *a, const void *b)
{
    const struct file *x = a;
    const struct file *y = b;
    int order = compare(x->place.blocks_at, y->place.blocks_at);

    return order != 0 ? order : compare(x->number, y->number);
}

static void weigh_blocks(struct scale *scale)
{
    const struct image_place *before = NULL;

    qsort(scale->files, scale->count, sizeof(*scale->files), by_blocks);
    for (size_t i = 0; i < scale->count; i++) {
        const struct file *file = &scale->files[i];
        struct weight *weight = &scale->weights->items[file->component];

        weight->files++;
        weight->bytes += file->bytes;
        if (file->place.blocks_bytes == 0)
            continue;
        if (before == NULL || before->blocks_at != file->place.blocks_at)
            weight->packed += file->place.blocks_bytes;
        before = &file->place;
    }
}

static int by_weight(const void *a, const void *b)
{
    const struct weight *x = a;
    const struct weight *y = b;
    int order = compare(y->packed, x->packed);

    return order != 0 ? order : strcmp(x->name, y->name);
}

static bool weigh(struct scale *scale, struct weights *ret, struct image *image, struct err *err)
{
    struct weights *weights = scale->weights;

    if (!image_each(image, visit_link, scale, err) || !image_each(image, visit_file, scale, err))
        return false;
    if (scale->count > 0) {
        weigh_tails(scale, image);
        weigh_blocks(scale);
        qsort(weights->items, weights->count, sizeof(*weights->items), by_weight);
    }
    *ret = *weights;
    *weights = (struct weights){0};
    return true;
}

bool weights_read(struct weights *ret, struct image *image, const struct jdoc *manifest,
                  struct err *err)
{
    cleanup_with(weights_release) struct weights weights = {0};
    cleanup_with(release) struct scale scale = {.weights = &weights};

    if (manifest != NULL)
        read_libraries(&scale, jdoc_member(manifest, "libraries"));
    return weigh(&scale, ret, image, err);
}

bool weights_read_files(struct weights *ret, struct image *image, struct err *err)
{
    cleanup_with(weights_release) struct weights weights = {0};
    cleanup_with(release) struct scale scale = {.weights = &weights, .by_file = true};

    return weigh(&scale, ret, image, err);
}

struct jdoc *weights_json(const struct weights *weights)
{
    struct jdoc *sizes = jdoc_array();

    for (size_t i = 0; i < weights->count; i++) {
        const struct weight *weight = &weights->items[i];
        struct jdoc *one = jdoc_object();

        jdoc_set_text(one, "name", weight->name);
        jdoc_set_text(one, "part", weight->part);
        jdoc_set_number(one, "files", (int64_t)weight->files);
        jdoc_set_number(one, "bytes", (int64_t)weight->bytes);
        jdoc_set_number(one, "packed", (int64_t)weight->packed);
        jdoc_push(sizes, one);
    }
    return sizes;
}
