/* SPDX-License-Identifier: MIT */
#include "bundler/libs.h"

#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bundler/apply.h"
#include "bundler/config.h"
#include "bundler/cookbook.h"
#include "bundler/gems.h"
#include "bundler/hidden.h"
#include "bundler/loader.h"
#include "bundler/outside.h"
#include "bundler/plan.h"
#include "bundler/probe.h"
#include "bundler/program.h"
#include "bundler/recipe.h"
#include "bundler/ruby.h"
#include "bundler/unpacked.h"
#include "bundler/variant.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/format.h"
#include "common/fs.h"
#include "common/path.h"
#include "common/suggest.h"
#include "common/xalloc.h"

enum { LOADER_MAX = 16 << 20 };

static bool walk_everything(struct libs *libs, const struct libs_input *input,
                            const struct ruby *ruby, struct err *err)
{
    const struct gems *gems = input->gems;
    const struct programs *programs = input->programs;
    size_t count = 0;
    struct walk_root *roots =
        xcalloc(ruby->extension_count + gems->object_count + programs->count, sizeof(*roots));
    bool ok;

    for (size_t i = 0; i < ruby->extension_count; i++)
        roots[count++] = (struct walk_root){ruby->extensions[i], "the standard library"};
    for (size_t i = 0; i < gems->object_count; i++)
        roots[count++] = (struct walk_root){gems->objects[i].path, gems->objects[i].owner};
    for (size_t i = 0; i < programs->count; i++)
        roots[count++] = (struct walk_root){programs->items[i].source, programs->items[i].owner};
    ok = walk_closure(&libs->walk, input->probe->ruby.elf, roots, count, err);
    free(roots);
    return ok || err_hint(err, "install again what the file belongs to");
}

/* Symlinks on the way are the image's too, so the real directory is where the loader will look. */
static void add_dir(struct libs *libs, const struct plan *plan, const char *dir)
{
    cleanup_free char *real = realpath(dir, NULL);
    cleanup_free char *image = NULL;

    if (real == NULL || real[1] == '\0')
        return;
    image = plan_image_path(plan, real);
    for (size_t i = 0; i < libs->dir_count; i++) {
        if (strcmp(libs->dirs[i], image) == 0)
            return;
    }
    libs->dirs = xrealloc_array(libs->dirs, libs->dir_count + 1, sizeof(*libs->dirs));
    libs->dirs[libs->dir_count++] = steal_ptr(&image);
}

/* NULL when the path is in none. */
static const struct probe_gem *find_gem(const char *path, const struct probe *probe)
{
    for (size_t i = 0; i < probe->gem_count; i++) {
        const char *dir = probe->gems[i].dir;

        if (strncmp(path, dir, strlen(dir)) == 0 && path[strlen(dir)] == '/')
            return &probe->gems[i];
    }
    return NULL;
}

/*
 * A library inside a gem is packed with it and found by its own RUNPATH, which may lead through
 * "..". But it may stand where mostly no use is: pg keeps its libpq below ports/.
 */
static bool plan_gem_library(const struct walk_object *object, const struct probe_gem *gem,
                             struct plan *plan, struct err *err)
{
    cleanup_free char *copy = xstrdup(object->path);
    cleanup_free char *dir = realpath(dirname(copy), NULL);
    cleanup_free char *source = realpath(object->path, NULL);
    cleanup_free char *image = NULL;

    if (dir == NULL || source == NULL || strncmp(dir, gem->dir, strlen(gem->dir)) != 0)
        return true;
    image = xasprintf(FORMAT_GEM_DIR "/gems/%s%s/%s", gem->full_name, dir + strlen(gem->dir),
                      strrchr(object->path, '/') + 1);
    return plan_find(plan, image) != NULL ||
           plan_add_file(plan, image, source, (struct plan_origin){PLAN_PART_GEMS, object->reason},
                         err);
}

static bool plan_library(struct libs *libs, const struct walk_object *object,
                         const struct probe *probe, struct plan *plan, struct err *err)
{
    struct plan_origin origin = {PLAN_PART_LIBS, object->reason};
    const struct probe_gem *gem = find_gem(object->path, probe);
    cleanup_free char *copy = xstrdup(object->path);

    if (object->is_root) {
        libs->roots++;
        return true;
    }
    if (gem != NULL && !gem->is_default)
        return plan_gem_library(object, gem, plan, err);
    if (extras_leave_out(&libs->extras, object->path, object->name)) {
        extras_warn(&libs->extras, "left to the host: %s (%s)", object->name, object->reason);
        libs->roots++;
        return true;
    }
    if (object->found != WALK_FOUND_INTERP && object->found != WALK_FOUND_PATH)
        add_dir(libs, plan, dirname(copy));
    return plan_add_system(plan, object->path, origin, err);
}

