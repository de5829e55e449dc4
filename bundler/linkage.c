/* SPDX-License-Identifier: MIT */
#include "bundler/linkage.h"

#include <stdlib.h>
#include <string.h>

#include "bundler/elf.h"
#include "bundler/elfsym.h"
#include "bundler/walk.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/xalloc.h"

enum { NAMES_SHOWN = 3 };

/* The symbols of every object of the walk, by its index there. */
struct symbols {
    struct elfsym *objects;
    size_t count;
};

static void symbols_release(struct symbols *symbols)
{
    for (size_t i = 0; i < symbols->count; i++)
        elfsym_release(&symbols->objects[i]);
    free(symbols->objects);
}

static bool read_symbols(struct symbols *symbols, const struct walk *walk, struct err *err)
{
    symbols->objects = xcalloc(walk->count, sizeof(*symbols->objects));
    for (size_t i = 0; i < walk->count; i++) {
        const struct elf *elf = walk_elf(walk, i);

        if (elf != NULL && !elfsym_read(&symbols->objects[i], elf, err))
            return false;
        symbols->count++;
    }
    return true;
}

static bool is_called(const struct walk_object *object, const char *name)
{
    return strcmp(object->name, name) == 0 || strcmp(object->path, name) == 0 ||
           (object->soname != NULL && strcmp(object->soname, name) == 0);
}

static bool no_version(const struct walk_object *object, const struct elfsym_need *need,
                       const struct walk_object *library, struct err *err)
{
    (void)err_set(err, ERR_INPUT,
                  "'%s' (%s) was linked with version '%s' of '%s', which '%s' does not have",
                  object->path, object->reason, need->name, need->file, library->path);
    (void)err_id(err, "E-VERSION");
    return err_hint(err,
                    "one of the two was made for another system: build it again on this one "
                    "(bundle pristine GEM), or install a newer '%s'",
                    need->file);
}

static bool has_version(const struct elfsym *library, const struct elfsym_need *need)
{
    return !elfsym_has_versions(library) || elfsym_offers_version(library, need->name);
}

/* What the asker's own DT_NEEDED of that name led to, in each process: every one must have it. Sets
 * *ret_any when there is one; returns the first that does not have it. */
static const struct walk_object *lacks_version(const struct symbols *symbols,
                                               const struct walk *walk, size_t asker,
                                               const struct elfsym_need *need, bool *ret_any)
{
    *ret_any = false;
    for (size_t i = 0; i < walk->edge_count; i++) {
        const struct walk_edge *edge = &walk->edges[i];

        if (edge->from != asker || (strcmp(edge->name, need->file) != 0 &&
                                    !is_called(&walk->objects[edge->to], need->file)))
            continue;
        *ret_any = true;
        if (!has_version(&symbols->objects[edge->to], need))
            return &walk->objects[edge->to];
    }
    return NULL;
}

/* A library that the asker does not name itself comes from another object of its process, which one
 * the walk does not say: any that has the version will do. One that is not there at all is the
 * walker's business. */
static const struct walk_object *lacks_foreign(const struct symbols *symbols,
                                               const struct walk *walk,
                                               const struct elfsym_need *need)
{
    const struct walk_object *without = NULL;

    for (size_t i = 0; i < walk->count; i++) {
        if (!is_called(&walk->objects[i], need->file))
            continue;
        if (has_version(&symbols->objects[i], need))
            return NULL;
        without = &walk->objects[i];
    }
    return without;
}

static bool check_need(const struct symbols *symbols, const struct walk *walk, size_t asker,
                       const struct elfsym_need *need, struct err *err)
{
    bool any;
    const struct walk_object *without = lacks_version(symbols, walk, asker, need, &any);

    if (!any)
        without = lacks_foreign(symbols, walk, need);
    return without == NULL || need->is_weak ||
           no_version(&walk->objects[asker], need, without, err);
}

static bool check_versions(const struct symbols *symbols, const struct walk *walk, struct err *err)
{
    for (size_t i = 0; i < walk->count; i++) {
        const struct elfsym *object = &symbols->objects[i];

        for (size_t n = 0; n < object->need_count; n++)
            if (!check_need(symbols, walk, i, &object->needs[n], err))
                return false;
    }
    return true;
}

/* Most symbols come from the library that their version names, or from where the last one did. */
static bool is_defined(const struct symbols *symbols, const struct elfsym_ref *ref, size_t *last)
{
    if (elfsym_defines(&symbols->objects[*last], ref))
        return true;
    for (size_t i = 0; i < symbols->count; i++) {
        if (i != *last && elfsym_defines(&symbols->objects[i], ref)) {
            *last = i;
            return true;
        }
    }
    return false;
}

/* What one object misses: a few names, the number of all. */
struct lack {
    char *names;
    size_t count;
    bool fails_at_load;
};

static void note_lack(struct lack *lack, const struct elfsym_ref *ref)
{
    char *longer;

    lack->fails_at_load |= !ref->is_lazy;
    if (lack->count++ >= NAMES_SHOWN)
        return;
    longer = xasprintf("%s%s'%s%s%s'", lack->names == NULL ? "" : lack->names,
                       lack->names == NULL ? "" : ", ", ref->name, ref->version == NULL ? "" : "@",
                       ref->version == NULL ? "" : ref->version);
    free(lack->names);
    lack->names = longer;
}

static void warn(struct linkage *linkage, const struct walk_object *object, const struct lack *lack)
{
    cleanup_free char *more =
        lack->count > NAMES_SHOWN ? xasprintf(" and %zu more", lack->count - NAMES_SHOWN) : NULL;

    linkage->warnings =
        xgrow(linkage->warnings, &linkage->capacity, linkage->count, sizeof(*linkage->warnings));
    linkage->warnings[linkage->count++] = xasprintf(
        "'%s' (%s): nothing defines %s%s; it fails %s", object->path, object->reason, lack->names,
        more == NULL ? "" : more, lack->fails_at_load ? "when it is loaded" : "at the first call");
}

static void check_symbols(struct linkage *linkage, const struct symbols *symbols,
                          const struct walk *walk)
{
    for (size_t i = 0; i < symbols->count; i++) {
        const struct elfsym *object = &symbols->objects[i];
        struct lack lack = {0};
        size_t last = 0;

        for (size_t n = 0; n < object->ref_count; n++)
            if (!is_defined(symbols, &object->refs[n], &last))
                note_lack(&lack, &object->refs[n]);
        if (lack.count > 0)
            warn(linkage, &walk->objects[i], &lack);
        free(lack.names);
    }
}

bool linkage_check(struct linkage *ret, const struct walk *walk, struct err *err)
{
    cleanup_with(symbols_release) struct symbols symbols = {0};
    struct linkage linkage = {0};

    if (!read_symbols(&symbols, walk, err) || !check_versions(&symbols, walk, err))
        return false;
    check_symbols(&linkage, &symbols, walk);
    *ret = linkage;
    return true;
}

void linkage_release(struct linkage *linkage)
{
    if (linkage == NULL)
        return;
    for (size_t i = 0; i < linkage->count; i++)
        free(linkage->warnings[i]);
    free(linkage->warnings);
    *linkage = (struct linkage){0};
}
