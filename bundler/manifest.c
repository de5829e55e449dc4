/* SPDX-License-Identifier: MIT */
#include "bundler/manifest.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bundler/app.h"
#include "bundler/bundle.h"
#include "bundler/closure.h"
#include "bundler/demand.h"
#include "bundler/gems.h"
#include "bundler/image.h"
#include "bundler/jdoc.h"
#include "bundler/leftout.h"
#include "bundler/owner.h"
#include "bundler/plan.h"
#include "bundler/probe.h"
#include "bundler/provenance.h"
#include "bundler/variant.h"
#include "bundler/walk.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/format.h"
#include "common/xalloc.h"

static void set_owner(struct jdoc *object, const struct owner *owner)
{
    if (owner->package != NULL)
        jdoc_set_text(object, "package", owner->package);
    if (owner->version != NULL)
        jdoc_set_text(object, "package_version", owner->version);
}

static struct jdoc *gems_of(const struct probe *probe, const struct gems *gems)
{
    struct jdoc *list = jdoc_array();

    for (size_t i = 0; i < probe->gem_count; i++) {
        struct jdoc *gem = jdoc_object();

        jdoc_set_text(gem, "name", probe->gems[i].name);
        jdoc_set_text(gem, "version", probe->gems[i].version);
        jdoc_set_text(gem, "platform", probe->gems[i].platform);
        jdoc_set_bool(gem, "native", gems->is_native[i]);
        jdoc_set_number(gem, "bytes", (int64_t)gems->bytes[i]);
        jdoc_push(list, gem);
    }
    return list;
}

/* Takes text; `to` may hold `from`. */
static char *replace_all(char *text, const char *from, const char *to)
{
    size_t done = 0;
    const char *at;

    while (from != NULL && from[0] != '\0' && (at = strstr(text + done, from)) != NULL) {
        char *next = xasprintf("%.*s%s%s", (int)(at - text), text, to, at + strlen(from));

        done = (size_t)(at - text) + strlen(to);
        free(text);
        text = next;
    }
    return text;
}

/* Gems, application and a Ruby from a home under their names in the image: where they stood here is
 * nobody's business, and the same input must give the same bytes wherever it stands. */
static char *portable(const struct manifest_input *input, const char *text)
{
    const struct probe *probe = input->probe;
    cleanup_free char *image = plan_image_path(input->plan, probe->ruby.prefix);
    cleanup_free char *home = xasprintf("/%s", image);
    char *result = xstrdup(text);

    for (size_t i = 0; i < probe->gem_count; i++) {
        const struct probe_gem *gem = &probe->gems[i];
        cleanup_free char *dir = xasprintf("/" FORMAT_GEM_DIR "/gems/%s", gem->full_name);
        cleanup_free char *compiled = gems_extension_dir(probe, gem);
        cleanup_free char *extension = xasprintf("/%s", compiled);

        if (gem->is_default)
            continue;
        result = replace_all(result, gem->dir, dir);
        result = replace_all(result, gem->extension_dir, extension);
    }
    result = replace_all(result, probe->ruby.prefix, home);
    return replace_all(result, input->app->dir, "/app");
}

static void set_portable(const struct manifest_input *input, struct jdoc *object, const char *key,
                         const char *text)
{
    cleanup_free char *shown = portable(input, text);

    jdoc_set_text(object, key, shown);
}

/* The main program of the walk is Ruby. */
static struct jdoc *ruby_of(const struct manifest_input *input)
{
    const struct probe *probe = input->probe;
    struct jdoc *ruby = jdoc_object();

    jdoc_set_text(ruby, "version", probe->ruby.version);
    jdoc_set_text(ruby, "platform", probe->ruby.platform);
    set_portable(input, ruby, "source", probe->ruby.program);
    jdoc_set_text(ruby, "bundler", probe->bundler_version);
    set_owner(ruby, &input->owners[0]);
    return ruby;
}

static struct jdoc *libraries_of(const struct manifest_input *input)
{
    const struct walk *walk = input->walk;
    struct jdoc *list = jdoc_array();

    for (size_t i = 0; i < walk->count; i++) {
        const struct walk_object *object = &walk->objects[i];
        struct jdoc *library;
        struct stat st;

        if (object->is_root)
            continue;
        library = jdoc_object();
        set_portable(input, library, "name", object->name);
        set_portable(input, library, "path", object->path);
        set_portable(input, library, "reason", object->reason);
        jdoc_set_number(library, "bytes", stat(object->path, &st) == 0 ? st.st_size : 0);
        set_owner(library, &input->owners[i]);
        jdoc_push(list, library);
    }
    return list;
}

