/* SPDX-License-Identifier: MIT */
#include "bundler/outside.h"

#include <stdlib.h>
#include <string.h>

#include "bundler/elf.h"
#include "bundler/hostfile.h"
#include "bundler/plan.h"
#include "bundler/report.h"
#include "bundler/trace.h"
#include "bundler/walk.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/text.h"
#include "common/xalloc.h"

enum { LINES_MAX = 50 };

#define REASON "opened by the recorded run"

/* What Bundler reads natively, and a bundle does without. */
static const char *const native_suffixes[] = {".gemspec", "/.bundle/config"};

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool is_of_host(const char *path)
{
    for (size_t i = 0; i < sizeof(native_suffixes) / sizeof(native_suffixes[0]); i++)
        if (text_ends_with(path, native_suffixes[i]))
            return true;
    return hostfile_is_expected(path);
}

/* What the plan takes from this machine, by real path: the run saw no symlinks. */
struct sources {
    char **paths;
    size_t count;
};

static int compare_paths(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

static void sources_fill(struct sources *sources, const struct plan *plan)
{
    sources->paths = xcalloc(plan->count, sizeof(*sources->paths));
    for (size_t i = 0; i < plan->count; i++) {
        const struct plan_entry *entry = plan->entries[i];
        char *real = entry->type == PLAN_FILE ? realpath(entry->source, NULL) : NULL;

        if (real != NULL)
            sources->paths[sources->count++] = real;
    }
    if (sources->count > 0)
        qsort(sources->paths, sources->count, sizeof(*sources->paths), compare_paths);
}

static void sources_release(struct sources *sources)
{
    for (size_t i = 0; i < sources->count; i++)
        free(sources->paths[i]);
    free(sources->paths);
}

/* At its own path as data, or from anywhere as a file. */
static bool is_planned(const struct plan *plan, const struct sources *sources, const char *path)
{
    cleanup_free char *image = plan_image_path(plan, path);

    return plan_find(plan, image) != NULL ||
           (sources->count > 0 && bsearch(&path, sources->paths, sources->count,
                                          sizeof(*sources->paths), compare_paths) != NULL);
}

/* The walk's objects by real path; NULL where there is none any more. */
struct walked {
    const struct walk *walk;
    char **paths;
    size_t count;
};

static bool is_walked(struct walked *walked, const char *path)
{
    const struct walk *walk = walked->walk;

    if (walked->count < walk->count)
        walked->paths = xrealloc_array(walked->paths, walk->count, sizeof(*walked->paths));
    for (; walked->count < walk->count; walked->count++)
        walked->paths[walked->count] = realpath(walk->objects[walked->count].path, NULL);
    for (size_t i = 0; i < walked->count; i++)
        if (walked->paths[i] != NULL && strcmp(walked->paths[i], path) == 0)
            return true;
    return false;
}

static void walked_release(struct walked *walked)
{
    for (size_t i = 0; i < walked->count; i++)
        free(walked->paths[i]);
    free(walked->paths);
}

/* By its bare name, so that the application's dlopen() finds it in the bundle, too. */
static bool add_object(const struct trace_file *file, struct walk *walk, struct walked *walked,
                       struct err *err)
{
    const char *name = file->name == NULL ? file->path : file->name;
    bool found = false;

    return walk_add_soname(walk, strrchr(name, '/') + 1, REASON, &found, err) &&
           (is_walked(walked, file->path) || walk_add_soname(walk, name, REASON, &found, err));
}

bool outside_add(const struct trace *trace, const char *ruby, const struct plan *plan,
                 struct walk *walk, struct err *err)
{
    cleanup_with(sources_release) struct sources sources = {0};
    cleanup_with(walked_release) struct walked walked = {.walk = walk};
    cleanup_free char *program = realpath(ruby, NULL);

    sources_fill(&sources, plan);
    for (size_t i = 0; program != NULL && i < trace->count; i++) {
        const struct trace_file *file = &trace->files[i];

        if (file->is_executed || file->is_written || file->error != 0 ||
            strcmp(file->program, program) != 0 || !elf_is_elf(file->path) ||
            is_planned(plan, &sources, file->path) || is_walked(&walked, file->path))
            continue;
        if (!add_object(file, walk, &walked, err))
            return err_wrap(err, "'%s', which the recorded run opened", file->path);
    }
    return true;
}

/* Whose the program is that was executed: the run does not say by whom, and a path is enough. */
static bool concerns_us(const struct trace_file *file, const char *program)
{
    return file->error == 0 && !file->is_written &&
           (file->is_executed || strcmp(file->program, program) == 0);
}

void outside_say(const struct trace *trace, const char *ruby, const char *app_dir,
                 const struct plan *plan, const struct report *report)
{
    cleanup_with(sources_release) struct sources sources = {0};
    cleanup_free char *program = realpath(ruby, NULL);
    cleanup_free char *app = xasprintf("%s/", app_dir);
    size_t count = 0;

    sources_fill(&sources, plan);
    for (size_t i = 0; program != NULL && i < trace->count; i++) {
        const struct trace_file *file = &trace->files[i];

        if (!concerns_us(file, program) || is_of_host(file->path) || starts_with(file->path, app) ||
            is_planned(plan, &sources, file->path) || strcmp(file->path, program) == 0)
            continue;
        if (count++ < LINES_MAX)
            report_phase(report, "outside", file->path,
                         file->is_executed ? "executed, not in the bundle"
                                           : "read, not in the bundle");
    }
    if (count > LINES_MAX) {
        cleanup_free char *more = xasprintf("and %zu more", count - LINES_MAX);

        report_phase(report, "outside", more, NULL);
    }
}
