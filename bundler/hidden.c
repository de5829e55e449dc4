/* SPDX-License-Identifier: MIT */
#include "bundler/hidden.h"

#include <dirent.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bundler/cookbook.h"
#include "bundler/elf.h"
#include "bundler/elfscan.h"
#include "bundler/extras.h"
#include "bundler/loader.h"
#include "bundler/plan.h"
#include "bundler/recipe.h"
#include "bundler/rubyscan.h"
#include "bundler/walk.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/fs.h"
#include "common/text.h"
#include "common/xalloc.h"

enum { MODULE_DEPTH = 2, MODULE_ENTRIES_MAX = 4096 };

/*
 * The loader names what it never opens. libc, ncurses and libcrypto name what recipes decide on, or
 * nobody wants: nss and libgcc_s, libidn2 for a flag of getaddrinfo() that Ruby never sets, a mouse
 * on the console, patterns. libmount: libcryptsetup, for mounting verified disks.
 */
static const char *const quiet[] = {"ld-linux*.so.*", "libc.so.*", "libncurses*.so.*",
                                    "libcrypto.so.*", "libmount.so.*"};

/* One object or source file while it is looked at. */
struct look {
    struct hidden *hidden;
    const struct elf *elf;
    const char *who;   /* "libfoo.so.1", "gem 'x'" */
    const char *where; /* the Ruby file's path, for messages */
    bool failed;
    struct err *err;
};

/* As a dlopen() by the main program. What cannot be loaded here cannot be loaded there. */
static bool add_soname(const struct look *look, const char *name, const char *reason)
{
    struct err failed = {0};
    bool found = false;

    if (extras_leave_out(look->hidden->extras, "", name))
        return true;
    if (!walk_add_soname(look->hidden->walk, name, reason, &found, &failed)) {
        if (strcmp(failed.id, "E-LIB") == 0)
            extras_warn(look->hidden->extras, "%s opens '%s': %s", look->who, name, failed.msg);
        return false;
    }
    return found;
}

static void take_note(const struct elfscan_note *note, void *context)
{
    struct look *look = context;
    cleanup_free char *reason =
        xasprintf("a note of %s%s%s", look->who, note->feature != NULL ? " for " : "",
                  note->feature != NULL ? note->feature : "");

    for (size_t i = 0; i < note->name_count && note->priority != ELFSCAN_SUGGESTED; i++)
        if (add_soname(look, note->names[i], reason))
            return;
    if (note->priority == ELFSCAN_REQUIRED && !look->failed) {
        look->failed = true;
        (void)err_set(look->err, ERR_INPUT, "'%s', declared as required by '%s', was not found",
                      note->names[0], look->elf->path);
        (void)err_id(look->err, "E-LIB");
        (void)err_hint(look->err, "install the package that contains '%s'", note->names[0]);
    } else if (note->priority == ELFSCAN_SUGGESTED) {
        cleanup_free char *text =
            xasprintf("%s can use '%s', which is not packed: %s", look->who, note->names[0],
                      note->feature != NULL ? note->feature : "suggested");

        extras_add(&look->hidden->extras->notes, "note", text);
    }
}

static void take_soname(const char *name, void *context)
{
    struct look *look = context;
    cleanup_free char *reason = xasprintf("a name in %s", look->who);

    (void)add_soname(look, name, reason);
}

static bool is_quiet(const char *name)
{
    for (size_t i = 0; i < sizeof(quiet) / sizeof(quiet[0]); i++)
        if (fnmatch(quiet[i], name, 0) == 0)
            return true;
    return false;
}

bool hidden_objects(struct hidden *hidden, bool *ret_any, struct err *err)
{
    *ret_any = false;
    for (; hidden->objects_done < hidden->walk->count; hidden->objects_done++) {
        const struct elf *elf = walk_elf(hidden->walk, hidden->objects_done);
        struct look look = {.hidden = hidden, .elf = elf, .err = err};

        *ret_any = true;
        if (elf == NULL)
            continue;
        look.who = text_base_name(elf->path);
        if (!elfscan_notes(elf, take_note, &look))
            extras_warn(hidden->extras, "%s: a .note.dlopen that cannot be read", elf->path);
        if (look.failed)
            return false;
        if (!is_quiet(look.who))
            elfscan_sonames(elf, take_soname, &look);
    }
    return true;
}

/* The newest "libX.so.N" that the loader's cache knows; NULL when there is none. */
static const struct loader_cache_entry *find_version(const struct loader *loader, const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < loader->cache_count; i++) {
        const struct loader_cache_entry *entry = &loader->cache_entries[i];

        if (strncmp(entry->name, name, len) == 0 && entry->name[len] == '.')
            return entry; /* the cache is sorted, the highest version first */
    }
    return NULL;
}

/* Whether the image has the name: a file that is loaded already under another one is not asked for
 * again by the walk. */
