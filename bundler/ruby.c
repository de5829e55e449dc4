/* SPDX-License-Identifier: MIT */
#include "bundler/ruby.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bundler/asset.h"
#include "bundler/elf.h"
#include "bundler/jdoc.h"
#include "bundler/plan.h"
#include "bundler/probe.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/format.h"
#include "common/text.h"
#include "common/xalloc.h"

enum { LOADPATH_DIRS_MAX = 16, LOADPATH_BYTES_MAX = 4096, SPEC_MAX = 1 << 20 };

static const char *const movable_prefixes[] = {"/usr/", "/opt/"};

/* What serves only to write documentation or to compile. irb shows documentation by rdoc; its
 * generators with their web fonts are a tenth of the whole library. */
static const char *const unused_files[] = {"*.h",  "*.hpp",        "*.a",      "*.o",    "*.la",
                                           "*.ri", "gem_make.out", "mkmf.log", "mkmf.rb"};

struct stdlib_filter {
    struct ruby *ruby;
    const char *dir;   /* absolute source of the tree */
    bool has_bundler;  /* the active Bundler lives elsewhere: this tree's is left out */
    bool has_rubygems; /* the same of RubyGems */
};

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static struct plan_origin because(const char *reason)
{
    return (struct plan_origin){PLAN_PART_RUBY, reason};
}

static bool is_unused(const char *relative)
{
    const char *slash = strrchr(relative, '/');
    const char *name = slash != NULL ? slash + 1 : relative;

    for (size_t i = 0; i < COUNT(unused_files); i++) {
        if (fnmatch(unused_files[i], name, 0) == 0)
            return true;
    }
    return false;
}

/* Whether the path is the library (name.rb) or inside its directory. */
static bool is_library(const char *relative, const char *name)
{
    size_t len = strlen(name);

    return strncmp(relative, name, len) == 0 &&
           (relative[len] == '\0' || relative[len] == '/' || strcmp(relative + len, ".rb") == 0);
}

static void note_extension(struct ruby *ruby, const char *dir, const char *relative)
{
    size_t len = strlen(relative);

    if (len < 4 || strcmp(relative + len - 3, ".so") != 0)
        return;
    ruby->extensions =
        xrealloc_array(ruby->extensions, ruby->extension_count + 1, sizeof(*ruby->extensions));
    ruby->extensions[ruby->extension_count++] = xasprintf("%s/%s", dir, relative);
}

static bool is_stdlib(const char *relative, bool is_dir, void *context)
{
    const struct stdlib_filter *filter = context;

    if (is_unused(relative) || is_library(relative, "rdoc/generator"))
        return false;
    if (filter->has_bundler && is_library(relative, "bundler"))
        return false;
    if (filter->has_rubygems && is_library(relative, "rubygems"))
        return false;
    if (!is_dir)
        note_extension(filter->ruby, filter->dir, relative);
    return true;
}

static bool only_rubygems(const char *relative, bool is_dir, void *context)
{
    (void)context;
    (void)is_dir;
    return is_library(relative, "rubygems");
}

static bool only_bundler(const char *relative, bool is_dir, void *context)
{
    (void)context;
    (void)is_dir;
    /* The pages of `bundle help`, and the skeletons of `bundle gem`. */
    return is_library(relative, "bundler") && strcmp(relative, "bundler/man") != 0 &&
           strcmp(relative, "bundler/templates") != 0;
}

static bool check_prefix(const struct probe *probe, struct err *err)
{
    for (size_t i = 0; i < COUNT(movable_prefixes); i++) {
        if (strncmp(probe->ruby.program, movable_prefixes[i], strlen(movable_prefixes[i])) == 0)
            return true;
    }
    (void)err_set(err, ERR_INPUT, "'%s': a Ruby outside /usr and /opt is not built yet",
                  probe->ruby.program);
    return err_id(err, "E-RUBY");
}

static bool plan_tree_at_home(struct plan *plan, const char *dir, struct plan_origin origin,
                              plan_filter *filter, void *context, struct err *err)
{
    return access(dir, F_OK) != 0 ||
           plan_add_tree(plan, dir + 1, dir, origin, filter, context, err);
}

static bool plan_stdlib(struct ruby *ruby, const struct probe *probe, struct plan *plan,
                        struct err *err)
{
    const char *const dirs[] = {probe->ruby.stdlib, probe->ruby.archlib};
    bool nested = strncmp(probe->ruby.archlib, probe->ruby.stdlib, strlen(probe->ruby.stdlib)) == 0;
    struct stdlib_filter filter = {
        .ruby = ruby,
        .has_bundler = strcmp(probe->bundler_lib, probe->ruby.stdlib) != 0,
        .has_rubygems = strcmp(probe->ruby.rubygems, probe->ruby.stdlib) != 0,
    };

