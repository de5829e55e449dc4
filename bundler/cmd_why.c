/* SPDX-License-Identifier: MIT */
/*
 * `rucksack why FILE NAME`: why something is in a bundle. A library by name or path, with the
 * shortest chain from each part of the application that needs it; a gem; any other path. From the
 * manifest alone: nothing of the bundle runs.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bundler/bundle.h"
#include "bundler/command.h"
#include "bundler/image.h"
#include "bundler/jdoc.h"
#include "bundler/manifest.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/text.h"
#include "common/xalloc.h"

enum { CHAINS_SHOWN = 5, OBJECTS_MAX = 16384 };

/* The objects of the manifest; for each the next one on the shortest way to the target. */
struct graph {
    const struct jdoc *objects;
    size_t count;
    size_t *next;     /* itself: the target */
    size_t *distance; /* SIZE_MAX: does not need the target */
};

static void graph_release(struct graph *graph)
{
    free(graph->next);
    free(graph->distance);
}

static const char *text_of(const struct graph *graph, size_t object, const char *key)
{
    return jdoc_text_or(jdoc_at(graph->objects, object), key, "");
}

static bool is_named(const struct graph *graph, size_t object, const char *name)
{
    const char *called = text_of(graph, object, "name");
    const char *image = text_of(graph, object, "image");

    if (strchr(name, '/') != NULL)
        return strcmp(image, name + (name[0] == '/')) == 0;
    return strcmp(text_base_name(called), name) == 0 || strcmp(text_base_name(image), name) == 0;
}

/* One round: objects that need one at this distance are one further. False: nothing new. */
static bool widen(struct graph *graph, size_t distance)
{
    bool is_new = false;

    for (size_t i = 0; i < graph->count; i++) {
        const struct jdoc *needs = jdoc_member(jdoc_at(graph->objects, i), "needs");

        for (size_t n = 0; graph->distance[i] == SIZE_MAX && n < jdoc_count(needs); n++) {
            int64_t given = jdoc_value_number(jdoc_at(needs, n));
            size_t to = given >= 0 && (uint64_t)given < graph->count ? (size_t)given : i;

            if (graph->distance[to] != distance)
                continue;
            graph->distance[i] = distance + 1;
            graph->next[i] = to;
            is_new = true;
        }
    }
    return is_new;
}

/* False when no object has the name. */
static bool find_ways(struct graph *graph, const char *name)
{
    bool is_known = false;

    graph->next = xcalloc(graph->count, sizeof(*graph->next));
    graph->distance = xcalloc(graph->count, sizeof(*graph->distance));
    for (size_t i = 0; i < graph->count; i++) {
        bool is_target = is_named(graph, i, name);

        graph->next[i] = i;
        graph->distance[i] = is_target ? 0 : SIZE_MAX;
        is_known |= is_target;
    }
    for (size_t distance = 0; is_known && widen(graph, distance); distance++)
        ;
    return is_known;
}

static void print_chain(const struct graph *graph, size_t object)
{
    cleanup_free char *reason = text_visible(text_of(graph, object, "reason"));

    fputs(reason, stdout);
    for (;; object = graph->next[object]) {
        cleanup_free char *name = text_visible(text_base_name(text_of(graph, object, "name")));

        printf(" -> %s", name);
        if (graph->next[object] == object)
            break;
    }
    putchar('\n');
}

/* A root, or what a recipe added: where a chain begins. */
static bool is_start(const struct graph *graph, size_t object)
{
    return jdoc_bool(jdoc_at(graph->objects, object), "root") ||
           strncmp(text_of(graph, object, "reason"), "needed by ", 10) != 0;
}

/* Of each part of the application the shortest one: an earlier or shorter one speaks for it. */
static bool is_spoken_for(const struct graph *graph, size_t object)
{
    for (size_t i = 0; i < graph->count; i++)
        if (i != object && graph->distance[i] != SIZE_MAX && is_start(graph, i) &&
            strcmp(text_of(graph, i, "reason"), text_of(graph, object, "reason")) == 0 &&
            (graph->distance[i] < graph->distance[object] ||
             (i < object && graph->distance[i] == graph->distance[object])))
            return true;
    return false;
}

