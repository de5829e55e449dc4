/* SPDX-License-Identifier: MIT */
#include "bundler/gems.h"

#include <stdlib.h>
#include <string.h>

#include "bundler/asset.h"
#include "bundler/elf.h"
#include "bundler/jdoc.h"
#include "bundler/plan.h"
#include "bundler/probe.h"
#include "bundler/selection.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/format.h"
#include "common/path.h"
#include "common/text.h"
#include "common/xalloc.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

struct filter {
    struct gems *gems;
    const char *dir;          /* absolute source of the tree */
    const char *image;        /* image path of the tree */
    const char *owner;        /* "gem 'puma'" */
    const char *gem;          /* "puma" */
    const char *api;          /* Ruby's: "3.1.0" */
    const char *app_dir;      /* absolute, real */
    const struct jdoc *files; /* of a source tree; NULL: all are the gem's */
    struct plan *plan;        /* where what is left out is noted */
};

/* Of the application, in the tree of a gem above it: `gemspec path: ".."`. */
static bool is_of_app(const char *relative, const struct filter *filter)
{
    cleanup_free char *path = xasprintf("%s/%s", filter->dir, relative);

    return !path_lies_in(filter->dir, filter->app_dir) && path_lies_in(path, filter->app_dir);
}

/* A source tree holds secrets, caches and other gems beside the gem's own files. */
static bool is_foreign(const char *relative, bool is_dir, const struct filter *filter)
{
    size_t len = strlen(relative);

    if (filter->files == NULL || (!selection_is_excluded(relative) && !is_of_app(relative, filter)))
        return false;
    for (size_t i = 0; i < jdoc_count(filter->files); i++) {
        const char *file = jdoc_text_at(filter->files, i);

        if (file != NULL && strncmp(file, relative, len) == 0 &&
            (file[len] == '\0' || (is_dir && file[len] == '/')))
            return false;
    }
    return true;
}

/* Programs and libraries alike: all that the loader will have to map. */
static bool is_object(const char *relative, const char *path)
{
    size_t len = strlen(relative);

    return (len > 3 && strcmp(relative + len - 3, ".so") == 0) ||
           (strstr(relative, ".so.") != NULL && elf_is_elf(path));
}

void gems_add_object(struct gems *gems, const char *path, const char *image, const char *owner)
{
    gems->objects = xrealloc_array(gems->objects, gems->object_count + 1, sizeof(*gems->objects));
    gems->objects[gems->object_count++] =
        (struct gems_object){xstrdup(path), xstrdup(image), xstrdup(owner)};
}

static void leave_out(const struct filter *filter, const char *relative, const char *why)
{
    cleanup_free char *path = xasprintf("%s/%s", filter->image, relative);
    cleanup_free char *reason = xasprintf("%s: %s", filter->owner, why);

    plan_leave_out(filter->plan, path, reason);
}

static bool is_packed(const char *relative, bool is_dir, void *context)
{
    struct filter *filter = context;
    struct gems *gems = filter->gems;
    cleanup_free char *path = NULL;
    enum leftout_class class;

    const struct leftout_tree tree = {filter->gem, filter->dir, filter->api, filter->files == NULL};

    if (is_foreign(relative, is_dir, filter)) {
        leave_out(filter, relative, "a source tree: not of the gem's files");
        return false;
    }
    class = leftout_judge(&gems->leftout, &tree, relative, is_dir);
    if (class != LEFTOUT_NOTHING) {
        leave_out(filter, relative, leftout_name(class));
        return false;
    }
    path = xasprintf("%s/%s", filter->dir, relative);
    if (!is_dir && is_object(relative, path)) {
        cleanup_free char *image = xasprintf("%s/%s", filter->image, relative);

        gems_add_object(gems, path, image, filter->owner);
    }
    return true;
}

