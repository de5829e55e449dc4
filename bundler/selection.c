/* SPDX-License-Identifier: MIT */
#include "bundler/selection.h"

#include <fnmatch.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bundler/app.h"
#include "bundler/config.h"
#include "bundler/plan.h"
#include "bundler/report.h"
#include "bundler/secret.h"
#include "bundler/state.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/format.h"
#include "common/text.h"
#include "common/xalloc.h"

/* Never packed beside secrets: caches, what only development needs, our own output, databases.
 * Those without '*' or '.' lie at the top. */
static const char *const excluded[] = {
    "log",      "tmp",       "storage",       "node_modules", "test",
    "spec",     ".bundle",   "vendor/bundle", "*.state",      "*.AppImage",
    "coverage", ".DS_Store", "*.sqlite3",     "*.sqlite",     "*.db",
};

/* SQLite's, beside a database; they hold its rows: https://www.sqlite.org/tempfiles.html */
static const char *const side_files[] = {"-wal", "-shm", "-journal"};

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

enum { NAMED_MAX = 12 };

struct selection {
    const struct app *app;
    struct plan *plan;
    char *secrets; /* names of those that are left out, for the report */
    size_t named;
};

/* Of Rails' credentials: https://guides.rubyonrails.org/security.html#custom-credentials */
static bool is_key(const char *relative)
{
    return strcmp(text_base_name(relative), "master.key") == 0 ||
           fnmatch("*config/credentials/*.key", relative, 0) == 0;
}

static bool is_excluded_itself(const char *relative)
{
    const char *name = text_base_name(relative);

    for (size_t i = 0; i < COUNT(excluded); i++) {
        bool anywhere = strpbrk(excluded[i], "*.") != NULL;

        if (fnmatch(excluded[i], anywhere ? name : relative, FNM_PATHNAME) == 0)
            return true;
    }
    return false;
}

/* Without what SQLite appends to the name of a database; on the heap. */
static char *without_side(const char *relative)
{
    size_t length = strlen(relative);

    for (size_t i = 0; i < COUNT(side_files); i++) {
        size_t end = strlen(side_files[i]);

        if (length > end && strcmp(relative + length - end, side_files[i]) == 0)
            return xstrndup(relative, length - end);
    }
    return xstrdup(relative);
}

bool selection_is_excluded(const char *relative)
{
    cleanup_free char *base = without_side(relative);

    return secret_by_name(relative) != NULL || is_excluded_itself(relative) ||
           is_excluded_itself(base);
}

/* Or a directory above it, which was entered for something else in it. */
static bool is_excluded(const char *relative)
{
    cleanup_free char *path = xstrdup(relative);

    for (char *slash = path; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        if (selection_is_excluded(path))
            return true;
        *slash = '/';
    }
    return selection_is_excluded(relative);
}

/* The pattern of the path, of a directory above it, or of its name. */
static bool matches(const char *pattern, const char *relative)
{
    if (strchr(pattern, '/') == NULL)
        return fnmatch(pattern, text_base_name(relative), 0) == 0 ||
               fnmatch(pattern, relative, FNM_LEADING_DIR) == 0;
    return fnmatch(pattern, relative, FNM_LEADING_DIR) == 0;
}

static bool is_listed(const struct config_list *patterns, const char *relative)
{
    for (size_t i = 0; i < patterns->count; i++)
        if (matches(patterns->items[i], relative))
            return true;
    return false;
}

/* A directory above something that is included must be entered. */
static bool leads_to_included(const struct config_list *patterns, const char *relative)
{
    size_t len = strlen(relative);

    for (size_t i = 0; i < patterns->count; i++)
        if (strncmp(patterns->items[i], relative, len) == 0 && patterns->items[i][len] == '/')
            return true;
    return false;
}

/* Only what is one itself: of .git/config, .git is. */
static void note_secret(struct selection *selection, const char *relative)
{
    if (secret_by_name(relative) == NULL || selection->named == NAMED_MAX)
        return;
    text_join(&selection->secrets, ", ", ++selection->named == NAMED_MAX ? "..." : relative);
}

/* Why it is not packed; NULL: it is. */
static const char *why_left_out(struct selection *selection, const char *relative, bool is_dir)
{
    const struct app *app = selection->app;
    const struct config *config = &app->config;

    if (states_hold(&app->states, relative))
        return "state: it lives outside of the image";
    if (secret_is_allowed(&app->allowed, relative) ||
        (is_dir && secret_leads_to_allowed(&app->allowed, relative)))
        return NULL;
    if (!is_key(relative) && (is_listed(&config->include, relative) ||
                              (is_dir && leads_to_included(&config->include, relative))))
        return NULL;
    if (is_listed(&config->exclude, relative))
        return "exclude: of rucksack.yml";
    if (!is_key(relative) && !is_excluded(relative))
        return NULL;
    note_secret(selection, relative);
    return secret_by_name(relative) != NULL ? "a secret, by its name"
                                            : "never packed, but for 'include:' of rucksack.yml";
}

static bool is_packed(const char *relative, bool is_dir, void *context)
{
    struct selection *selection = context;
    const char *why = why_left_out(selection, relative, is_dir);

    if (why != NULL) {
        cleanup_free char *path = xasprintf(FORMAT_APP_DIR "/%s", relative);

        plan_leave_out(selection->plan, path, why);
    }
    return why == NULL;
}

bool selection_plan(const struct app *app, const struct report *report, struct plan *plan,
                    struct err *err)
{
    struct selection selection = {app, plan, xstrdup(""), 0};
    bool ok = plan_add_tree(plan, FORMAT_APP_DIR, app->dir,
                            (struct plan_origin){PLAN_PART_APP, "the application"}, is_packed,
                            &selection, err) ||
              err_wrap(err, "'%s'", app->dir);

    if (ok && selection.named > 0)
        report_phase(report, "secrets", selection.secrets, "not packed");
    free(selection.secrets);
    return ok;
}