static void print_chains(const struct graph *graph)
{
    size_t count = 0;

    for (size_t distance = 0; distance <= graph->count; distance++) {
        for (size_t i = 0; i < graph->count; i++) {
            if (graph->distance[i] != distance || !is_start(graph, i) || is_spoken_for(graph, i))
                continue;
            if (count++ < CHAINS_SHOWN)
                print_chain(graph, i);
        }
    }
    if (count > CHAINS_SHOWN)
        printf("and %zu more\n", count - CHAINS_SHOWN);
}

static bool print_gem(const struct jdoc *gems, const char *name)
{
    for (size_t i = 0; i < jdoc_count(gems); i++) {
        const struct jdoc *gem = jdoc_at(gems, i);
        cleanup_free char *version = NULL;
        cleanup_free char *shown = NULL;

        if (strcmp(jdoc_text_or(gem, "name", ""), name) != 0)
            continue;
        version = text_visible(jdoc_text_or(gem, "version", "?"));
        shown = text_visible(name);
        printf("gem '%s' %s is in the application's Gemfile.lock\n", shown, version);
        return true;
    }
    return false;
}

struct lookup {
    const char *path;
    bool is_found;
};

static bool look(const struct image_node *node, void *context, struct err *err)
{
    struct lookup *lookup = context;

    (void)err;
    lookup->is_found |= strcmp(node->path, lookup->path) == 0;
    return true;
}

static bool is_in_image(const struct bundle *bundle, const char *path, bool *ret, struct err *err)
{
    struct lookup lookup = {.path = path};
    struct image *image = NULL;
    bool ok = image_open(&image, bundle->fd, bundle->header.image_offset, bundle->header.image_size,
                         err) &&
              image_each(image, look, &lookup, err);

    image_free(image);
    *ret = lookup.is_found;
    return ok || err_wrap(err, "'%s'", bundle->path);
}

/* The reason of the path, or of the nearest directory above it that has one of its own. */
static bool print_path(const struct jdoc *reasons, const char *path)
{
    cleanup_free char *at = xstrdup(path);

    for (;;) {
        const char *given = jdoc_text(reasons, at);
        char *slash = strrchr(at, '/');

        if (given != NULL) {
            cleanup_free char *reason = text_visible(given);
            cleanup_free char *shown = text_visible(path);

            printf("%s -> %s\n", reason, shown);
            return true;
        }
        if (slash == NULL)
            return false;
        *slash = '\0';
    }
}

static bool unknown(const struct bundle *bundle, const char *name, struct err *err)
{
    (void)err_set(err, ERR_INPUT, "'%s': nothing in it is called '%s'", bundle->path, name);
    (void)err_id(err, "E-UNKNOWN");
    return err_hint(err, "see what is in it: rucksack inspect %.200s", bundle->path);
}

static bool explain(const struct bundle *bundle, const struct jdoc *manifest, const char *name,
                    struct err *err)
{
    const struct jdoc *objects = jdoc_member(manifest, "objects");
    cleanup_with(graph_release) struct graph graph = {.objects = objects,
                                                      .count = jdoc_count(objects)};
    const char *path = name + strspn(name, "/");
    bool is_there;

    if (graph.count > OBJECTS_MAX) {
        (void)err_set(err, ERR_INPUT, "'%s': the manifest has %zu objects", bundle->path,
                      graph.count);
        return err_id(err, "E-IMAGE");
    }
    if (find_ways(&graph, name)) {
        print_chains(&graph);
        return true;
    }
    if (print_gem(jdoc_member(manifest, "gems"), name))
        return true;
    if (!is_in_image(bundle, path, &is_there, err))
        return false;
    return (is_there && print_path(jdoc_member(manifest, "reasons"), path)) ||
           unknown(bundle, name, err);
}

static bool run(const struct command_args *args, struct err *err)
{
    struct jdoc *manifest;
    struct bundle bundle;
    bool ok = false;

    if (!bundle_open(&bundle, args->operands[0], err))
        return false;
    manifest = manifest_read(&bundle, err);
    if (manifest != NULL)
        ok = explain(&bundle, manifest, args->operands[1], err);
    jdoc_free(manifest);
    bundle_close(&bundle);
    return ok;
}

const struct command cmd_why = {
    .name = "why",
    .summary = "show why a library, gem or file is in a bundle",
    .operands = "FILE NAME",
    .operands_min = 2,
    .operands_max = 2,
    .examples = "  rucksack why blog-x86_64.AppImage libz.so.1\n"
                "  rucksack why blog-x86_64.AppImage puma\n"
                "  rucksack why blog-x86_64.AppImage usr/lib/locale\n",
    .run = run,
};
