/* SPDX-License-Identifier: MIT */
#include "bundler/unpacked.h"

#include <ctype.h>
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
#include "bundler/walk.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/path.h"
#include "common/text.h"
#include "common/xalloc.h"

enum {
    NAMED_DEPTH = 2,  /* below a directory that is named by its path */
    BESIDE_DEPTH = 3, /* below one that is named: gdk-pixbuf-2.0/2.10.0/loaders */
    ENTRIES_MAX = 4096,
    BESIDE_MAX = 1024,
    NAME_MIN = 6, /* shorter names are words: "perl", "nss" */
};

/* A directory beside objects, that nothing of is packed. */
struct beside {
    char *path;
    bool has_modules;
};

/* Those of one directory. */
struct place {
    char *dir;
    struct beside *items;
    size_t count;
};

/* One object while it is looked at. */
struct look {
    const struct unpacked *unpacked;
    const struct elf *elf;
    const char *who;
    const struct place *place;
};

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

    while (stream != NULL && seen++ < ENTRIES_MAX && (entry = readdir(stream)) != NULL) {
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

/* Where the loader itself searches, and what is above: named by many, and no place for modules. Nor
 * is a directory of programs, whatever is called ld.so there. */
static bool holds_libraries(const struct loader *loader, const char *dir)
{
    if (strcmp(text_base_name(dir), "bin") == 0 || strcmp(text_base_name(dir), "sbin") == 0)
        return true;
    for (size_t i = 0; i < loader->default_dir_count; i++) {
        cleanup_free char *real = realpath(loader->default_dirs[i], NULL);

        if (real != NULL && path_lies_in(real, dir))
            return true;
    }
    for (size_t i = 0; i < loader->cache_count; i++)
        if (path_lies_in(loader->cache_entries[i].path, dir))
            return true;
    return false;
}

/* Data of the system, as far as it is not documentation, translations or the host's to configure.
 * The archive of locales is the host's choice of languages; C.UTF-8 is not in it. */
static bool is_data(const char *path, const struct stat *st)
{
    static const char *const others[] = {"/usr/share/doc/*", "/usr/share/locale*",
                                         "/usr/lib/locale/locale-archive", "*/os-release"};

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (fnmatch(others[i], path, 0) == 0)
            return false;
    if (S_ISREG(st->st_mode) && (st->st_mode & S_IXUSR) != 0)
        return false;
    return strncmp(path, "/usr/share/", strlen("/usr/share/")) == 0 ||
           strcmp(path, "/usr/lib/locale") == 0 ||
           (S_ISREG(st->st_mode) && strncmp(path, "/usr/lib/", strlen("/usr/lib/")) == 0);
}

/* "/usr/lib/gdk-pixbuf-2.0/2.10.0/loaders.cache" is the index of a directory beside it. */
static bool is_index(const char *path)
{
    size_t len = strlen(path);

    return len > 6 && strcmp(path + len - 6, ".cache") == 0;
}

static bool is_packed_or_known(const struct look *look, const char *dir, const char *path)
{
    return plan_find(look->unpacked->plan, path + 1) != NULL ||
           is_known(look->unpacked->cookbook, dir, path);
}

static void warn_modules(const struct look *look, const char *dir)
{
    extras_warn(look->unpacked->extras,
                "%s looks for modules in '%s', which no recipe packs: see rucksack recipes",
                look->who, dir);
}

static void note_data(const struct look *look, const char *path)
{
    cleanup_free char *text = xasprintf("%s reads '%s', which is not packed", look->who, path);

    extras_add(&look->unpacked->extras->notes, "note", text);
}

static void take_path(const char *path, void *context)
{
    const struct look *look = context;
    const struct unpacked *unpacked = look->unpacked;
    cleanup_free char *real = realpath(path, NULL);
    struct stat st;

    if (real == NULL || stat(real, &st) != 0)
        return;
    if (S_ISREG(st.st_mode) && is_index(real))
        *strrchr(real, '/') = '\0';
    if (holds_libraries(unpacked->walk->loader, real) ||
        is_packed_or_known(look, look->place->dir, real) ||
        is_known(unpacked->cookbook, look->place->dir, path))
        return;
    if ((!S_ISREG(st.st_mode) || is_index(path)) && has_modules(unpacked->plan, real, NAMED_DEPTH))
        warn_modules(look, real);
    else if (is_data(path, &st))
        note_data(look, path);
}

/* Letters and digits only, in lower case, without "lib" in front and ".so" and what follows. */
static char *stem_of(const char *name)
{
    const char *so = strstr(name, ".so");
    size_t len = so == NULL ? strlen(name) : (size_t)(so - name);
    char *stem = xcalloc(len + 1, 1);
    size_t used = 0;

    for (size_t i = strncmp(name, "lib", 3) == 0 ? 3 : 0; i < len; i++)
        if (isalpha((unsigned char)name[i]))
            stem[used++] = (char)tolower((unsigned char)name[i]);
    return stem;
}

static bool has_digit(const char *name)
{
    return name[strcspn(name, "0123456789")] != '\0';
}

static bool is_akin(const char *name, const char *other)
{
    cleanup_free char *stem = stem_of(name);
    cleanup_free char *other_stem = stem_of(other);

    return strlen(stem) >= 4 && strstr(other_stem, stem) != NULL;
}

/* Many names are words. One with a version is none, and modules are what is loaded; data is the
 * library's where it is called as the library. */
static void take_name(const char *pattern, void *context)
{
    const struct look *look = context;

    for (size_t i = 0; i < look->place->count; i++) {
        const struct beside *beside = &look->place->items[i];
        const char *name = text_base_name(beside->path);
        bool fits = strchr(pattern, '*') == NULL ? strcmp(pattern, name) == 0
                                                 : fnmatch(pattern, name, FNM_PERIOD) == 0;

        if (!fits)
            continue;
        if (beside->has_modules && (has_digit(name) || is_akin(look->who, name)))
            warn_modules(look, beside->path);
        else if (!beside->has_modules && is_akin(look->who, name))
            note_data(look, beside->path);
    }
}

/* What of the directory nothing packs; nothing where it cannot be read. */
static void fill_place(struct place *place, const struct look *look)
{
    cleanup_dir DIR *stream = opendir(place->dir);
    const struct dirent *entry;

    while (stream != NULL && place->count < BESIDE_MAX && (entry = readdir(stream)) != NULL) {
        cleanup_free char *path = xasprintf("%s/%s", place->dir, entry->d_name);
        struct beside beside = {0};

        if (entry->d_type != DT_DIR || entry->d_name[0] == '.' ||
            strlen(entry->d_name) < NAME_MIN || is_packed_or_known(look, place->dir, path))
            continue;
        beside.has_modules = has_modules(look->unpacked->plan, path, BESIDE_DEPTH);
        beside.path = steal_ptr(&path);
        place->items = xrealloc_array(place->items, place->count + 1, sizeof(*place->items));
        place->items[place->count++] = beside;
    }
}

struct places {
    struct place **items;
    size_t count;
};

static void places_release(struct places *places)
{
    for (size_t i = 0; i < places->count; i++) {
        for (size_t j = 0; j < places->items[i]->count; j++)
            free(places->items[i]->items[j].path);
        free(places->items[i]->items);
        free(places->items[i]->dir);
        free(places->items[i]);
    }
    free(places->items);
}

/* The real directory of the object, and what is beside it; NULL when it is gone. */
static const struct place *find_place(struct places *places, const struct look *look)
{
    cleanup_free char *dir = realpath(look->elf->path, NULL);
    struct place *place;

    if (dir == NULL)
        return NULL;
    *strrchr(dir, '/') = '\0';
    for (size_t i = 0; i < places->count; i++)
        if (strcmp(places->items[i]->dir, dir) == 0)
            return places->items[i];
    place = xcalloc(1, sizeof(*place));
    place->dir = steal_ptr(&dir);
    fill_place(place, look);
    places->items = xrealloc_array(places->items, places->count + 1, sizeof(struct place *));
    places->items[places->count++] = place;
    return place;
}

void unpacked_say(const struct unpacked *unpacked)
{
    cleanup_with(places_release) struct places places = {0};

    for (size_t i = 0; i < unpacked->walk->count; i++) {
        struct look look = {.unpacked = unpacked, .elf = walk_elf(unpacked->walk, i)};

        if (look.elf == NULL)
            continue;
        look.who = text_base_name(look.elf->path);
        look.place = find_place(&places, &look);
        if (look.place == NULL)
            continue;
        elfscan_paths(look.elf, take_path, &look);
        if (holds_libraries(unpacked->walk->loader, look.place->dir))
            elfscan_components(look.elf, take_name, &look);
    }
}