/* Gems are compiled with debug information, several times the size of the code. */
static bool trim_object(const struct gems_object *object, struct plan *plan, struct err *err)
{
    cleanup_free char *trimmed = NULL;
    struct elf elf;
    size_t size;
    bool ok = true;

    if (!elf_open(&elf, object->path, err))
        return false;
    trimmed = elf_trimmed(&elf, &size);
    if (trimmed != NULL)
        ok = plan_replace_data(plan, object->image, 0755, trimmed, size,
                               (struct plan_origin){PLAN_PART_GEMS, object->owner}, err);
    elf_release(&elf);
    return ok;
}

static bool plan_gem_tree(struct filter filter, struct plan *plan, struct err *err)
{
    struct gems *gems = filter.gems;
    size_t before = gems->object_count;

    if (!plan_add_tree(plan, filter.image, filter.dir,
                       (struct plan_origin){PLAN_PART_GEMS, filter.owner}, is_packed, &filter, err))
        return false;
    for (size_t i = before; i < gems->object_count; i++) {
        if (!trim_object(&gems->objects[i], plan, err))
            return false;
    }
    return true;
}

char *gems_extension_dir(const struct probe *probe, const struct probe_gem *gem)
{
    const char *api = probe->ruby.extension_api;

    return xasprintf(FORMAT_GEM_DIR "/extensions/%s%s%s/%s", probe->ruby.gem_platform,
                     api[0] != '\0' ? "/" : "", api, gem->full_name);
}

/* What the image holds of one gem: its tree, its extension directory, its frozen gemspec. */
static bool plan_gem(struct gems *gems, const struct probe *probe, size_t index, struct plan *plan,
                     struct err *err)
{
    const struct probe_gem *gem = &probe->gems[index];
    cleanup_free char *owner = xasprintf("gem '%s'", gem->name);
    cleanup_free char *dir = xasprintf(FORMAT_GEM_DIR "/gems/%s", gem->full_name);
    cleanup_free char *spec =
        xasprintf(FORMAT_GEM_DIR "/specifications/%s.gemspec", gem->full_name);
    cleanup_free char *extension = gems_extension_dir(probe, gem);
    cleanup_free char *app_dir =
        xstrndup(probe->gemfile, (size_t)(strrchr(probe->gemfile, '/') - probe->gemfile));
    const struct filter tree = {gems,    gem->dir,   dir, owner, gem->name, probe->ruby.api,
                                app_dir, gem->files, plan};
    const struct filter built = {gems,      gem->extension_dir, extension, owner,
                                 gem->name, probe->ruby.api,    app_dir,   NULL,
                                 plan};
    size_t before = gems->object_count;
    struct plan_origin origin = {PLAN_PART_GEMS, owner};

    if (gem->is_default)
        return true;
    if (!plan_gem_tree(tree, plan, err) ||
        (gem->extension_dir != NULL && !plan_gem_tree(built, plan, err))) {
        (void)err_hint(err, "install it again: bundle pristine %s", gem->name);
        return err_wrap(err, "%s", owner);
    }
    gems->is_native[index] = gems->object_count > before;
    return plan_add_data(plan, spec, 0644, gem->gemspec, strlen(gem->gemspec), origin, err);
}

static bool plan_script(struct gems *gems, struct plan *plan, const char *name, const char *text,
                        struct plan_origin origin, struct err *err)
{
    struct asset launch = asset_get(ASSET_LAUNCH);
    struct gems_script script = {xasprintf(FORMAT_DIR "/bin/%s", name),
                                 xasprintf(FORMAT_DIR "/exe/%s", name)};

    if (plan_find(plan, script.path) != NULL) {
        free(script.path); /* two gems with one executable: the first by name keeps it */
        free(script.file);
        return true;
    }
    gems->scripts = xrealloc_array(gems->scripts, gems->script_count + 1, sizeof(*gems->scripts));
    gems->scripts[gems->script_count++] = script;
    return plan_add_data(plan, script.path, 0755, launch.data, launch.size, origin, err) &&
           plan_add_data(plan, script.file, 0755, text, strlen(text), origin, err);
}

/* As a binstub: $0 is this file, by which a program may start itself again. */
static bool plan_executable(struct gems *gems, const struct probe_gem *gem, const char *name,
                            struct plan *plan, struct err *err)
{
    cleanup_free char *reason = xasprintf("executable of gem '%s'", gem->name);
    cleanup_free char *text = NULL;