/* Why each file is there: those whose reason is not their directory's, path: reason. */
static struct jdoc *reasons_of(const struct plan *plan)
{
    struct jdoc *reasons = jdoc_object();

    for (size_t i = 0; i < plan->count; i++) {
        const struct plan_entry *entry = plan->entries[i];

        if (plan_has_own_reason(plan, entry))
            jdoc_set_text(reasons, entry->path, entry->reason);
    }
    return reasons;
}

/* Every object with those that it needs, by their numbers in this list. */
static struct jdoc *objects_of(const struct manifest_input *input)
{
    const struct walk *walk = input->walk;
    const struct closure *closure = input->closure;
    struct jdoc *list = jdoc_array();

    for (size_t i = 0; i < walk->count; i++) {
        struct jdoc *object = jdoc_object();
        struct jdoc *needs = jdoc_array();

        set_portable(input, object, "name", walk->objects[i].name);
        if (closure->images[i] != NULL)
            jdoc_set_text(object, "image", closure->images[i]);
        set_portable(input, object, "reason", walk->objects[i].reason);
        jdoc_set_bool(object, "root", walk->objects[i].is_root);
        for (size_t edge = 0; edge < closure->edge_count; edge++)
            if (closure->edges[edge].from == i)
                jdoc_push_number(needs, (int64_t)closure->edges[edge].to);
        jdoc_set(object, "needs", needs);
        jdoc_push(list, object);
    }
    return list;
}

/* Image paths of objects that are not, byte for byte, what their package installed. */
static struct jdoc *edited_of(const struct closure *closure)
{
    struct jdoc *list = jdoc_array();

    for (size_t i = 0; i < closure->object_count; i++)
        if (closure->is_edited[i])
            jdoc_push_text(list, closure->images[i]);
    return list;
}

static struct jdoc *warnings_of(const struct manifest_input *input)
{
    struct jdoc *list = jdoc_array();

    for (size_t i = 0; i < input->warning_count; i++) {
        cleanup_free char *warning = portable(input, input->warnings[i]);

        jdoc_push_text(list, warning);
    }
    return list;
}

/* The most that any object asks for, and the first one that does. Of a variant, another processor
 * does not get to see anything. */
static struct jdoc *requires_of(const struct manifest_input *input)
{
    const struct walk *walk = input->walk;
    struct jdoc *requires = jdoc_object();
    struct demand most = {0};
    const char *cpu_of = NULL;
    const char *linux_of = NULL;

    for (size_t i = 0; i < walk->count; i++) {
        const struct elf *elf = walk_elf(walk, i);
        struct demand demand;

        if (elf == NULL || variant_is(walk->objects[i].path))
            continue;
        demand = demand_of(elf);
        if (demand.cpu_level > most.cpu_level) {
            most.cpu_level = demand.cpu_level;
            cpu_of = walk->objects[i].path;
        }
        if (demand.linux_version > most.linux_version) {
            most.linux_version = demand.linux_version;
            linux_of = walk->objects[i].path;
        }
    }
    if (most.cpu_level > 1) {
        cleanup_free char *level = xasprintf("x86-64-v%u", most.cpu_level);

        jdoc_set_text(requires, "cpu", level);
        set_portable(input, requires, "cpu_of", cpu_of);
    }
    if (linux_of != NULL) {
        cleanup_free char *version =
            xasprintf("%u.%u.%u", most.linux_version >> 16, most.linux_version >> 8 & 0xff,
                      most.linux_version & 0xff);

        jdoc_set_text(requires, "linux", version);
        set_portable(input, requires, "linux_of", linux_of);
    }
    return requires;
}

static struct jdoc *processes_of(const struct app *app)
{
    struct jdoc *processes = jdoc_object();

    for (size_t i = 0; i < app->config.processes.count; i++)
        jdoc_set_text(processes, app->config.processes.items[i].name,
                      app->config.processes.items[i].value);
    return processes;
}

/* Arrays by class; `data` also when it is empty. */
static struct jdoc *state_of(const struct app *app)
{
    struct jdoc *state = jdoc_object();

    for (enum state_class class = STATE_DATA; class <= STATE_LOG; class ++) {
        struct jdoc *paths = jdoc_array();
        size_t count = 0;

        for (size_t i = 0; i < app->states.count; i++) {
            if (app->states.items[i].class == class) {
                jdoc_push_text(paths, app->states.items[i].path);
                count++;
            }
        }
        if (count > 0 || class == STATE_DATA)
            jdoc_set(state, state_class_name(class), paths);
        else
            jdoc_free(paths);
    }
    return state;
}