    for (size_t i = 0; i < (nested ? 1 : COUNT(dirs)); i++) {
        filter.dir = dirs[i];
        if (!plan_tree_at_home(plan, dirs[i], because("standard library"), is_stdlib, &filter, err))
            return false;
    }
    return true;
}

/* Where RubyGems is in the image: at home, or, when it came from where only the user's environment
 * led (RUBYLIB), in the standard library. */
static const char *rubygems_home(const struct probe *probe)
{
    const struct jdoc *dirs = jdoc_member(jdoc_member(probe->answer, "ruby"), "load_path");

    for (size_t i = 0; i < jdoc_count(dirs); i++) {
        const char *dir = jdoc_text_at(dirs, i);

        if (dir != NULL && strcmp(dir, probe->ruby.rubygems) == 0)
            return dir;
    }
    return probe->ruby.stdlib;
}

/* Our operating_system.rb knows the root by the number of directories above it. */
static bool plan_operating_system(const struct ruby *ruby, const struct probe *probe,
                                  struct plan *plan, struct err *err)
{
    static const char name[] = "rubygems/defaults/operating_system.rb";
    cleanup_free char *path = xasprintf("%s/%s", rubygems_home(probe) + 1, name);
    struct asset asset = asset_get(ASSET_OPERATING_SYSTEM);
    cleanup_free char *text = xstrndup((const char *)asset.data, asset.size);
    cleanup_free char *depth = NULL;
    cleanup_free char *filled = NULL;
    cleanup_free char *done = NULL;
    size_t levels = 0;

    for (const char *at = path; *at != '\0'; at++)
        levels += *at == '/';
    depth = xasprintf("%zu", levels);
    filled = text_replace(text, "@DEPTH@", depth);
    done = text_replace(filled, "@DEFAULT_SPECS@", ruby->specs);
    return plan_replace_data(plan, path, 0644, done, strlen(done), because("gem paths"), err);
}

/* Bundler as `bundle` uses it becomes the default gem of the image, with our setup.rb in it. */
static bool plan_bundler(const struct ruby *ruby, const struct probe *probe, struct plan *plan,
                         struct err *err)
{
    cleanup_free char *spec =
        xasprintf("%s/bundler-%s.gemspec", ruby->specs, probe->bundler_version);
    cleanup_free char *text = xasprintf(
        "# stub: bundler %s ruby lib\n\nGem::Specification.new do |s|\n  s.name = \"bundler\"\n"
        "  s.version = \"%s\"\n  s.require_paths = [\"lib\"]\n  s.executables = [\"bundle\"]\n"
        "  s.bindir = \"exe\"\n  s.summary = \"The best way to manage your application's "
        "dependencies\"\n  s.authors = [\"Bundler\"]\nend\n",
        probe->bundler_version, probe->bundler_version);

    if (!plan_add_tree(plan, probe->ruby.stdlib + 1, probe->bundler_lib, because("Bundler"),
                       only_bundler, NULL, err))
        return err_wrap(err, "Bundler");
    return plan_replace_data(plan, spec, 0644, text, strlen(text), because("Bundler"), err);
}

static bool is_default_spec(const char *relative, bool is_dir, void *context)
{
    (void)context;
    return is_dir || fnmatch("bundler-*.gemspec", relative, 0) != 0;
}

static bool plan_rubygems(const struct ruby *ruby, const struct probe *probe, struct plan *plan,
                          struct err *err)
{
    const char *dir = probe->ruby.rubygems;

    if (strcmp(dir, probe->ruby.stdlib) != 0 &&
        !plan_add_tree(plan, rubygems_home(probe) + 1, dir, because("RubyGems"), only_rubygems,
                       NULL, err))
        return err_wrap(err, "RubyGems");
    if (!plan_tree_at_home(plan, probe->ruby.default_specs, because("default gems"),
                           is_default_spec, NULL, err))
        return false;
    return plan_operating_system(ruby, probe, plan, err);
}

/* The trampoline stands at RbConfig.ruby; the real program lies beside it, so that its $ORIGIN is
 * what it was. */
static bool plan_program(struct ruby *ruby, const struct probe *probe, struct plan *plan,
                         struct err *err)
{
    struct asset launch = asset_get(ASSET_LAUNCH);
    const char *slash = strrchr(probe->ruby.program, '/');

