/* SPDX-License-Identifier: MIT */
#include "bundler/apply.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bundler/config.h"
#include "bundler/cookbook.h"
#include "bundler/elf.h"
#include "bundler/elfscan.h"
#include "bundler/extras.h"
#include "bundler/loader.h"
#include "bundler/plan.h"
#include "bundler/probe.h"
#include "bundler/recipe.h"
#include "bundler/walk.h"
#include "bundler/witness.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/fs.h"
#include "common/pattern.h"
#include "common/proc.h"
#include "common/text.h"
#include "common/xalloc.h"

enum { OUTPUT_MAX = 4 << 20, NAMING_MAX = 16 << 20 };

static const char libdir_mark[] = "${LIBDIR}";

static size_t list_add(char ***list, size_t count, char *text)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp((*list)[i], text) == 0) {
            free(text);
            return count;
        }
    }
    *list = xrealloc_array(*list, count + 2, sizeof(**list));
    (*list)[count] = text;
    (*list)[count + 1] = NULL;
    return count + 1;
}

void apply_free_list(char **list)
{
    for (size_t i = 0; list != NULL && list[i] != NULL; i++)
        free(list[i]);
    free((void *)list);
}

static void release_list(char ***list)
{
    apply_free_list(*list);
}

#define cleanup_list cleanup_with(release_list)

static size_t add_libdirs(const struct walk *walk, const struct recipe *recipe, char ***list)
{
    size_t count = 0;

    for (size_t i = 0; i < walk->count; i++) {
        const struct walk_object *object = &walk->objects[i];
        const char *name = object->soname != NULL ? object->soname : object->name;
        cleanup_free char *real = NULL;

        if (recipe == NULL ? strcmp(name, "libc.so.6") != 0 : !recipe_matches_soname(recipe, name))
            continue;
        real = realpath(object->path, NULL);
        if (real != NULL)
            count = list_add(list, count, xstrndup(real, (size_t)(strrchr(real, '/') - real)));
    }
    return count;
}

char **apply_expand(const struct walk *walk, const struct recipe *recipe, const char *pattern)
{
    cleanup_list char **dirs = NULL;
    char **list = xcalloc(1, sizeof(*list));
    size_t count = 0;

    if (strstr(pattern, libdir_mark) == NULL) {
        (void)list_add(&list, 0, xstrdup(pattern));
        return list;
    }
    if (add_libdirs(walk, recipe, &dirs) == 0)
        (void)add_libdirs(walk, NULL, &dirs);
    for (size_t i = 0; dirs != NULL && dirs[i] != NULL; i++)
        count = list_add(&list, count, text_replace(pattern, libdir_mark, dirs[i]));
    return list;
}

/* What there is of a pattern, in order. */
static bool find(const struct apply *apply, const struct recipe *recipe, const char *pattern,
                 char ***ret, struct err *err)
{
    cleanup_list char **patterns = apply_expand(apply->walk, recipe, pattern);
    cleanup_list char **list = xcalloc(1, sizeof(*list));
    size_t count = 0;

    for (size_t i = 0; patterns[i] != NULL; i++) {
        cleanup_with(pattern_release) struct pattern_found found;

        pattern_find(&found, patterns[i]);
        for (size_t j = 0; j < found.count; j++)
            count = list_add(&list, count, xstrdup(found.paths[j]));
        if (found.sys_errno != 0) {
            (void)err_set(err, ERR_SYSTEM, "'%s': a directory of it cannot be read", patterns[i]);
            return err_id(err, "E-READ");
        }
    }
    *ret = steal_ptr(&list);
    return true;
}

static bool not_there(const struct apply *apply, const struct recipe *recipe, const char *pattern,
                      struct err *err)
{
    cleanup_list char **patterns = apply_expand(apply->walk, recipe, pattern);

    (void)err_set(err, ERR_INPUT, "'%s' was not found: %s needs it", patterns[0], recipe->summary);
    (void)err_hint(err,
                   "install the package that contains it, or put a recipe '%s' of your own into "
                   "recipes/",
                   recipe->name);
    return err_id(err, "E-RECIPE");
}

