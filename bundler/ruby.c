/* SPDX-License-Identifier: MIT */
#include "bundler/ruby.h"

#include <assert.h>
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
#include "common/fs.h"
#include "common/text.h"
#include "common/xalloc.h"

enum { LOADPATH_DIRS_MAX = 16, LOADPATH_BYTES_MAX = 8192, CONFIGURATION_MAX = 1 << 20 };

static const char *const fixed_prefixes[] = {"/usr/", "/opt/"};

/* What serves only to compile. Left out is also rdoc, which with its web fonts is a fifth of the
 * whole library. */
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
    const char *name = text_base_name(relative);

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

    if (is_unused(relative) || is_library(relative, "rdoc"))
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

/* The image has no directory of a user. */
static void move_prefix(const struct probe *probe, struct plan *plan)
{
    const char *prefix = probe->ruby.prefix;

    for (size_t i = 0; i < COUNT(fixed_prefixes); i++) {
        if (strncmp(probe->ruby.program, fixed_prefixes[i], strlen(fixed_prefixes[i])) == 0)
            return;
    }
    if (prefix[0] == '/' && prefix[1] != '\0')
        plan_move(plan, prefix, RUBY_HOME);
}

static bool plan_tree_at_home(struct plan *plan, const char *dir, struct plan_origin origin,
                              plan_filter *filter, void *context, struct err *err)
{
    cleanup_free char *image = plan_image_path(plan, dir);

    return access(dir, F_OK) != 0 || plan_add_tree(plan, image, dir, origin, filter, context, err);
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

/* irb wants some rdoc. */
static bool plan_rdoc(const struct probe *probe, struct plan *plan, struct err *err)
{
    static const char driver[] = "require \"rdoc\"\n";
    struct asset asset = asset_get(ASSET_RDOC);
    cleanup_free char *stdlib = plan_image_path(plan, probe->ruby.stdlib);
    cleanup_free char *top = xasprintf("%s/rdoc.rb", stdlib);
    cleanup_free char *inner = xasprintf("%s/rdoc/ri/driver.rb", stdlib);

    return plan_add_data(plan, top, 0644, asset.data, asset.size, because("irb without rdoc"),
                         err) &&
           plan_add_data(plan, inner, 0644, driver, sizeof(driver) - 1, because("irb without rdoc"),
                         err);
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
    cleanup_free char *dir = plan_image_path(plan, rubygems_home(probe));
    cleanup_free char *path = xasprintf("%s/%s", dir, name);
    struct asset asset = asset_get(ASSET_OPERATING_SYSTEM);
    struct asset environment = asset_get(ASSET_ENVIRONMENT);
    cleanup_free char *text = xstrndup((const char *)asset.data, asset.size);
    cleanup_free char *depth = NULL;
    cleanup_free char *at_depth = NULL;
    cleanup_free char *indexed = NULL;
    cleanup_free char *done = NULL;
    size_t levels = 0;

    for (const char *at = path; *at != '\0'; at++)
        levels += *at == '/';
    depth = xasprintf("%zu", levels);
    at_depth = text_replace(text, "@DEPTH@", depth);
    indexed = text_replace(at_depth, "@DEFAULT_INDEX@", probe->ruby.default_index);
    done = text_replace(indexed, "@DEFAULT_SPECS@", ruby->specs);
    return plan_replace_data(plan, path, 0644, done, strlen(done), because("gem paths"), err) &&
           plan_add_data(plan, FORMAT_DIR "/environment.rb", 0644, environment.data,
                         environment.size, because("variables that the app unsets"), err);
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
    cleanup_free char *stdlib = plan_image_path(plan, probe->ruby.stdlib);

    if (!plan_add_tree(plan, stdlib, probe->bundler_lib, because("Bundler"), only_bundler, NULL,
                       err))
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
    cleanup_free char *home = plan_image_path(plan, rubygems_home(probe));

    if (strcmp(dir, probe->ruby.stdlib) != 0 &&
        !plan_add_tree(plan, home, dir, because("RubyGems"), only_rubygems, NULL, err))
        return err_wrap(err, "RubyGems");
    if (!plan_tree_at_home(plan, probe->ruby.default_specs, because("default gems"),
                           is_default_spec, NULL, err))
        return false;
    return plan_operating_system(ruby, probe, plan, err);
}

/* The trampoline stands at RbConfig.ruby; the real program lies in its own directory, so that its
 * $ORIGIN is what it was. */
static bool plan_program(struct ruby *ruby, const struct probe *probe, struct plan *plan,
                         struct err *err)
{
    struct asset launch = asset_get(ASSET_LAUNCH);
    cleanup_free char *elf = plan_image_path(plan, probe->ruby.elf);

    ruby->program = plan_image_path(plan, probe->ruby.program);
    ruby->comm = xstrdup(text_base_name(ruby->program));
    ruby->elf = xasprintf("%.*s.%s.elf", (int)(text_base_name(elf) - elf), elf, ruby->comm);
    return plan_add_data(plan, ruby->program, 0755, launch.data, launch.size, because("trampoline"),
                         err) &&
           plan_add_file(plan, ruby->elf, probe->ruby.elf, because("interpreter"), err);
}

/* `CONFIG["rubylibdir"] = "/usr/share/ruby"`: the path, NULL for other lines. */
static char *absolute_directory(const char *line)
{
    static const char mark[] = "\"] = \"/";
    const char *at = strncmp(line, "  CONFIG[\"", 10) == 0 ? strstr(line, mark) : NULL;
    size_t len;

    if (at == NULL)
        return NULL;
    at += sizeof(mark) - 2;
    len = strcspn(at, "\"\n");
    return strcmp(at + len, "\"\n") == 0 ? xstrndup(at, len) : NULL;
}

/* A directory that the image has is named from where the configuration is; Ruby itself does so only
 * with those below its prefix. Takes the line. */
static char *relative_line(char *line, const char *configuration, const struct plan *plan)
{
    cleanup_free char *dir = absolute_directory(line);
    cleanup_free char *image = dir != NULL ? plan_image_path(plan, dir) : NULL;
    cleanup_free char *ups = xstrdup("");
    char *changed;

    if (image == NULL || plan_find(plan, image) == NULL)
        return line;
    for (const char *at = configuration; (at = strchr(at, '/')) != NULL; at++) {
        char *longer = xasprintf("%s../", ups);

        free(ups);
        ups = longer;
    }
    changed = xasprintf("%.*s= File.expand_path(\"%s%s\", __dir__)\n",
                        (int)(strstr(line, "= ") - line), line, ups, image);
    free(line);
    return changed;
}

static char *relative_configuration(const char *text, const char *path, const struct plan *plan)
{
    char *done = xstrdup("");

    while (*text != '\0') {
        size_t len = strcspn(text, "\n");
        cleanup_free char *line = NULL;
        char *longer;

        len += text[len] == '\n';
        line = relative_line(xstrndup(text, len), path, plan);
        longer = xasprintf("%s%s", done, line);
        free(done);
        done = longer;
        text += len;
    }
    return done;
}

/* The configuration also names a prefix where it tells how Ruby was compiled. */
static bool plan_configuration(const struct probe *probe, struct plan *plan, struct err *err)
{
    cleanup_free char *source = xasprintf("%s/rbconfig.rb", probe->ruby.archlib);
    cleanup_free char *path = plan_image_path(plan, source);
    cleanup_free char *text = NULL;
    cleanup_free char *relative = NULL;
    cleanup_free char *moved = NULL;
    size_t size;

    if (plan_find(plan, path) == NULL)
        return true;
    if (!fs_read_file(source, CONFIGURATION_MAX, &text, &size, err))
        return false;
    relative = relative_configuration(text, path, plan);
    if (strcmp(path, source + 1) != 0)
        moved = text_replace(relative, probe->ruby.prefix, "/" RUBY_HOME);
    if (moved == NULL && strcmp(relative, text) == 0)
        return true;
    return plan_replace_data(plan, path, 0644, moved != NULL ? moved : relative,
                             strlen(moved != NULL ? moved : relative), because("standard library"),
                             err);
}

/* Leaves out of a copy what no process maps: those who compile a Ruby mostly leave its debug
 * information in it, several times the size of the code. */
static bool trim(const char *source, const char *image, struct plan *plan, struct err *err)
{
    const struct plan_entry *entry = plan_find(plan, image);
    cleanup_with(elf_release) struct elf elf = {0};
    cleanup_free char *trimmed = NULL;
    cleanup_free char *reason = NULL;
    struct plan_origin origin;
    uint16_t mode;
    size_t size;

    if (entry == NULL || entry->type != PLAN_FILE || !elf_is_elf(source))
        return true;
    if (!elf_open(&elf, source, err))
        return false;
    trimmed = elf_trimmed(&elf, &size);
    if (trimmed == NULL)
        return true;
    reason = xstrdup(entry->reason);
    origin = (struct plan_origin){entry->part, reason};
    mode = entry->mode;
    return plan_replace_data(plan, image, mode, trimmed, size, origin, err);
}

static bool trim_all(const struct ruby *ruby, const struct probe *probe, struct plan *plan,
                     struct err *err)
{
    for (size_t i = 0; i < ruby->extension_count; i++) {
        cleanup_free char *image = plan_image_path(plan, ruby->extensions[i]);

        if (!trim(ruby->extensions[i], image, plan, err))
            return false;
    }
    return trim(probe->ruby.elf, ruby->elf, plan, err);
}

bool ruby_plan(struct ruby *ret, const struct probe *probe, struct plan *plan, struct err *err)
{
    *ret = (struct ruby){0};
    move_prefix(probe, plan);
    ret->specs = plan_image_path(plan, probe->ruby.default_specs);
    return plan_program(ret, probe, plan, err) && plan_stdlib(ret, probe, plan, err) &&
           plan_rdoc(probe, plan, err) && trim_all(ret, probe, plan, err) &&
           plan_rubygems(ret, probe, plan, err) && plan_configuration(probe, plan, err) &&
           plan_bundler(ret, probe, plan, err);
}

/* The strings from at on, up to the empty one; false when they are no list of absolute paths. */
static bool read_dirs(struct ruby_loadpath *loadpath, const char *prefix, const char *at,
                      size_t left)
{
    size_t used = 0;

    loadpath->dirs = xcalloc(LOADPATH_DIRS_MAX, sizeof(*loadpath->dirs));
    while (used < left && at[used] != '\0') {
        size_t len = strnlen(at + used, left - used);

        if (at[used] != '/' || len == left - used || loadpath->dir_count == LOADPATH_DIRS_MAX)
            return false;
        loadpath->dirs[loadpath->dir_count++] = xasprintf("%s%s", prefix, at + used);
        used += len + 1;
    }
    loadpath->size_bytes = used + 1;
    return used < left && loadpath->dir_count > 0;
}

static void free_list(char **list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(list[i]);
    free(list);
}

/* The block that starts with this string; prefix is put before all of its strings. */
static bool find_block(struct ruby_loadpath *loadpath, const struct elf *elf, const char *prefix,
                       const char *first)
{
    struct elf_match match;
    /* The string starts where the one before it ends. */
    cleanup_free char *needle = xasprintf("%c%s", '\0', first);
    size_t count = 0;
    size_t left;
    const char *at;

    if (!elf_find_bytes(elf, needle, strlen(first) + 2, &match, 1, &count) || count != 1)
        return false;
    left = (size_t)(match.remaining_bytes - 1);
    left = left < LOADPATH_BYTES_MAX ? left : LOADPATH_BYTES_MAX;
    at = elf_bytes(elf, match.vaddr + 1, left);
    loadpath->address = match.vaddr + 1;
    if (at != NULL && read_dirs(loadpath, prefix, at, left))
        return true;
    free_list(loadpath->dirs, loadpath->dir_count);
    loadpath->dirs = NULL;
    loadpath->dir_count = 0;
    return false;
}

/* A load-relative Ruby has the strings without their prefix. */
static bool find_in(struct ruby_loadpath *loadpath, const struct probe *probe, const char *object,
                    bool *ret_found, struct err *err)
{
    const char *sitelib = probe->ruby.sitelib;
    const char *prefix = probe->ruby.prefix;
    cleanup_with(elf_release) struct elf elf = {0};

    if (!elf_open(&elf, object, err))
        return false;
    *ret_found = find_block(loadpath, &elf, "", sitelib);
    if (!*ret_found && strncmp(sitelib, prefix, strlen(prefix)) == 0) {
        *ret_found = find_block(loadpath, &elf, prefix, sitelib + strlen(prefix));
        loadpath->is_relative = *ret_found;
    }
    return true;
}

static void name_image_dirs(struct ruby_loadpath *loadpath, const struct plan *plan)
{
    loadpath->image_dirs = xcalloc(loadpath->dir_count, sizeof(*loadpath->image_dirs));
    for (size_t i = 0; i < loadpath->dir_count; i++) {
        cleanup_free char *dir = plan_image_path(plan, loadpath->dirs[i]);

        if (plan_find(plan, dir) != NULL)
            loadpath->image_dirs[loadpath->image_dir_count++] = steal_ptr(&dir);
    }
}

bool ruby_find_loadpath(struct ruby *ruby, const struct probe *probe, const struct plan *plan,
                        const char *const *objects, size_t object_count, struct err *err)
{
    struct ruby_loadpath *loadpath = &ruby->loadpath;
    bool found = false;

    for (size_t i = 0; i < object_count && !found; i++) {
        if (!find_in(loadpath, probe, objects[i], &found, err))
            return false;
        if (found)
            loadpath->source = xstrdup(objects[i]);
        if (found)
            loadpath->object = xstrdup(i == 0 ? ruby->elf : text_base_name(objects[i]));
    }
    if (found) {
        name_image_dirs(loadpath, plan);
        return true;
    }
    (void)err_set(err, ERR_INPUT, "'%s': its compiled-in load path was not found",
                  probe->ruby.program);
    (void)err_id(err, "E-RUBY");
    return err_hint(err, "this build of Ruby is not known yet; please report it");
}

bool ruby_trim_library(const struct ruby *ruby, struct plan *plan, struct err *err)
{
    cleanup_free char *library = realpath(ruby->loadpath.source, NULL);
    const char *const names[] = {ruby->loadpath.source, library};

    /* By the name that is needed, or where that is a link by its own. */
    for (size_t i = 0; i < COUNT(names) && names[i] != NULL; i++) {
        cleanup_free char *image = plan_image_path(plan, names[i]);

        if (!trim(names[i], image, plan, err))
            return false;
    }
    return true;
}

/* Encodings are loaded before RubyGems, and so through the one directory. */
static bool plan_encodings(const struct probe *probe, struct plan *plan, struct err *err)
{
    static const char link[] = FORMAT_LOADPATH_DIR "/enc";
    cleanup_free char *source = xasprintf("%s/enc", probe->ruby.archlib);
    cleanup_free char *image = plan_image_path(plan, source);
    cleanup_free char *target = xasprintf("../../%s", image);

    return plan_find(plan, image) == NULL ||
           plan_add_symlink(plan, link, target, because("short load path"), err);
}

bool ruby_plan_short_loadpath(const struct ruby *ruby, const struct probe *probe, struct plan *plan,
                              struct err *err)
{
    const struct ruby_loadpath *loadpath = &ruby->loadpath;
    struct asset asset = asset_get(ASSET_LOADPATH);
    cleanup_free char *text = xstrndup((const char *)asset.data, asset.size);
    cleanup_free char *list = xstrdup("");
    cleanup_free char *filled = NULL;
    cleanup_free char *done = NULL;

    if (loadpath->is_relative)
        return true;
    for (size_t i = 0; i < loadpath->image_dir_count; i++) {
        char *longer =
            xasprintf("%s%s\"%s\",", list, i > 0 ? "\n    " : "", loadpath->image_dirs[i]);

        free(list);
        list = longer;
    }
    filled = text_replace(text, "# @DIRS@", list);
    done = text_replace(filled, "@DEPTH@", "2");
    return plan_add_data(plan, FORMAT_LOADPATH_DIR "/rubygems.rb", 0644, done, strlen(done),
                         because("short load path"), err) &&
           plan_encodings(probe, plan, err);
}

bool ruby_plan_loader(struct ruby *ruby, const struct probe *probe, struct plan *plan,
                      struct err *err)
{
    cleanup_free char *copy = xasprintf(FORMAT_DIR "/ld/%s", ruby->comm);
    const struct plan_entry *loader = plan_find(plan, copy);
    const char *elf = ruby->elf;

    if (!ruby->loadpath.is_relative || probe->ruby.libruby != NULL)
        return true;
    assert(loader != NULL && loader->type == PLAN_DATA);
    ruby->loader = xasprintf("%.*s.%s.ld", (int)(text_base_name(elf) - elf), elf, ruby->comm);
    return plan_add_data(plan, ruby->loader, 0755, loader->data, loader->size_bytes,
                         (struct plan_origin){PLAN_PART_RUNTIME, "hermetic loader"}, err);
}

void ruby_forget_extensions(struct ruby *ruby, const struct plan *plan)
{
    size_t kept = 0;

    for (size_t i = 0; i < ruby->extension_count; i++) {
        cleanup_free char *image = plan_image_path(plan, ruby->extensions[i]);

        if (plan_find(plan, image) != NULL)
            ruby->extensions[kept++] = ruby->extensions[i];
        else
            free(ruby->extensions[i]);
    }
    ruby->extension_count = kept;
}

void ruby_release(struct ruby *ruby)
{
    free(ruby->program);
    free(ruby->elf);
    free(ruby->comm);
    free(ruby->loader);
    free(ruby->specs);
    free_list(ruby->extensions, ruby->extension_count);
    free(ruby->loadpath.source);
    free(ruby->loadpath.object);
    free_list(ruby->loadpath.dirs, ruby->loadpath.dir_count);
    free_list(ruby->loadpath.image_dirs, ruby->loadpath.image_dir_count);
    *ruby = (struct ruby){0};
}