static bool plan_libraries(struct libs *libs, const struct probe *probe, struct plan *plan,
                           struct err *err)
{
    for (size_t i = 0; i < libs->walk.count; i++) {
        if (!plan_library(libs, &libs->walk.objects[i], probe, plan, err))
            return err_wrap(err, "library '%s'", libs->walk.objects[i].path);
    }
    for (size_t i = 0; i < libs->extras.search.count; i++)
        add_dir(libs, plan, libs->extras.search.items[i].name);
    return true;
}

/* Recipes bring objects that others match, and hidden dependencies do: until nothing is new. */
static bool add_hidden(const struct apply *apply, struct hidden *hidden,
                       const struct libs_input *input, struct err *err)
{
    struct programs *programs = input->programs;
    size_t variants_done = 0;
    bool more = true;

    if (!hidden_sources(hidden, err))
        return false;
    while (more) {
        bool any_program;
        bool any_object;

        if (!apply_matching(apply, &more, err) ||
            !programs_add(programs, apply->plan, apply->walk, &any_program, err) ||
            (input->has_variants && !variant_add(apply->walk, &variants_done, err)) ||
            !hidden_objects(hidden, &any_object, err))
            return false;
        more = more || any_program || any_object;
    }
    return programs_name(programs, apply->extras, apply->plan, err);
}

static bool check_wanted(const struct cookbook *cookbook, const struct config *config,
                         struct err *err)
{
    const struct config_list *wanted = &config->recipes;

    for (size_t i = 0; i < wanted->count; i++) {
        struct suggest suggest = suggest_begin(wanted->items[i]);

        for (size_t j = 0; j < cookbook->count; j++)
            suggest_offer(&suggest, cookbook->entries[j].recipe->name);
        if (suggest.nearest != NULL && strcmp(suggest.nearest, wanted->items[i]) == 0)
            continue;
        (void)err_set(err, ERR_INPUT, "%s: there is no recipe '%s'", config_file(config),
                      wanted->items[i]);
        (void)err_id(err, "E-CONFIG");
        return suggest_hint(&suggest, "see which there are: rucksack recipes list", err);
    }
    return true;
}

static bool add_unseen(struct libs *libs, const struct libs_input *input, struct plan *plan,
                       struct err *err)
{
    struct cookbook cookbook = {0};
    struct hidden hidden = {&libs->walk, plan, &libs->extras, 0};
    const struct unpacked unpacked = {&libs->walk, &cookbook, plan, &libs->extras};
    struct apply apply = {.walk = &libs->walk,
                          .probe = input->probe,
                          .app_dir = input->app_dir,
                          .wanted = &input->config->recipes,
                          .cookbook = &cookbook,
                          .plan = plan,
                          .extras = &libs->extras};
    bool ok = cookbook_load(&cookbook, input->app_dir, err) &&
              check_wanted(&cookbook, input->config, err);

    apply.is_done = xcalloc(cookbook.count, sizeof(*apply.is_done));
    ok = ok && add_hidden(&apply, &hidden, input, err);
    if (ok) {
        hidden_left(&hidden);
        unpacked_say(&unpacked);
    }
    free(apply.is_done);
    cookbook_release(&cookbook);
    return ok;
}

/* `libs:` of the configuration. */
static bool add_configured(struct libs *libs, const struct config *config, struct err *err)
{
    for (size_t i = 0; i < config->libs.never.count; i++)
        extras_add(&libs->extras.left_out, config->libs.never.items[i], CONFIG_FILE);
    for (size_t i = 0; i < config->libs.include.count; i++) {
        const char *name = config->libs.include.items[i];
        bool found = false;

        if (!walk_add_soname(&libs->walk, name, CONFIG_FILE, &found, err))
            return err_wrap(err, "%s: libs", config_file(config));
        if (!found) {
            (void)err_set(err, ERR_INPUT, "%s: libs: '%s' was not found", config_file(config),
                          name);
            (void)err_id(err, "E-CONFIG");
            return err_hint(err, "install it, or see what the loader knows: ldconfig -p");
        }
    }
    return true;
}

