/* SPDX-License-Identifier: MIT */
#include "bundler/selection.h"

#include <fnmatch.h>
#include <stdint.h>
#include <string.h>

#include "bundler/config.h"
#include "bundler/plan.h"
#include "bundler/state.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/format.h"
#include "common/text.h"
#include "common/xalloc.h"

/* Never packed: history, secrets, caches, what only development needs, our own output. Those
 * without '*' or '.' lie at the top. */
static const char *const excluded[] = {
    ".git",          ".env",
    ".env.*",        "*.key",
    "log",           "tmp",
    "storage",       "node_modules",
    "test",          "spec",
    ".bundle",       "vendor/bundle",
    "*.state",       "*.AppImage",
    "coverage",      ".DS_Store",
    ".hg",           ".svn",
    "*.sqlite3",     "*.sqlite3-wal",
    "*.sqlite3-shm", "*.sqlite3-journal",
    "*.sqlite",      "*.db",
};

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

struct selection {
    const struct config *config;
    const struct states *states;
};

/* Of Rails' credentials: https://guides.rubyonrails.org/security.html#custom-credentials */
static bool is_key(const char *relative)
{
    return strcmp(text_base_name(relative), "master.key") == 0 ||
           fnmatch("*config/credentials/*.key", relative, 0) == 0;
}

bool selection_is_excluded(const char *relative)
{
    const char *name = text_base_name(relative);

    if (strcmp(name, ".env.example") == 0)
        return false;
    for (size_t i = 0; i < COUNT(excluded); i++) {
        bool anywhere = strpbrk(excluded[i], "*.") != NULL;

        if (fnmatch(excluded[i], anywhere ? name : relative, FNM_PATHNAME) == 0)
            return true;
    }
    return false;
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

static bool is_packed(const char *relative, bool is_dir, void *context)
{
    const struct selection *selection = context;
    const struct config *config = selection->config;

    if (states_hold(selection->states, relative) || is_key(relative))
        return false;
    if (is_listed(&config->include, relative) ||
        (is_dir && leads_to_included(&config->include, relative)))
        return true;
    return !is_listed(&config->exclude, relative) && !is_excluded(relative);
}

bool selection_plan(const char *dir, const struct config *config, const struct states *states,
                    struct plan *plan, struct err *err)
{
    struct selection selection = {config, states};

    return plan_add_tree(plan, FORMAT_APP_DIR, dir,
                         (struct plan_origin){PLAN_PART_APP, "the application"}, is_packed,
                         &selection, err) ||
           err_wrap(err, "'%s'", dir);
}