    ruby->program = xstrdup(probe->ruby.program + 1);
    ruby->comm = xstrdup(slash + 1);
    ruby->elf = xasprintf("%.*s/.%s.elf", (int)(slash - probe->ruby.program - 1),
                          probe->ruby.program + 1, ruby->comm);
    return plan_add_data(plan, ruby->program, 0755, launch.data, launch.size, because("trampoline"),
                         err) &&
           plan_add_file(plan, ruby->elf, probe->ruby.program, because("interpreter"), err);
}

bool ruby_plan(struct ruby *ret, const struct probe *probe, struct plan *plan, struct err *err)
{
    *ret = (struct ruby){0};
    ret->specs = xstrdup(probe->ruby.default_specs + 1);
    return check_prefix(probe, err) && plan_program(ret, probe, plan, err) &&
           plan_stdlib(ret, probe, plan, err) && plan_rubygems(ret, probe, plan, err) &&
           plan_bundler(ret, probe, plan, err);
}

/* The strings from at on, up to the empty one; false when they are no list of absolute paths. */
static bool read_dirs(struct ruby_loadpath *loadpath, const char *at, size_t left)
{
    size_t used = 0;

    loadpath->dirs = xcalloc(LOADPATH_DIRS_MAX, sizeof(*loadpath->dirs));
    while (used < left && at[used] != '\0') {
        size_t len = strnlen(at + used, left - used);

        if (at[used] != '/' || len == left - used || loadpath->dir_count == LOADPATH_DIRS_MAX)
            return false;
        loadpath->dirs[loadpath->dir_count++] = xstrdup(at + used);
        used += len + 1;
    }
    loadpath->size_bytes = used + 1;
    return used < left && loadpath->dir_count > 0;
}

static bool find_block(struct ruby_loadpath *loadpath, const char *sitelib, const char *object,
                       bool *ret_found, struct err *err)
{
    struct elf elf;
    struct elf_match match;
    /* The string starts where the one before it ends. */
    cleanup_free char *needle = xasprintf("%c%s", '\0', sitelib);
    size_t count = 0;

    if (!elf_open(&elf, object, err))
        return false;
    if (elf_find_bytes(&elf, needle, strlen(sitelib) + 2, &match, 1, &count) && count == 1) {
        const char *slash = strrchr(object, '/');
        size_t left = (size_t)(match.remaining_bytes - 1);
        const char *at;

        left = left < LOADPATH_BYTES_MAX ? left : LOADPATH_BYTES_MAX;
        at = elf_bytes(&elf, match.vaddr + 1, left);
        *ret_found = at != NULL && read_dirs(loadpath, at, left);
        loadpath->address = match.vaddr + 1;
        loadpath->object = xstrdup(slash != NULL ? slash + 1 : object);
    }
    elf_release(&elf);
    return true;
}

static void name_image_dirs(struct ruby_loadpath *loadpath, const struct plan *plan)
{
    loadpath->image_dirs = xcalloc(loadpath->dir_count, sizeof(*loadpath->image_dirs));
    for (size_t i = 0; i < loadpath->dir_count; i++) {
        if (plan_find(plan, loadpath->dirs[i] + 1) != NULL)
            loadpath->image_dirs[loadpath->image_dir_count++] = xstrdup(loadpath->dirs[i] + 1);
    }
}

bool ruby_find_loadpath(struct ruby *ruby, const struct probe *probe, const struct plan *plan,
                        const char *const *objects, size_t object_count, struct err *err)
{
    bool found = false;

    for (size_t i = 0; i < object_count && !found; i++) {
        if (!find_block(&ruby->loadpath, probe->ruby.sitelib, objects[i], &found, err))
            return false;
    }
    if (found) {
        name_image_dirs(&ruby->loadpath, plan);
        return true;
    }
    (void)err_set(err, ERR_INPUT, "'%s': its compiled-in load path was not found",
                  probe->ruby.program);
    (void)err_id(err, "E-RUBY");
    return err_hint(err, "this build of Ruby is not known yet; please report it");
}

static void free_list(char **list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(list[i]);
    free(list);
}

void ruby_release(struct ruby *ruby)
{
    free(ruby->program);
    free(ruby->elf);
    free(ruby->comm);
    free(ruby->specs);
    free_list(ruby->extensions, ruby->extension_count);
    free(ruby->loadpath.object);
    free_list(ruby->loadpath.dirs, ruby->loadpath.dir_count);
    free_list(ruby->loadpath.image_dirs, ruby->loadpath.image_dir_count);
    *ruby = (struct ruby){0};
}
