/* SPDX-License-Identifier: MIT */
#include "bundler/program.h"

#include <stdlib.h>
#include <string.h>

#include "bundler/asset.h"
#include "bundler/deps.h"
#include "bundler/elf.h"
#include "bundler/extras.h"
#include "bundler/plan.h"
#include "bundler/walk.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/format.h"
#include "common/text.h"
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
static const struct elf *read_candidate(const struct programs *programs,
                                        const struct plan_entry *entry)
{
    const struct elf *elf = NULL;
    struct err ignored = {0};

    if (entry->type != PLAN_FILE || (entry->mode & 0100) == 0 || strlen(entry->path) >= COMM_MAX ||
        !elf_is_elf(entry->source) || !deps_mark(programs->deps, entry->source) ||
        !deps_read(programs->deps, entry->source, &elf, &ignored) || !is_like(elf, programs->ruby))
        return NULL;
    return elf;
}

static void add_warning(struct programs *programs, char *text)
{
    programs->warnings = xrealloc_array(programs->warnings, programs->warning_count + 1,
                                        sizeof(*programs->warnings));
    programs->warnings[programs->warning_count++] = text;
}

static const struct process_missing *first_missing(const struct process *process)
{
    for (size_t i = 0; i < process->missing_count; i++)
        if (!process->missing[i].is_optional)
            return &process->missing[i];
    return NULL;
}

/* One that its own process could not load must not fail the walk of all. */
static bool starts_here(struct programs *programs, const struct plan_entry *entry,
                        const struct elf *elf)
{
    cleanup_with(process_release) struct process process = {0};
    const struct loader *loader = NULL;
    const struct process_missing *missing;
    struct err why = {0};

    if (!deps_load(programs->deps, elf, &process, &loader, &why)) {
        add_warning(programs,
                    xasprintf("program '%s' (%s) does not start here, so it is packed as it is: %s",
                              entry->source, entry->reason, why.msg));
        return false;
    }
    missing = first_missing(&process);
    if (missing != NULL)
        add_warning(programs,
                    xasprintf("program '%s' (%s) does not start here, so it is packed as it is: "
                              "'%s', needed by '%s', was not found",
                              entry->source, entry->reason, missing->name,
                              process.maps[missing->from].path));
    return missing == NULL;
}

static void add_program(struct programs *programs, struct program program)
{
    programs->items =
        xrealloc_array(programs->items, programs->count + 1, sizeof(*programs->items));
    programs->items[programs->count++] = program;
}

static bool move_aside(struct programs *programs, const struct plan_entry *entry, struct plan *plan,
                       struct err *err)
{
    struct asset launch = asset_get(ASSET_LAUNCH);
    const char *name = text_base_name(entry->path);
    struct program program = {
        .path = xstrdup(entry->path),
        .elf = xasprintf("%.*s.%s.elf", (int)(name - entry->path), entry->path, name),
        .comm = xstrdup(name),
        .source = xstrdup(entry->source),
        .owner = xstrdup(entry->reason),
    };
    struct plan_origin origin = {entry->part, program.owner};

    add_program(programs, program);
    return plan_add_file(plan, program.elf, program.source, origin, err) &&
           plan_replace_data(plan, program.path, 0755, launch.data, launch.size, origin, err);
}

/* Moving one aside changes the plan, so they are noted first. */
static bool take_new(struct programs *programs, struct plan *plan, bool is_of_recipes,
                     struct err *err)
{
    cleanup_free char **paths = xcalloc(plan->count + 1, sizeof(*paths));
    size_t count = 0;
    bool ok = true;

    for (size_t i = 0; i < plan->count; i++) {
        const struct plan_entry *entry = plan->entries[i];
        const struct elf *elf;

        if (is_of_recipes ? entry->part != PLAN_PART_LIBS
                          : entry->part != PLAN_PART_GEMS && entry->part != PLAN_PART_APP)
            continue;
        elf = read_candidate(programs, entry);
        if (elf != NULL && starts_here(programs, entry, elf))
            paths[count++] = xstrdup(entry->path);
    }
    for (size_t i = 0; i < count; i++) {
        ok = ok && move_aside(programs, plan_find(plan, paths[i]), plan, err);
        free(paths[i]);
    }
    return ok;
}

