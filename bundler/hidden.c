/* SPDX-License-Identifier: MIT */
#include "bundler/hidden.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "bundler/elf.h"
#include "bundler/elfscan.h"
#include "bundler/extras.h"
#include "bundler/loader.h"
#include "bundler/plan.h"
#include "bundler/rubyscan.h"
#include "bundler/walk.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/fs.h"
#include "common/text.h"
#include "common/xalloc.h"

/*
 * Who names what, where a name is no reason to pack it: patterns of both. The loader names what it
 * never opens. libc and ncurses name what recipes decide on, or nobody wants: nss, libidn2 for a
 * flag of getaddrinfo() that Ruby never sets, a mouse on the console. libcrypto's is a pattern.
 * libmount: libcryptsetup, for mounting verified disks.
 */
static const struct {
    const char *who;
    const char *name;
    bool is_recipes; /* needed: what it is when no recipe packs it, is told */
} quiet[] = {
    {"libc.so.*", "libgcc_s.so.*", true},
    {"ld-linux*.so.*", "*", false},
    {"libc.so.*", "*", false},
    {"libncurses*.so.*", "*", false},
    {"libcrypto.so.*", "*", false},
    {"libmount.so.*", "*", false},
};

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

/* NULL: the name is taken by its word. */
static const bool *find_quiet(const char *who, const char *name)
{
    for (size_t i = 0; i < sizeof(quiet) / sizeof(quiet[0]); i++)
        if (fnmatch(quiet[i].who, who, 0) == 0 && fnmatch(quiet[i].name, name, 0) == 0)
            return &quiet[i].is_recipes;
    return NULL;
}

static void take_soname(const char *name, void *context)
{
    struct look *look = context;
    cleanup_free char *reason = xasprintf("a name in %s", look->who);

    if (find_quiet(look->who, name) == NULL)
        (void)add_soname(look, name, reason);
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
        elfscan_sonames(elf, take_soname, &look);
    }
    return true;
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

/* What a recipe was to decide on. */
static void take_left(const char *name, void *context)
{
    struct look *look = context;
    const bool *is_recipes = find_quiet(look->who, name);

    if (is_recipes != NULL && *is_recipes && !has_name(look->hidden->walk, name))
        extras_warn(look->hidden->extras, "%s opens '%s', which no recipe packs", look->who, name);
}

void hidden_left(struct hidden *hidden)
{
    for (size_t i = 0; i < hidden->walk->count; i++) {
        const struct elf *elf = walk_elf(hidden->walk, i);
        struct look look = {.hidden = hidden, .elf = elf};

        if (elf == NULL)
            continue;
        look.who = text_base_name(elf->path);
        elfscan_sonames(elf, take_left, &look);
    }
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
    if (strstr(name, ".so") != NULL && add_soname(look, name, reason)) {
        /* What the host has there is another one: runtime/guest/fallback.c opens ours. */
        if (name[0] == '/')
            extras_add(&look->hidden->extras->paths, name, reason);
        return has_name(walk, name) || add_version(look, name, reason);
    }
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