static struct jdoc *source_of(const struct manifest_input *input)
{
    struct jdoc *source = jdoc_object();

    jdoc_set_text(source, "revision", input->provenance->revision);
    jdoc_set_bool(source, "modified", input->provenance->is_dirty);
    return source;
}

static struct jdoc *left_out_of(const struct leftout *leftout)
{
    struct jdoc *all = jdoc_object();

    for (enum leftout_class class = 0; class < LEFTOUT_COUNT; class ++) {
        struct jdoc *one;

        if (leftout->files[class] == 0)
            continue;
        one = jdoc_object();
        jdoc_set_number(one, "files", (int64_t)leftout->files[class]);
        if (!leftout_is_made(class)) /* the same gems give the same image */
            jdoc_set_number(one, "bytes", (int64_t)leftout->bytes[class]);
        jdoc_set(all, leftout_name(class), one);
    }
    return all;
}

static struct jdoc *parts_of(const struct plan *plan)
{
    int64_t bytes[PLAN_PART_COUNT] = {0};
    struct jdoc *parts = jdoc_object();

    for (size_t i = 0; i < plan->count; i++)
        bytes[plan->entries[i]->part] += (int64_t)plan->entries[i]->size_bytes;
    for (enum plan_part i = 0; i < PLAN_PART_COUNT; i++)
        jdoc_set_number(parts, plan_part_name(i), bytes[i]);
    return parts;
}

char *manifest_text(const struct manifest_input *input)
{
    struct jdoc *root = jdoc_object();
    char *text;

    jdoc_set_number(root, "format", FORMAT_VERSION);
    jdoc_set_text(root, "name", input->app->name);
    jdoc_set_text(root, "version",
                  input->app->config.version != NULL ? input->app->config.version : "");
    jdoc_set_text(root, "kind", app_kind_name(input->app->kind));
    jdoc_set_number(root, "time", input->time);
    if (input->provenance->revision != NULL)
        jdoc_set(root, "source", source_of(input));
    jdoc_set(root, "ruby", ruby_of(input));
    jdoc_set(root, "gems", gems_of(input->probe, input->gems));
    jdoc_set(root, "libraries", libraries_of(input));
    jdoc_set(root, "objects", objects_of(input));
    jdoc_set(root, "reasons", reasons_of(input->plan));
    jdoc_set(root, "requires", requires_of(input));
    jdoc_set(root, "edited", edited_of(input->closure));
    jdoc_set(root, "warnings", warnings_of(input));
    jdoc_set(root, "processes", processes_of(input->app));
    jdoc_set(root, "state", state_of(input->app));
    jdoc_set(root, "parts", parts_of(input->plan));
    jdoc_set(root, "left_out", left_out_of(&input->gems->leftout));
    text = jdoc_format(root);
    jdoc_free(root);
    return text;
}

struct jdoc *manifest_document(struct image *image, const char *path, struct err *err)
{
    cleanup_free char *text = NULL;
    struct jdoc *document;
    size_t size;

    if (!image_read(image, path, FORMAT_MANIFEST_MAX, &text, &size, err))
        return NULL;
    document = jdoc_parse(text, size, err);
    if (document == NULL) {
        (void)err_wrap(err, "'%s'", path);
        (void)err_id(err, "E-IMAGE");
    }
    return document;
}

static struct jdoc *read_from(const struct bundle *bundle, const char *path, struct err *err)
{
    struct image *image = NULL;
    struct jdoc *document = NULL;

    if (bundle_open_image(bundle, &image, err))
        document = manifest_document(image, path, err);
    image_free(image);
    return document;
}

struct jdoc *manifest_read(const struct bundle *bundle, struct err *err)
{
    struct jdoc *manifest = read_from(bundle, FORMAT_MANIFEST, err);

    /* Also false for anything that is not an object. */
    if (manifest != NULL && jdoc_number(manifest, "format") != FORMAT_VERSION) {
        jdoc_free(manifest);
        manifest = NULL;
        (void)err_set(err, ERR_INPUT, "'" FORMAT_MANIFEST "' is no manifest of format %d",
                      FORMAT_VERSION);
        (void)err_id(err, "E-IMAGE");
    }
    if (manifest == NULL)
        (void)err_wrap(err, "'%s'", bundle->path);
    return manifest;
}

struct jdoc *manifest_read_sbom(const struct bundle *bundle, struct err *err)
{
    struct jdoc *sbom = read_from(bundle, FORMAT_SBOM, err);

    if (sbom == NULL) {
        (void)err_wrap(err, "'%s'", bundle->path);
        (void)err_hint(err, "build the bundle again with this version");
    }
    return sbom;
}