static bool add_system(const struct apply *apply, const struct recipe *recipe, const char *path,
                       struct err *err)
{
    cleanup_free char *reason = xasprintf("recipe '%s'", recipe->name);

    return plan_add_system(apply->plan, path, (struct plan_origin){PLAN_PART_LIBS, reason}, err);
}

static bool apply_files(const struct apply *apply, const struct recipe *recipe,
                        char *const *patterns, size_t count, bool is_required, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        cleanup_list char **paths = NULL;

        if (!find(apply, recipe, patterns[i], &paths, err))
            return false;
        if (paths[0] == NULL && is_required)
            return not_there(apply, recipe, patterns[i], err);
        for (size_t j = 0; paths[j] != NULL; j++) {
            struct stat st;

            /* A dangling link is what a distribution leaves where nothing is installed. */
            if (stat(paths[j], &st) == 0 && !add_system(apply, recipe, paths[j], err))
                return false;
        }
    }
    return true;
}

static bool apply_libs(const struct apply *apply, const struct recipe *recipe, struct err *err)
{
    cleanup_free char *reason = xasprintf("recipe '%s': %s", recipe->name, recipe->summary);
    bool found;

    for (size_t i = 0; i < recipe->lib_count; i++)
        if (!walk_add_soname(apply->walk, recipe->libs[i], reason, &found, err))
            return false;
    for (size_t i = 0; i < recipe->required_lib_count; i++) {
        if (!walk_add_soname(apply->walk, recipe->required_libs[i], reason, &found, err))
            return false;
        if (!found) {
            (void)err_set(err, ERR_INPUT, "'%s' was not found", recipe->required_libs[i]);
            return err_id(err, "E-LIB");
        }
    }
    for (size_t i = 0; i < recipe->host_count; i++)
        extras_add(&apply->extras->left_out, recipe->host[i], recipe->name);
    return true;
}

/* One object of a module directory, as a dlopen() by path. */
static bool apply_module(const struct apply *apply, const struct recipe *recipe,
                         const struct recipe_directory *directory, const char *path,
                         struct err *err)
{
    cleanup_free char *reason = xasprintf("recipe '%s': %s", recipe->name, recipe->summary);
    struct err failed = {0};
    bool found = false;

    if (walk_add_soname(apply->walk, path, reason, &found, &failed) && found)
        return true;
    if (directory->required || failed.kind == ERR_SYSTEM) { /* the latter: not read */
        *err = failed;
        return err_wrap(err, "module '%s'", path);
    }
    extras_add(&apply->extras->left_out, path, recipe->name);
    extras_warn(apply->extras, "left out '%s': %s", path, failed.msg);
    plan_remove(apply->plan, path + 1);
    return true;
}

static bool apply_modules(const struct apply *apply, const struct recipe *recipe,
                          const struct recipe_directory *directory, const char *dir,
                          struct err *err)
{
    cleanup_list char **modules = xcalloc(1, sizeof(*modules));
    size_t len = strlen(dir);
    size_t count = 0;

    /* By the plan: the directory's files are in it already, and its links are no files. */
    for (size_t i = 0; i < apply->plan->count; i++) {
        const struct plan_entry *entry = apply->plan->entries[i];

        if (entry->type == PLAN_FILE && strncmp(entry->path, dir + 1, len - 1) == 0 &&
            entry->path[len - 1] == '/' && strstr(entry->path + len, ".so") != NULL &&
            elf_is_elf(entry->source))
            count = list_add(&modules, count, xasprintf("/%s", entry->path));
    }
    for (size_t i = 0; i < count; i++)
        if (!apply_module(apply, recipe, directory, modules[i], err))
            return false;
    return true;
}

struct naming {
    const struct apply *apply;
    const char *reason;
};

static void take_soname(const char *name, void *context)
{
    const struct naming *naming = context;
    struct err failed = {0};
    bool found;

    if (!extras_leave_out(naming->apply->extras, "", name) &&
        !walk_add_soname(naming->apply->walk, name, naming->reason, &found, &failed))
        extras_warn(naming->apply->extras, "%s, %s: %s", naming->reason, name, failed.msg);
}

