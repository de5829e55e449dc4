/* SPDX-License-Identifier: MIT */
#include "bundler/beside.h"

#include <string.h>
#include <sys/stat.h>

#include "bundler/app.h"
#include "bundler/jdoc.h"
#include "bundler/plan.h"
#include "bundler/probe.h"
#include "bundler/report.h"
#include "bundler/selection.h"
#include "bundler/trace.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/format.h"
#include "common/text.h"
#include "common/xalloc.h"

enum { LINES_MAX = 20 };

struct beside {
    const struct app *app;
    const struct report *report;
    struct plan *plan;
    size_t count;
};

/* Of what lies in the application's directory; "" for all else. */
static const char *relative_to(const struct app *app, const char *path)
{
    size_t len = strlen(app->dir);

    return strncmp(path, app->dir, len) == 0 && path[len] == '/' ? path + len + 1 : "";
}

static bool is_packed(const char *relative, bool is_dir, void *context)
{
    (void)is_dir, (void)context;
    return !selection_is_excluded(text_base_name(relative));
}

static bool add(struct beside *beside, const char *path, const char *why, struct err *err)
{
    const char *relative = relative_to(beside->app, path);
    cleanup_free char *image = xasprintf(FORMAT_APP_DIR "/%s", relative);
    const struct plan_origin origin = {PLAN_PART_APP, why};
    struct stat st;

    if (plan_find(beside->plan, image) != NULL)
        return true;
    if (stat(path, &st) != 0)
        return err_sys(err, "'%s'", path);
    if (beside->count++ < LINES_MAX)
        report_phase(beside->report, "data", relative, why);
    return S_ISDIR(st.st_mode)
               ? plan_add_tree(beside->plan, image, path, origin, is_packed, NULL, err)
               : plan_add_file(beside->plan, image, path, origin, err);
}

static bool add_named(struct beside *beside, const struct jdoc *data, struct err *err)
{
    for (size_t i = 0; i < jdoc_count(data); i++) {
        const char *path = jdoc_text_at(data, i);

        if (path == NULL || relative_to(beside->app, path)[0] == '\0')
            return err_set(err, ERR_INPUT, "the answer of 'ruby': data that is not in '%s'",
                           beside->app->dir);
        if (selection_is_excluded(text_base_name(path)) &&
            !secret_is_allowed(&beside->app->allowed, relative_to(beside->app, path))) {
            cleanup_free char *text =
                xasprintf("the script names '%s', which is not packed: secrets, databases and "
                          "caches are not; give it to the script by an argument",
                          relative_to(beside->app, path));

            report_phase(beside->report, "warning", text, NULL);
        } else if (!add(beside, path, "named by the script", err)) {
            return false;
        }
    }
    return true;
}

/* A gem or a library that lies there, too. */
static bool is_planned(const struct plan *plan, const char *path)
{
    for (size_t i = 0; i < plan->count; i++)
        if (plan->entries[i]->source != NULL && strcmp(plan->entries[i]->source, path) == 0)
            return true;
    return false;
}

static bool is_hidden(const char *relative)
{
    return relative[0] == '.' || strstr(relative, "/.") != NULL;
}

/* By the script, or by what it starts. */
static bool add_read(struct beside *beside, const struct trace *trace, struct err *err)
{
    for (size_t i = 0; i < trace->count; i++) {
        const struct trace_file *file = &trace->files[i];
        const char *relative = relative_to(beside->app, file->path);

        if (file->error != 0 || file->is_written || relative[0] == '\0' || is_hidden(relative) ||
            selection_is_excluded(text_base_name(relative)) || is_planned(beside->plan, file->path))
            continue;
        if (!add(beside, file->path, "read by the recorded run", err))
            return false;
    }
    return true;
}

bool beside_plan(const struct app *app, const struct probe *probe, const struct trace *trace,
                 const struct report *report, struct plan *plan, struct err *err)
{
    struct beside beside = {app, report, plan, 0};

    if (app->source != APP_SCRIPT)
        return true;
    if (!add_named(&beside, jdoc_member(probe->answer, "data"), err) ||
        !add_read(&beside, trace, err))
        return err_wrap(err, "what the script reads");
    if (beside.count > LINES_MAX) {
        cleanup_free char *more = xasprintf("and %zu more", beside.count - LINES_MAX);

        report_phase(report, "data", more, NULL);
    }
    return true;
}
