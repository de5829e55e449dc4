/* SPDX-License-Identifier: MIT */
/*
 * `rucksack why FILE NAME`: why something is in a bundle. A library by name or path, with the
 * shortest chain from each part of the application that needs it; a gem; any other path. From the
 * manifest alone: nothing of the bundle runs.
 */
#include <stddef.h>
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
#include "common/suggest.h"
#include "common/text.h"
#include "common/xalloc.h"

enum { CHAINS_SHOWN = 5, OBJECTS_MAX = 16384 };

struct why_options {
    bool json;
};

static const struct option_entry options[] = {
    {"json", 0, OPTION_FLAG, offsetof(struct why_options, json), NULL,
     "one JSON document on stdout"},
    {.type = OPTION_END},
};

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

/* From who needs it to what is asked for: its reason, and the names on the way. */
static struct jdoc *chain_of(const struct graph *graph, size_t object)
{
    struct jdoc *chain = jdoc_object();
    struct jdoc *names = jdoc_array();

    jdoc_set_text(chain, "reason", text_of(graph, object, "reason"));
    for (;; object = graph->next[object]) {
        jdoc_push_text(names, text_base_name(text_of(graph, object, "name")));
        if (graph->next[object] == object)
            break;
    }
    jdoc_set(chain, "names", names);
    return chain;
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

static void add_chains(const struct graph *graph, struct jdoc *answer)
{
    struct jdoc *chains = jdoc_array();
    size_t count = 0;

    for (size_t distance = 0; distance <= graph->count; distance++) {
        for (size_t i = 0; i < graph->count; i++) {
            if (graph->distance[i] != distance || !is_start(graph, i) || is_spoken_for(graph, i))
                continue;
            if (count++ < CHAINS_SHOWN)
                jdoc_push(chains, chain_of(graph, i));
        }
    }
    jdoc_set_text(answer, "kind", "library");
    jdoc_set(answer, "chains", chains);
    jdoc_set_number(answer, "more", (int64_t)(count - jdoc_count(chains)));
}

static bool add_gem(const struct jdoc *gems, const char *name, struct jdoc *answer)
{
    for (size_t i = 0; i < jdoc_count(gems); i++) {
        const struct jdoc *gem = jdoc_at(gems, i);

        if (strcmp(jdoc_text_or(gem, "name", ""), name) != 0)
            continue;
        jdoc_set_text(answer, "kind", "gem");
        jdoc_set_text(answer, "version", jdoc_text_or(gem, "version", "?"));
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
    bool ok = bundle_open_image(bundle, &image, err) && image_each(image, look, &lookup, err);

    image_free(image);
    *ret = lookup.is_found;
    return ok || err_wrap(err, "'%s'", bundle->path);
}

/* The reason of the path, or of the nearest directory above it that has one of its own. */
static bool add_path(const struct jdoc *reasons, const char *path, struct jdoc *answer)
{
    cleanup_free char *at = xstrdup(path);

    for (;;) {
        const char *reason = jdoc_text(reasons, at);
        char *slash = strrchr(at, '/');

        if (reason != NULL) {
            jdoc_set_text(answer, "kind", "path");
            jdoc_set_text(answer, "reason", reason);
            return true;
        }
        if (slash == NULL)
            return false;
        *slash = '\0';
    }
}

/* By the names that find_ways() and add_gem() know. */
static bool unknown(const struct bundle *bundle, const struct jdoc *manifest, const char *name,
                    struct err *err)
{
    const struct jdoc *objects = jdoc_member(manifest, "objects");
    const struct jdoc *gems = jdoc_member(manifest, "gems");
    struct suggest suggest = suggest_begin(name);

    for (size_t i = 0; i < jdoc_count(objects); i++)
        suggest_offer(&suggest, text_base_name(jdoc_text_or(jdoc_at(objects, i), "name", "")));
    for (size_t i = 0; i < jdoc_count(gems); i++)
        suggest_offer(&suggest, jdoc_text_or(jdoc_at(gems, i), "name", ""));
    (void)err_set(err, ERR_INPUT, "'%s': nothing in it is called '%s'", bundle->path, name);
    (void)err_id(err, "E-UNKNOWN");
    if (suggest.nearest != NULL)
        return suggest_hint(&suggest, NULL, err);
    return err_hint(err, "see what is in it: rucksack inspect %.200s", bundle->path);
}

/* Fills the answer. */
static bool explain(const struct bundle *bundle, const struct jdoc *manifest, const char *name,
                    struct jdoc *answer, struct err *err)
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
        add_chains(&graph, answer);
        return true;
    }
    if (add_gem(jdoc_member(manifest, "gems"), name, answer))
        return true;
    if (!is_in_image(bundle, path, &is_there, err))
        return false;
    return (is_there && add_path(jdoc_member(manifest, "reasons"), path, answer)) ||
           unknown(bundle, manifest, name, err);
}

static void print_chain(const struct jdoc *chain)
{
    const struct jdoc *names = jdoc_member(chain, "names");
    cleanup_free char *reason = text_visible(jdoc_text_or(chain, "reason", ""));

    fputs(reason, stdout);
    for (size_t i = 0; i < jdoc_count(names); i++) {
        cleanup_free char *name = text_visible(jdoc_text_at(names, i));

        printf(" -> %s", name);
    }
    putchar('\n');
}

static void print_text(const struct jdoc *answer, const char *asked)
{
    const struct jdoc *chains = jdoc_member(answer, "chains");
    long long more = (long long)jdoc_number(answer, "more");
    cleanup_free char *version = text_visible(jdoc_text_or(answer, "version", ""));
    cleanup_free char *reason = text_visible(jdoc_text_or(answer, "reason", ""));
    cleanup_free char *name = text_visible(asked);

    for (size_t i = 0; i < jdoc_count(chains); i++)
        print_chain(jdoc_at(chains, i));
    if (more > 0)
        printf("and %lld more\n", more);
    if (version[0] != '\0')
        printf("gem '%s' %s is in the application's Gemfile.lock\n", name, version);
    if (reason[0] != '\0')
        printf("%s -> %s\n", reason, name + strspn(name, "/"));
}

static bool answer(const struct bundle *bundle, const struct command_args *args, struct err *err)
{
    const struct why_options *given = args->options;
    const char *name = args->operands[1];
    struct jdoc *manifest = manifest_read(bundle, err);
    struct jdoc *found = jdoc_object();
    bool ok;

    jdoc_set_number(found, "format", 1);
    jdoc_set_text(found, "name", name);
    ok = manifest != NULL && explain(bundle, manifest, name, found, err);
    jdoc_free(manifest);
    if (ok && given->json) {
        jdoc_print(found);
        return true;
    }
    if (ok)
        print_text(found, name);
    jdoc_free(found);
    return ok;
}

static bool run(const struct command_args *args, struct err *err)
{
    struct bundle bundle;
    bool ok;

    if (!bundle_open(&bundle, args->operands[0], err))
        return false;
    ok = answer(&bundle, args, err);
    bundle_close(&bundle);
    return ok;
}

const struct command cmd_why = {
    .name = "why",
    .summary = "show why a library, gem or file is in a bundle",
    .operands = "FILE NAME",
    .operands_min = 2,
    .operands_max = 2,
    .options = options,
    .options_size = sizeof(struct why_options),
    .examples = "  rucksack why blog-x86_64.AppImage libz.so.1\n"
                "  rucksack why blog-x86_64.AppImage puma\n"
                "  rucksack why blog-x86_64.AppImage usr/lib/locale\n",
    .run = run,
};