static bool has_name(const struct walk *walk, const char *name)
{
    for (size_t i = 0; i < walk->count; i++)
        if (strcmp(walk->objects[i].name, name) == 0 ||
            (walk->objects[i].soname != NULL && strcmp(walk->objects[i].soname, name) == 0))
            return true;
    return false;
}

/*
 * The name without a version belongs to a development package: there it is a link, or a text for
 * the linker, which no loader takes. In the image it becomes a link to the version that is here.
 */
static bool add_version(const struct look *look, const char *name, const char *reason)
{
    const struct loader_cache_entry *entry = find_version(look->hidden->walk->loader, name);
    struct plan *plan = look->hidden->plan;
    struct err ignored = {0};
    cleanup_free char *real = NULL;
    cleanup_free char *link = NULL;

    if (entry == NULL || !add_soname(look, entry->name, reason))
        return false;
    real = realpath(entry->path, NULL);
    if (real == NULL)
        return false;
    link = xasprintf("%.*s/%s", (int)(text_base_name(real) - real - 2), real + 1, name);
    return plan_find(plan, link) != NULL ||
           plan_add_symlink(plan, link, text_base_name(real),
                            (struct plan_origin){PLAN_PART_LIBS, reason}, &ignored);
}

/* As FFI does: the name as it is, then "libNAME.so" (ffi, lib/ffi/dynamic_library.rb). */
static bool add_name(const struct look *look, const char *name, const char *reason)
{
    const struct walk *walk = look->hidden->walk;
    cleanup_free char *full = NULL;

    if (name[0] != '/' && strchr(name, '/') != NULL)
        return true; /* a file of the gem or the application: packed as such */
    if (strstr(name, ".so") != NULL && add_soname(look, name, reason))
        return has_name(walk, name) || add_version(look, name, reason);
    if (name[0] == '/')
        return false;
    full = xasprintf("%s%s%s", strncmp(name, "lib", 3) == 0 ? "" : "lib", name,
                     strstr(name, ".so") == NULL ? ".so" : "");
    if (add_soname(look, full, reason) && has_name(walk, full))
        return true;
    return add_version(look, full, reason);
}

static void take_call(const struct rubyscan_call *call, void *context)
{
    struct look *look = context;
    cleanup_free char *reason = xasprintf("a call in %s:%zu", look->where, call->line);

    for (size_t i = 0; i < call->name_count; i++)
        if (add_name(look, call->names[i], reason))
            return;
    extras_warn(look->hidden->extras, "%s:%zu opens '%s', which was not found on this machine",
                look->where, call->line, call->names[0]);
}

static bool is_ruby(const char *path)
{
    static const char *const patterns[] = {"*.rb", "*.ru", "*.rake"};

    for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++)
        if (fnmatch(patterns[i], path, 0) == 0)
            return true;
    return false;
}

bool hidden_sources(struct hidden *hidden, struct err *err)
{
    /* Links to libraries join the plan meanwhile: no pointer to an entry is kept. */
    size_t count = hidden->plan->count;

    for (size_t i = 0; i < count; i++) {
        const struct plan_entry *entry = hidden->plan->entries[i];
        struct look look = {.hidden = hidden, .where = entry->path};
        cleanup_free char *text = NULL;
        size_t size;

        if (entry->type != PLAN_FILE || !is_ruby(entry->path) ||
            (entry->part != PLAN_PART_GEMS && entry->part != PLAN_PART_APP) ||
            entry->size_bytes > RUBYSCAN_FILE_MAX)
            continue;
        look.who = entry->reason;
        if (!fs_read_file(entry->source, RUBYSCAN_FILE_MAX, &text, &size, err))
            return err_id(err, "E-READ");
        rubyscan(text, size, take_call, &look);
    }
    return true;
}

/* Whether a recipe knows the directory, be it applied or not. */
static bool is_pattern_of(const char *pattern, const char *libdir, const char *path)
{
    cleanup_free char *here = text_replace(pattern, "${LIBDIR}", libdir);
    cleanup_free char *below = xasprintf("%s/*", here);
    cleanup_free char *above = xasprintf("%s/*", path);

    return fnmatch(here, path, 0) == 0 || fnmatch(below, path, 0) == 0 ||
           fnmatch(above, here, 0) == 0;
}

static bool is_known(const struct cookbook *cookbook, const char *libdir, const char *path)
{
    for (size_t i = 0; i < cookbook->count; i++) {
        const struct recipe *recipe = cookbook->entries[i].recipe;

        for (size_t j = 0; j < recipe->directory_count; j++)
            if (is_pattern_of(recipe->directories[j].path, libdir, path))
                return true;
        for (size_t j = 0; j < recipe->ignore_count; j++)
            if (is_pattern_of(recipe->ignore[j], libdir, path))
                return true;
        for (size_t j = 0; j < recipe->file_count; j++)
            if (is_pattern_of(recipe->files[j], libdir, path))
                return true;
        for (size_t j = 0; j < recipe->required_file_count; j++)
            if (is_pattern_of(recipe->required_files[j], libdir, path))
                return true;
        for (size_t j = 0; j < recipe->fallback_count; j++)
            for (size_t k = 0; k < recipe->fallbacks[j].file_count; k++)
                if (is_pattern_of(recipe->fallbacks[j].files[k], libdir, path))
                    return true;
    }
    return false;
}