static bool apply_sonames(const struct apply *apply, const struct recipe *recipe, const char *dir,
                          struct err *err)
{
    cleanup_list char **files = xcalloc(1, sizeof(*files));
    size_t len = strlen(dir);
    size_t count = 0;

    for (size_t i = 0; i < apply->plan->count; i++) {
        const struct plan_entry *entry = apply->plan->entries[i];

        if (entry->type == PLAN_FILE && strncmp(entry->path, dir + 1, len - 1) == 0 &&
            entry->path[len - 1] == '/')
            count = list_add(&files, count, xstrdup(entry->source));
    }
    for (size_t i = 0; i < count; i++) {
        cleanup_free char *reason = xasprintf("recipe '%s': named in %s", recipe->name, files[i]);
        cleanup_free char *bytes = NULL;
        size_t size;

        if (!fs_read_file(files[i], NAMING_MAX, &bytes, &size, err))
            return err_id(err, "E-READ");
        elfscan_names(bytes, size, take_soname, &(struct naming){apply, reason});
    }
    return true;
}

static bool apply_directory(const struct apply *apply, const struct recipe *recipe,
                            const struct recipe_directory *directory, struct err *err)
{
    cleanup_list char **dirs = NULL;

    if (!find(apply, recipe, directory->path, &dirs, err))
        return false;
    if (dirs[0] == NULL && directory->required)
        return not_there(apply, recipe, directory->path, err);
    for (size_t i = 0; dirs[i] != NULL; i++) {
        cleanup_free char *real = realpath(dirs[i], NULL);
        cleanup_free char *value = NULL;

        if (real == NULL)
            return err_sys(err, "'%s'", dirs[i]);
        if (!add_system(apply, recipe, dirs[i], err) ||
            (directory->modules && !apply_modules(apply, recipe, directory, real, err)) ||
            (directory->sonames && !apply_sonames(apply, recipe, real, err)))
            return false;
        if (directory->search)
            extras_add(&apply->extras->search, real, recipe->name);
        value = xasprintf("${ROOT}%s", real);
        if (directory->env != NULL)
            extras_join(&apply->extras->env, directory->env, value);
    }
    return true;
}

static bool command_failed(const char *program, const struct proc_output *output, struct err *err)
{
    size_t len = strcspn(output->errors, "\n");

    (void)err_set(err, ERR_INPUT, "command '%s' ended with code %d%s%.*s", program,
                  output->exit_code, len > 0 ? ": " : "", (int)(len < 300 ? len : 300),
                  output->errors);
    return err_id(err, "E-RECIPE");
}

static bool keep_output(const struct apply *apply, const struct recipe *recipe,
                        const struct recipe_command *command, const char *output, struct err *err)
{
    cleanup_free char *reason = xasprintf("recipe '%s'", recipe->name);
    cleanup_free char *text = xstrdup(output);
    cleanup_list char **places = apply_expand(apply->walk, recipe, command->output);

    for (size_t i = 0; i < command->remove_count; i++) {
        cleanup_list char **words = apply_expand(apply->walk, recipe, command->remove[i]);

        for (size_t j = 0; words[j] != NULL; j++) {
            char *shorter = text_replace(text, words[j], "");

            free(text);
            text = shorter;
        }
    }
    return places[0] == NULL ||
           plan_replace_data(apply->plan, places[0] + 1, 0644, text, strlen(text),
                             (struct plan_origin){PLAN_PART_LIBS, reason}, err);
}