bool programs_plan(struct programs *ret, const char *ruby_program, struct plan *plan,
                   struct err *err)
{
    const struct search_mode mode = {0};

    *ret = (struct programs){.deps = deps_new(&mode, NULL)};
    return deps_read(ret->deps, ruby_program, &ret->ruby, err) && take_new(ret, plan, false, err);
}

bool programs_add(struct programs *programs, struct plan *plan, struct walk *walk, bool *ret_any,
                  struct err *err)
{
    size_t before = programs->count;
    bool ok = take_new(programs, plan, true, err);

    for (size_t i = before; ok && i < programs->count; i++) {
        const struct program *program = &programs->items[i];

        ok = walk_add_root(walk, &(struct walk_root){program->source, program->owner}, err);
    }
    *ret_any = programs->count > before;
    return ok;
}

static const struct program *find_source(const struct programs *programs, const char *source)
{
    for (size_t i = 0; i < programs->count; i++)
        if (programs->items[i].source != NULL && strcmp(programs->items[i].source, source) == 0)
            return &programs->items[i];
    return NULL;
}

/* A script starts by its own first line: what that names is the host's. A static program needs
 * nothing. */
static bool starts_by_kernel(const struct programs *programs, const char *real)
{
    const struct elf *elf;
    struct err ignored = {0};

    return !elf_is_elf(real) || (deps_read(programs->deps, real, &elf, &ignored) &&
                                 elf->interp == NULL && elf->machine == programs->ruby->machine);
}

static bool name_other(const struct programs *programs, const char *real, const char *name,
                       struct plan_origin origin, struct plan *plan, struct err *err)
{
    cleanup_free char *target = xasprintf("../..%s", real);

    return plan_find(plan, real + 1) == NULL || !starts_by_kernel(programs, real) ||
           plan_add_symlink(plan, name, target, origin, err);
}

static bool name_program(struct programs *programs, const char *path, const char *recipe,
                         struct plan *plan, struct err *err)
{
    struct asset launch = asset_get(ASSET_LAUNCH);
    cleanup_free char *name = xasprintf(FORMAT_DIR "/bin/%s", text_base_name(path));
    cleanup_free char *reason = xasprintf("recipe '%s'", recipe);
    cleanup_free char *real = realpath(path, NULL);
    struct plan_origin origin = {PLAN_PART_LIBS, reason};
    const struct program *program = real == NULL ? NULL : find_source(programs, real);

    /* A gem's program of that name is the application's choice. */
    if (real == NULL || plan_find(plan, name) != NULL)
        return true;
    if (program == NULL)
        return name_other(programs, real, name, origin, plan, err);
    add_program(programs, (struct program){.path = xstrdup(name),
                                           .elf = xstrdup(program->elf),
                                           .comm = xstrdup(text_base_name(path))});
    return plan_add_data(plan, name, 0755, launch.data, launch.size, origin, err);
}

bool programs_name(struct programs *programs, const struct extras *extras, struct plan *plan,
                   struct err *err)
{
    for (size_t i = 0; i < extras->programs.count; i++)
        if (!name_program(programs, extras->programs.items[i].name, extras->programs.items[i].value,
                          plan, err))
            return false;
    return true;
}

void programs_release(struct programs *programs)
{
    for (size_t i = 0; i < programs->count; i++) {
        free(programs->items[i].path);
        free(programs->items[i].elf);
        free(programs->items[i].comm);
        free(programs->items[i].source);
        free(programs->items[i].owner);
    }
    for (size_t i = 0; i < programs->warning_count; i++)
        free(programs->warnings[i]);
    free(programs->items);
    free(programs->warnings);
    deps_free(programs->deps);
    *programs = (struct programs){0};
}