/*
 * glibc tries every directory for the name as the user wrote it (C.UTF-8), then every directory for
 * the normalised one (C.utf8). With only one of them here, the host's directory of the other name
 * would win.
 */
static bool name_locale_twice(struct plan *plan, struct err *err)
{
    static const char *const names[][2] = {
        {"usr/lib/locale/C.utf8", "C.UTF-8"},
        {"usr/lib/locale/C.UTF-8", "C.utf8"},
    };
    struct plan_origin origin = {PLAN_PART_LIBS, "recipe 'locale'"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        cleanup_free char *other = xasprintf("usr/lib/locale/%s", names[i][1]);

        if (plan_find(plan, names[i][0]) != NULL && plan_find(plan, other) == NULL &&
            !plan_add_symlink(plan, other, strrchr(names[i][0], '/') + 1, origin, err))
            return false;
    }
    return true;
}

/* Beside libc, in a directory gconv: where it was compiled to look. */
static void name_gconv(struct libs *libs)
{
    for (size_t i = 0; i < libs->walk.count && libs->gconv_dir == NULL; i++) {
        const struct walk_object *object = &libs->walk.objects[i];

        if (strcmp(object->name, "libc.so.6") == 0) {
            cleanup_free char *real = realpath(object->path, NULL);

            if (real != NULL)
                libs->gconv_dir =
                    xasprintf("%.*s/gconv", (int)(strrchr(real, '/') - real - 1), real + 1);
        }
    }
    if (libs->gconv_dir == NULL)
        libs->gconv_dir = xstrdup("usr/lib/gconv");
}

static bool find_loadpath(struct libs *libs, const struct probe *probe, struct ruby *ruby,
                          const struct plan *plan, struct err *err)
{
    const char **objects = xcalloc(libs->walk.count, sizeof(*objects));
    size_t count = 0;
    bool ok;

    /* The main program, and what it needs: not the extensions. */
    for (size_t i = 0; i < libs->walk.count; i++) {
        const struct walk_object *object = &libs->walk.objects[i];

        if (i == 0 || (!object->is_root && strstr(object->name, "libruby") != NULL))
            objects[count++] = object->path;
    }
    ok = ruby_find_loadpath(ruby, probe, plan, objects, count, err);
    free(objects);
    return ok;
}

bool libs_plan(struct libs *ret, const struct libs_input *input, struct ruby *ruby,
               struct plan *plan, struct err *err)
{
    const struct probe *probe = input->probe;

    *ret = (struct libs){0};
    if (!walk_everything(ret, input, ruby, err) ||
        (input->trace != NULL &&
         !outside_add(input->trace, probe->ruby.elf, plan, &ret->walk, err)) ||
        !add_configured(ret, input->config, err) || !add_unseen(ret, input, plan, err) ||
        !plan_libraries(ret, probe, plan, err) || !name_locale_twice(plan, err))
        return false;
    name_gconv(ret);
    return find_loadpath(ret, probe, ruby, plan, err);
}

/*
 * The copy stands twice, and is stored once: under the process's name, where the launcher starts
 * it, and in the place of the original, where libc's DT_NEEDED finds it.
 */
bool libs_plan_loader(const struct libs *libs, const char *comm, struct plan *plan, struct err *err)
{
    struct plan_origin origin = {PLAN_PART_RUNTIME, "hermetic loader"};
    cleanup_free char *path = xasprintf(FORMAT_DIR "/ld/%s", comm);
    cleanup_free char *original = realpath(libs->walk.interp, NULL);
    cleanup_free char *bytes = NULL;
    size_t size;

    if (original == NULL)
        return err_sys(err, "'%s'", libs->walk.interp);
    return fs_read_file(original, LOADER_MAX, &bytes, &size, err) &&
           loader_make_hermetic(libs->walk.loader, bytes, size, err) &&
           plan_add_data(plan, path, 0755, bytes, size, origin, err) &&
           plan_replace_data(plan, original + 1, 0755, bytes, size, origin, err);
}

void libs_release(struct libs *libs)
{
    walk_release(&libs->walk);
    for (size_t i = 0; i < libs->dir_count; i++)
        free(libs->dirs[i]);
    free(libs->dirs);
    extras_release(&libs->extras);
    free(libs->gconv_dir);
    *libs = (struct libs){0};
}
