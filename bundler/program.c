/* SPDX-License-Identifier: MIT */
#include "bundler/program.h"

#include <stdlib.h>
#include <string.h>

#include "bundler/asset.h"
#include "bundler/elf.h"
#include "bundler/gems.h"
#include "bundler/plan.h"
#include "bundler/walk.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/xalloc.h"

/* Linux keeps 15 bytes of a process's name; longer file names are fine, but all alike. */
enum { COMM_MAX = 255 };

static bool is_like(const struct elf *elf, const struct elf *ruby)
{
    return elf->machine == ruby->machine && elf->elf_class == ruby->elf_class &&
           elf_is_program(elf) && elf->interp != NULL && ruby->interp != NULL &&
           strcmp(elf->interp, ruby->interp) == 0;
}

/* A file that cannot be parsed is somebody's data: test files of a gem, say. */
static bool is_candidate(const struct plan_entry *entry, const struct elf *ruby)
{
    cleanup_with(elf_release) struct elf elf = {0};
    struct err ignored = {0};

    return entry->type == PLAN_FILE && (entry->mode & 0100) != 0 &&
           (entry->part == PLAN_PART_GEMS || entry->part == PLAN_PART_APP) &&
           strlen(entry->path) < COMM_MAX && elf_is_elf(entry->source) &&
           elf_open(&elf, entry->source, &ignored) && is_like(&elf, ruby);
}

static void warn(struct programs *programs, const struct plan_entry *entry, const struct err *why)
{
    programs->warnings = xrealloc_array(programs->warnings, programs->warning_count + 1,
                                        sizeof(*programs->warnings));
    programs->warnings[programs->warning_count++] =
        xasprintf("program '%s' (%s) does not start here, so it is packed as it is: %s",
                  entry->source, entry->reason, why->msg);
}

/* One that its own process could not load must not fail the walk of all. */
static bool starts_here(struct programs *programs, const struct plan_entry *entry)
{
    struct walk walk = {0};
    struct err why = {0};
    bool ok = walk_closure(&walk, entry->source, NULL, 0, &why);

    if (ok)
        walk_release(&walk);
    else
        warn(programs, entry, &why);
    return ok;
}

static bool move_aside(struct programs *programs, const struct plan_entry *entry, struct gems *gems,
                       struct plan *plan, struct err *err)
{
    struct asset launch = asset_get(ASSET_LAUNCH);
    const char *slash = strrchr(entry->path, '/');
    const char *name = slash == NULL ? entry->path : slash + 1;
    struct program program = {
        .path = xstrdup(entry->path),
        .elf = xasprintf("%.*s.%s.elf", (int)(name - entry->path), entry->path, name),
        .comm = xstrdup(name),
    };
    cleanup_free char *source = xstrdup(entry->source);
    cleanup_free char *reason = xstrdup(entry->reason);
    struct plan_origin origin = {entry->part, reason};

    programs->items =
        xrealloc_array(programs->items, programs->count + 1, sizeof(*programs->items));
    programs->items[programs->count++] = program;
    gems_add_object(gems, source, program.elf, reason);
    return plan_add_file(plan, program.elf, source, origin, err) &&
           plan_replace_data(plan, program.path, 0755, launch.data, launch.size, origin, err);
}

bool programs_plan(struct programs *ret, const char *ruby_program, struct gems *gems,
                   struct plan *plan, struct err *err)
{
    cleanup_with(elf_release) struct elf ruby = {0};
    struct programs programs = {0};
    cleanup_free char **paths = NULL;
    size_t count = 0;
    bool ok = true;

    if (!elf_open(&ruby, ruby_program, err))
        return false;
    /* Moving one aside changes the plan, so they are noted first. */
    paths = xcalloc(plan->count, sizeof(*paths));
    for (size_t i = 0; i < plan->count; i++)
        if (is_candidate(plan->entries[i], &ruby) && starts_here(&programs, plan->entries[i]))
            paths[count++] = xstrdup(plan->entries[i]->path);
    for (size_t i = 0; i < count; i++) {
        ok = ok && move_aside(&programs, plan_find(plan, paths[i]), gems, plan, err);
        free(paths[i]);
    }
    *ret = programs;
    return ok;
}

void programs_release(struct programs *programs)
{
    for (size_t i = 0; i < programs->count; i++) {
        free(programs->items[i].path);
        free(programs->items[i].elf);
        free(programs->items[i].comm);
    }
    for (size_t i = 0; i < programs->warning_count; i++)
        free(programs->warnings[i]);
    free(programs->items);
    free(programs->warnings);
    *programs = (struct programs){0};
}
