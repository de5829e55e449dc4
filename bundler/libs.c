/* SPDX-License-Identifier: MIT */
#include "bundler/libs.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bundler/asset.h"
#include "bundler/gems.h"
#include "bundler/loader.h"
#include "bundler/plan.h"
#include "bundler/probe.h"
#include "bundler/recipe.h"
#include "bundler/ruby.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/format.h"
#include "common/fs.h"
#include "common/path.h"
#include "common/xalloc.h"

enum { LOADER_MAX = 16 << 20 };

static bool walk_everything(struct libs *libs, const struct probe *probe, const struct ruby *ruby,
                            const struct gems *gems, struct err *err)
{
    size_t count = 0;
    struct walk_root *roots = xcalloc(ruby->extension_count + gems->object_count, sizeof(*roots));
    bool ok;

    for (size_t i = 0; i < ruby->extension_count; i++)
        roots[count++] = (struct walk_root){ruby->extensions[i], "the standard library"};
    for (size_t i = 0; i < gems->object_count; i++)
        roots[count++] = (struct walk_root){gems->objects[i].path, gems->objects[i].owner};
    ok = walk_closure(&libs->walk, probe->ruby.program, roots, count, err);
    free(roots);
    return ok || err_hint(err, "install again what the file belongs to");
}

/* The directory that an object has in the image: symlinks on the way are the image's too, so the
 * real directory is where the loader will find it. */
static void add_dir(struct libs *libs, const char *path)
{
    cleanup_free char *copy = xstrdup(path);
    cleanup_free char *real = NULL;

    *strrchr(copy, '/') = '\0';
    real = realpath(copy, NULL);
    if (real == NULL || real[1] == '\0')
        return;
    for (size_t i = 0; i < libs->dir_count; i++) {
        if (strcmp(libs->dirs[i], real + 1) == 0)
            return;
    }
    libs->dirs = xrealloc_array(libs->dirs, libs->dir_count + 1, sizeof(*libs->dirs));
    libs->dirs[libs->dir_count++] = xstrdup(real + 1);
}

/* A library inside a gem or extension directory is packed with it and found by its own RUNPATH. */
static bool is_in_gem(const char *path, const struct probe *probe)
{
    for (size_t i = 0; i < probe->gem_count; i++) {
        const char *dir = probe->gems[i].dir;

        if (strncmp(path, dir, strlen(dir)) == 0 && path[strlen(dir)] == '/')
            return true;
    }
    return false;
}

static bool plan_library(struct libs *libs, const struct walk_object *object,
                         const struct probe *probe, struct plan *plan, struct err *err)
{
    struct plan_origin origin = {PLAN_PART_LIBS, object->reason};

    if (object->is_root) {
        libs->roots++;
        return true;
    }
    if (is_in_gem(object->path, probe))
        return true;
    if (object->found != WALK_FOUND_INTERP)
        add_dir(libs, object->path);
    return plan_add_system(plan, object->path, origin, err);
}

static bool plan_libraries(struct libs *libs, const struct probe *probe, struct plan *plan,
                           struct err *err)
{
    for (size_t i = 0; i < libs->walk.count; i++) {
        if (!plan_library(libs, &libs->walk.objects[i], probe, plan, err))
            return err_wrap(err, "library '%s'", libs->walk.objects[i].path);
    }
    return true;
}

static bool plan_recipe_file(struct libs *libs, const struct recipe *recipe, const char *path,
                             struct plan *plan, struct err *err)
{
    cleanup_free char *reason = xasprintf("recipe '%s'", recipe->name);
    struct plan_origin origin = {PLAN_PART_LIBS, reason};
    struct stat st;

    if (stat(path, &st) != 0)
        return true; /* a recipe names what may be there */
    if (strcmp(recipe->name, "ca-certificates") == 0 && libs->cafile == NULL)
        libs->cafile = xstrdup(path + 1);
    return plan_add_system(plan, path, origin, err);
}

static void add_env(struct libs *libs, const char *assignment)
{
    size_t len = strcspn(assignment, "=");

    libs->env = xrealloc_array(libs->env, libs->env_count + 1, sizeof(*libs->env));
    libs->env[libs->env_count++] = (struct libs_env){
        xstrndup(assignment, len), xstrdup(assignment + len + (assignment[len] == '='))};
}

static bool apply_recipe(struct libs *libs, const struct recipe *recipe, struct plan *plan,
                         struct err *err)
{
    cleanup_free char *reason = xasprintf("recipe '%s': %s", recipe->name, recipe->summary);
    bool found;

    for (size_t i = 0; i < recipe->lib_count; i++) {
        if (!walk_add_soname(&libs->walk, recipe->libs[i], reason, &found, err))
            return false;
    }
    for (size_t i = 0; i < recipe->required_lib_count; i++) {
        if (!walk_add_soname(&libs->walk, recipe->required_libs[i], reason, &found, err))
            return false;
        if (!found) {
            (void)err_set(err, ERR_INPUT, "'%s' was not found", recipe->required_libs[i]);
            return err_id(err, "E-LIB");
        }
    }
    for (size_t i = 0; i < recipe->file_count; i++) {
        if (!plan_recipe_file(libs, recipe, recipe->files[i], plan, err))
            return false;
    }
    for (size_t i = 0; i < recipe->env_count; i++)
        add_env(libs, recipe->env[i]);
    return true;
}

/* What recipes are matched against: one view of walk and gems for all of them. */
static bool apply_matching(struct libs *libs, const struct recipe_context *context,
                           struct plan *plan, struct err *err)
{
    struct asset asset;

    for (size_t i = 0; (asset = asset_recipe(i)).name != NULL; i++) {
        struct recipe *recipe = NULL;
        bool ok;

        if (!recipe_load((const char *)asset.data, asset.size, asset.name, &recipe, err))
            return false;
        ok = !recipe_matches(recipe, context) || apply_recipe(libs, recipe, plan, err);
        recipe_free(recipe);
        if (!ok)
            return err_wrap(err, "recipe '%s'", asset.name);
    }
    return true;
}

static bool apply_recipes(struct libs *libs, const struct probe *probe, struct plan *plan,
                          struct err *err)
{
    const char **sonames = xcalloc(libs->walk.count, sizeof(*sonames));
    const char **gems = xcalloc(probe->gem_count, sizeof(*gems));
    struct recipe_context context = {
        .sonames = sonames,
        .soname_count = libs->walk.count,
        .gems = gems,
        .gem_count = probe->gem_count,
        .glibc_major = libs->walk.loader->glibc_major,
        .glibc_minor = libs->walk.loader->glibc_minor,
    };
    bool ok;

    for (size_t i = 0; i < libs->walk.count; i++)
        sonames[i] = libs->walk.objects[i].name;
    for (size_t i = 0; i < probe->gem_count; i++)
        gems[i] = probe->gems[i].name;
    ok = apply_matching(libs, &context, plan, err);
    free(sonames);
    free(gems);
    return ok;
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

bool libs_plan(struct libs *ret, const struct probe *probe, struct ruby *ruby,
               const struct gems *gems, struct plan *plan, struct err *err)
{
    *ret = (struct libs){0};
    if (!walk_everything(ret, probe, ruby, gems, err) || !apply_recipes(ret, probe, plan, err) ||
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
    for (size_t i = 0; i < libs->env_count; i++) {
        free(libs->env[i].name);
        free(libs->env[i].value);
    }
    free(libs->dirs);
    free(libs->env);
    free(libs->cafile);
    free(libs->gconv_dir);
    *libs = (struct libs){0};
}