static bool apply_command(const struct apply *apply, const struct recipe *recipe,
                          const struct recipe_command *command, struct err *err)
{
    cleanup_list char **programs = NULL;
    cleanup_list char **words = xcalloc(1, sizeof(*words));
    cleanup_with(proc_output_release) struct proc_output output = {0};
    struct proc_request request = {.output_max_bytes = OUTPUT_MAX};
    size_t count = 0;
    bool ok;

    if (!find(apply, recipe, command->run[0], &programs, err))
        return false;
    if (programs[0] == NULL)
        return not_there(apply, recipe, command->run[0], err);
    words = xrealloc_array(words, command->run_count + 1, sizeof(*words));
    words[count++] = xstrdup(programs[0]);
    for (size_t i = 1; i < command->run_count; i++) {
        char **given = apply_expand(apply->walk, recipe, command->run[i]);

        words[count++] = xstrdup(given[0] != NULL ? given[0] : "");
        apply_free_list(given);
    }
    words[count] = NULL;
    witness_file(words[0]);
    request.argv = (const char *const *)words;
    if (!proc_capture(&request, &output, err))
        return err_id(err, "E-RECIPE");
    ok = output.exit_code == 0 && memchr(output.out, '\0', output.out_size) == NULL;
    return ok ? keep_output(apply, recipe, command, output.out, err)
              : command_failed(words[0], &output, err);
}

static bool apply_fallback(const struct apply *apply, const struct recipe *recipe,
                           const struct recipe_fallback *fallback, struct err *err)
{
    for (size_t i = 0; i < fallback->file_count; i++) {
        cleanup_list char **paths = NULL;

        if (!find(apply, recipe, fallback->files[i], &paths, err))
            return false;
        if (paths[0] == NULL)
            continue;
        extras_add(&apply->extras->fallbacks, fallback->env, paths[0] + 1);
        for (size_t j = 0; j < fallback->host_count; j++)
            extras_add(&apply->extras->hosts, fallback->env, fallback->host[j]);
        /* `files` has chosen what of a directory is packed. */
        return plan_find(apply->plan, paths[0] + 1) != NULL ||
               add_system(apply, recipe, paths[0], err);
    }
    return true;
}

/* The guest looks there for what the host does not have (runtime/guest/fallback.c). */
static void apply_paths(const struct apply *apply, const struct recipe *recipe)
{
    for (size_t i = 0; i < recipe->path_count; i++) {
        cleanup_list char **texts = apply_expand(apply->walk, recipe, recipe->paths[i]);

        if (texts[0] != NULL)
            extras_add(&apply->extras->paths, texts[0], recipe->name);
    }
}

static void apply_env(const struct apply *apply, const struct recipe *recipe)
{
    for (size_t i = 0; i < recipe->env_count; i++) {
        cleanup_list char **texts = apply_expand(apply->walk, recipe, recipe->env[i]);
        size_t len = strcspn(recipe->env[i], "=");
        cleanup_free char *name = xstrndup(recipe->env[i], len);

        if (texts[0] != NULL)
            extras_add(&apply->extras->env, name, texts[0] + len + 1);
    }
}

/* Names of one program: of several makes, or of several versions. Any will do. */
static bool apply_programs(const struct apply *apply, const struct recipe *recipe, struct err *err)
{
    size_t found = 0;

    for (size_t i = 0; i < recipe->program_count; i++) {
        cleanup_list char **paths = NULL;

        if (!find(apply, recipe, recipe->programs[i], &paths, err))
            return false;
        for (size_t j = 0; paths[j] != NULL; j++, found++) {
            if (!add_system(apply, recipe, paths[j], err))
                return false;
            extras_add(&apply->extras->programs, paths[j], recipe->name);
        }
    }
    if (recipe->program_count > 0 && found == 0)
        extras_warn(apply->extras, "'%s' was not found on this machine: %s", recipe->programs[0],
                    recipe->summary);
    return true;
}

static void apply_sources(const struct apply *apply, const struct recipe *recipe)
{
    for (size_t i = 0; i < recipe->source_count; i++) {
        const struct recipe_source *source = &recipe->sources[i];
        const struct probe_gem *gem = probe_find_gem(apply->probe, source->gem);
        cleanup_free char *path = NULL;
        cleanup_free char *real = NULL;

        if (gem == NULL || fnmatch(source->version, gem->version, 0) != 0)
            continue;
        path = xasprintf("%s/%s", gem->dir, source->file);
        real = realpath(path, NULL);
        if (real != NULL)
            extras_add(&apply->extras->sources, real, source->behind);
    }
}