    if (gem->is_default)
        return true;
    text = xasprintf("#!/usr/bin/env ruby\n# frozen_string_literal: true\n\n"
                     "require \"bundler/setup\"\n\n"
                     "load File.join(Gem.default_dir, \"gems/%s/%s/%s\")\n",
                     gem->full_name, gem->bindir, name);
    return plan_script(gems, plan, name, text, (struct plan_origin){PLAN_PART_GEMS, reason}, err);
}

static bool plan_executables(struct gems *gems, const struct probe *probe, struct plan *plan,
                             struct err *err)
{
    struct asset bundle = asset_get(ASSET_BUNDLE);
    cleanup_free char *text = xstrndup((const char *)bundle.data, bundle.size);

    if (!plan_script(gems, plan, "bundle", text, (struct plan_origin){PLAN_PART_RUNTIME, "Bundler"},
                     err))
        return false;
    for (size_t i = 0; i < probe->gem_count; i++) {
        const struct probe_gem *gem = &probe->gems[i];

        for (size_t j = 0; j < jdoc_count(gem->executables); j++) {
            if (!plan_executable(gems, gem, jdoc_text_at(gem->executables, j), plan, err))
                return err_wrap(err, "gem '%s'", gem->name);
        }
    }
    return true;
}

static char *list_gems(const struct probe *probe)
{
    cleanup_free const struct probe_gem **activated = xcalloc(probe->gem_count, sizeof(*activated));
    char *list = xstrdup("");

    for (size_t i = 0; i < probe->gem_count; i++)
        activated[probe->gems[i].rank] = &probe->gems[i];
    for (size_t i = 0; i < probe->gem_count; i++) {
        char *longer =
            xasprintf("%s%s[\"%s\", %s],", list, i > 0 ? "\n      " : "", activated[i]->full_name,
                      activated[i]->is_default ? "true" : "false");

        free(list);
        list = longer;
    }
    return list;
}

/* "development:test" */
static char *list_groups(const struct probe *probe, const char *key)
{
    const struct jdoc *groups = jdoc_member(probe->answer, key);
    char *list = xstrdup("");

    for (size_t i = 0; i < jdoc_count(groups); i++) {
        char *longer = xasprintf("%s%s%s", list, i > 0 ? ":" : "", jdoc_text_at(groups, i));

        free(list);
        list = longer;
    }
    return list;
}

static char *setup_text(const struct probe *probe)
{
    struct asset setup = asset_get(ASSET_BUNDLER_SETUP);
    struct asset packed = asset_get(ASSET_PACKED);
    const char *gemfile = strrchr(jdoc_text_or(probe->answer, "gemfile", "/Gemfile"), '/') + 1;
    cleanup_free char *text = xasprintf("%.*s%.*s", (int)setup.size, (const char *)setup.data,
                                        (int)packed.size, (const char *)packed.data);
    cleanup_free char *gems = list_gems(probe);
    cleanup_free char *with_gems = text_replace(text, "# @GEMS@", gems);
    cleanup_free char *left_out = list_groups(probe, "without");
    cleanup_free char *with_left_out = text_replace(with_gems, "@WITHOUT@", left_out);
    cleanup_free char *optional = list_groups(probe, "with");
    cleanup_free char *with_optional = text_replace(with_left_out, "@WITH@", optional);

    return text_replace(with_optional, "@GEMFILE@", gemfile);
}

static bool plan_library(const char *dir, const char *name, const char *text, size_t size_bytes,
                         struct plan *plan, struct err *err)
{
    cleanup_free char *path = xasprintf("%s/%s", dir, name);

    return plan_replace_data(plan, path, 0644, text, size_bytes,
                             (struct plan_origin){PLAN_PART_RUNTIME, "static bundler/setup"}, err);
}

/* The real Bundler gets another name. A program without a Gemfile, which may ask Bundler about the
 * project where it is started, finds it as it is. */