/* A shared object, in the directory or just below it, that the plan does not have. */
static bool has_modules(const struct plan *plan, const char *dir, int depth)
{
    cleanup_dir DIR *stream = opendir(dir);
    const struct dirent *entry;
    size_t seen = 0;

    while (stream != NULL && seen++ < MODULE_ENTRIES_MAX && (entry = readdir(stream)) != NULL) {
        cleanup_free char *path = xasprintf("%s/%s", dir, entry->d_name);
        size_t len = strlen(entry->d_name);

        if (entry->d_name[0] == '.')
            continue;
        if (entry->d_type == DT_DIR && depth > 1 && has_modules(plan, path, depth - 1))
            return true;
        if (entry->d_type != DT_DIR && len > 3 && strcmp(entry->d_name + len - 3, ".so") == 0 &&
            plan_find(plan, path + 1) == NULL && elf_is_elf(path))
            return true;
    }
    return false;
}

/* Whether dir is the directory of a path, or one above that. */
static bool is_above(const char *dir, const char *path)
{
    size_t len = strlen(dir);

    return strncmp(path, dir, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

/* Where the loader itself searches, and what is above: named by many, and no place for modules. Nor
 * is a directory of programs, whatever is called ld.so there. */
static bool holds_libraries(const struct loader *loader, const char *dir)
{
    if (strcmp(text_base_name(dir), "bin") == 0 || strcmp(text_base_name(dir), "sbin") == 0)
        return true;
    for (size_t i = 0; i < loader->default_dir_count; i++) {
        cleanup_free char *real = realpath(loader->default_dirs[i], NULL);

        if (real != NULL && is_above(dir, real))
            return true;
    }
    for (size_t i = 0; i < loader->cache_count; i++)
        if (is_above(dir, loader->cache_entries[i].path))
            return true;
    return false;
}

/* Data of the system, as far as it is not documentation, translations or the host's to configure.
 */
static bool is_data(const char *path, const struct stat *st)
{
    static const char *const tops[] = {"/usr/share/", "/usr/lib/"};
    static const char *const others[] = {"/usr/share/doc/*", "/usr/share/locale*",
                                         "/usr/lib/locale*", "*/os-release"};

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (fnmatch(others[i], path, 0) == 0)
            return false;
    if (S_ISREG(st->st_mode) && (st->st_mode & S_IXUSR) != 0)
        return false;
    return strncmp(path, tops[0], strlen(tops[0])) == 0 ||
           (S_ISREG(st->st_mode) && strncmp(path, tops[1], strlen(tops[1])) == 0);
}

/* "/usr/lib/gdk-pixbuf-2.0/2.10.0/loaders.cache" is the index of a directory beside it. */
static bool is_index(const char *path)
{
    size_t len = strlen(path);

    return len > 6 && strcmp(path + len - 6, ".cache") == 0;
}

static void take_path(const char *path, void *context)
{
    const struct look *look = context;
    const struct hidden *hidden = look->hidden;
    cleanup_free char *real = realpath(path, NULL);
    cleanup_free char *object = realpath(look->elf->path, NULL);
    struct stat st;

    if (real == NULL || object == NULL || stat(real, &st) != 0)
        return;
    *strrchr(object, '/') = '\0';
    if (S_ISREG(st.st_mode) && is_index(real))
        *strrchr(real, '/') = '\0';
    if (holds_libraries(hidden->walk->loader, real) || plan_find(hidden->plan, real + 1) != NULL ||
        is_known(hidden->cookbook, object, path) || is_known(hidden->cookbook, object, real))
        return;
    if (!S_ISREG(st.st_mode) || is_index(path)) {
        if (has_modules(hidden->plan, real, MODULE_DEPTH)) {
            extras_warn(hidden->extras,
                        "%s looks for modules in '%s', which no recipe packs: see rucksack recipes",
                        look->who, real);
            return;
        }
    }
    if (is_data(path, &st) && plan_find(hidden->plan, real + 1) == NULL) {
        cleanup_free char *text = xasprintf("%s reads '%s', which is not packed", look->who, path);

        extras_add(&hidden->extras->notes, "note", text);
    }
}

void hidden_directories(struct hidden *hidden)
{
    for (size_t i = 0; i < hidden->walk->count; i++) {
        const struct elf *elf = walk_elf(hidden->walk, i);
        struct look look = {.hidden = hidden, .elf = elf};

        if (elf == NULL)
            continue;
        look.who = text_base_name(elf->path);
        elfscan_paths(elf, take_path, &look);
    }
}