static bool apply_recipe(const struct apply *apply, const struct recipe *recipe, struct err *err)
{
    if (!apply_libs(apply, recipe, err) ||
        !apply_files(apply, recipe, recipe->files, recipe->file_count, false, err) ||
        !apply_files(apply, recipe, recipe->required_files, recipe->required_file_count, true,
                     err) ||
        !apply_programs(apply, recipe, err))
        return false;
    for (size_t i = 0; i < recipe->directory_count; i++)
        if (!apply_directory(apply, recipe, &recipe->directories[i], err))
            return false;
    for (size_t i = 0; i < recipe->command_count; i++)
        if (!apply_command(apply, recipe, &recipe->commands[i], err))
            return false;
    for (size_t i = 0; i < recipe->fallback_count; i++)
        if (!apply_fallback(apply, recipe, &recipe->fallbacks[i], err))
            return false;
    apply_sources(apply, recipe);
    apply_env(apply, recipe);
    apply_paths(apply, recipe);
    if (recipe->advice != NULL)
        extras_add(&apply->extras->notes, "note", recipe->advice);
    return true;
}

static bool is_imported(const char *symbol, void *data)
{
    const struct apply *apply = data;

    for (size_t i = 0; i < apply->walk->count; i++) {
        const struct elf *elf = walk_elf(apply->walk, i);

        if (elf != NULL && elfscan_imports(elf, symbol))
            return true;
    }
    return false;
}

static bool exists(const char *pattern, void *data)
{
    const struct apply *apply = data;
    cleanup_free char *app_dir = pattern_quote(apply->app_dir);
    cleanup_free char *path =
        pattern[0] == '/' ? xstrdup(pattern) : xasprintf("%s/%s", app_dir, pattern);
    cleanup_with(pattern_release) struct pattern_found found;

    pattern_find(&found, path);
    return found.count > 0;
}

static bool is_wanted(const struct config_list *wanted, const char *name)
{
    for (size_t i = 0; i < wanted->count; i++)
        if (strcmp(wanted->items[i], name) == 0)
            return true;
    return false;
}

bool apply_matching(const struct apply *apply, bool *ret_any, struct err *err)
{
    const struct walk *walk = apply->walk;
    cleanup_free const char **sonames = xcalloc(walk->count, sizeof(*sonames));
    cleanup_free const char **gems = xcalloc(apply->probe->gem_count, sizeof(*gems));
    struct recipe_context context = {
        .sonames = sonames,
        .soname_count = walk->count,
        .gems = gems,
        .gem_count = apply->probe->gem_count,
        .glibc_major = walk->loader->glibc_major,
        .glibc_minor = walk->loader->glibc_minor,
        .imports = is_imported,
        .exists = exists,
        .data = (void *)(uintptr_t)apply,
    };

    *ret_any = false;
    for (size_t i = 0; i < walk->count; i++)
        sonames[i] =
            walk->objects[i].soname != NULL ? walk->objects[i].soname : walk->objects[i].name;
    for (size_t i = 0; i < apply->probe->gem_count; i++)
        gems[i] = apply->probe->gems[i].name;
    for (size_t i = 0; i < apply->cookbook->count; i++) {
        const struct recipe *recipe = apply->cookbook->entries[i].recipe;
        const struct recipe *withheld = apply->cookbook->entries[i].withheld;

        if (apply->is_done[i])
            continue;
        if (withheld != NULL && recipe_matches(withheld, &context)) {
            cleanup_free char *text =
                xasprintf("without the recipe '%s', which the application disables: %s",
                          withheld->name, withheld->summary);

            extras_add(&apply->extras->notes, "note", text);
            apply->is_done[i] = true;
            continue;
        }
        /* Strings of the walk stay where they are; only its list of objects may move. */
        if (!is_wanted(apply->wanted, recipe->name) && !recipe_matches(recipe, &context))
            continue;
        apply->is_done[i] = true;
        *ret_any = true;
        if (!apply_recipe(apply, recipe, err))
            return err_wrap(err, "recipe '%s'", recipe->name);
    }
    return true;
}