static bool plan_bundler(const struct probe *probe, const char *stdlib, struct plan *plan,
                         struct err *err)
{
    static const char ours[] = "require \"bundler/rucksack\"\nBundler::RucksackSetup.real\n";
    static const char none[] = "require \"bundler\"\n";
    cleanup_free char *path = xasprintf("%s/bundler.rb", stdlib);
    cleanup_free char *moved = xasprintf("%s/rucksack_bundler.rb", stdlib);
    const struct plan_entry *real = plan_find(plan, path);

    if (jdoc_text(probe->answer, "gemfile") == NULL || real == NULL || real->source == NULL)
        return plan_library(stdlib, "rucksack_bundler.rb", none, sizeof(none) - 1, plan, err);
    return plan_add_file(plan, moved, real->source, (struct plan_origin){PLAN_PART_RUBY, "Bundler"},
                         err) &&
           plan_library(stdlib, "bundler.rb", ours, sizeof(ours) - 1, plan, err);
}

static bool plan_setup(const struct probe *probe, struct plan *plan, struct err *err)
{
    static const char setup[] = "require \"bundler/rucksack\"\nBundler.setup\n";
    struct asset inlined = asset_get(ASSET_INLINE);
    cleanup_free char *stdlib = plan_image_path(plan, probe->ruby.stdlib);
    cleanup_free char *text = setup_text(probe);

    return plan_library(stdlib, "bundler/rucksack.rb", text, strlen(text), plan, err) &&
           plan_library(stdlib, "bundler/setup.rb", setup, sizeof(setup) - 1, plan, err) &&
           plan_library(stdlib, "bundler/inline.rb", (const char *)inlined.data, inlined.size, plan,
                        err) &&
           plan_bundler(probe, stdlib, plan, err);
}

/* Empty directories that RubyGems would otherwise want to make. */
static bool plan_home(struct plan *plan, struct err *err)
{
    static const char *const dirs[] = {"build_info", "cache",   "doc",           "extensions",
                                       "gems",       "plugins", "specifications"};

    for (size_t i = 0; i < COUNT(dirs); i++) {
        cleanup_free char *path = xasprintf(FORMAT_GEM_DIR "/%s", dirs[i]);

        if (!plan_add_dir(plan, path, (struct plan_origin){PLAN_PART_GEMS, "gem home"}, err))
            return false;
    }
    return true;
}

void gems_count_bytes(struct gems *gems, const struct probe *probe, const struct plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        const struct plan_entry *entry = plan->entries[i];

        if (entry->part != PLAN_PART_GEMS || entry->reason == NULL ||
            strncmp(entry->reason, "gem '", 5) != 0)
            continue;
        for (size_t j = 0; j < probe->gem_count; j++) {
            size_t len = strlen(probe->gems[j].name);

            if (strncmp(entry->reason + 5, probe->gems[j].name, len) == 0 &&
                entry->reason[5 + len] == '\'')
                gems->bytes[j] += entry->size_bytes;
        }
    }
}

bool gems_plan(struct gems *ret, const struct probe *probe, const struct config_list *const *keep,
               struct plan *plan, struct err *err)
{
    *ret = (struct gems){.leftout.keep = keep};
    ret->is_native = xcalloc(probe->gem_count, sizeof(*ret->is_native));
    ret->bytes = xcalloc(probe->gem_count, sizeof(*ret->bytes));
    if (!plan_home(plan, err))
        return false;
    for (size_t i = 0; i < probe->gem_count; i++) {
        if (!plan_gem(ret, probe, i, plan, err))
            return false;
    }
    ret->leftout.keep = NULL; /* the caller's */
    return plan_executables(ret, probe, plan, err) && plan_setup(probe, plan, err);
}

void gems_release(struct gems *gems)
{
    for (size_t i = 0; i < gems->object_count; i++) {
        free(gems->objects[i].path);
        free(gems->objects[i].image);
        free(gems->objects[i].owner);
    }
    for (size_t i = 0; i < gems->script_count; i++) {
        free(gems->scripts[i].path);
        free(gems->scripts[i].file);
    }
    free(gems->objects);
    free(gems->scripts);
    free(gems->is_native);
    free(gems->bytes);
    *gems = (struct gems){0};
}
