/* SPDX-License-Identifier: MIT */
#include "bundler/app.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bundler/plan.h"
#include "bundler/probe.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/format.h"
#include "common/fs.h"
#include "common/path.h"
#include "common/proc.h"
#include "common/xalloc.h"

enum { IGNORE_MAX = 1 << 20, OUTPUT_MAX = 1 << 20 };

/* Never packed: history, secrets, caches, what only development needs, our own output. */
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

static const char *const database_suffixes[] = {".sqlite3", ".sqlite", ".db"};
static const char *const placeholders[] = {".keep", ".gitkeep", ".gitignore", ".empty"};

/* The first that is locked serves the app. */
static const struct {
    const char *gem;
    const char *command;
} servers[] = {
    {"puma", "bundle exec puma"},
    {"falcon", "bundle exec falcon serve"},
    {"unicorn", "bundle exec unicorn"},
    {"rackup", "bundle exec rackup"},
};

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static bool has_file(const char *dir, const char *name)
{
    cleanup_free char *path = xasprintf("%s/%s", dir, name);
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text);
    size_t end_len = strlen(end);

    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

static bool is_database(const char *name)
{
    for (size_t i = 0; i < COUNT(database_suffixes); i++) {
        if (ends_with(name, database_suffixes[i]))
            return true;
    }
    return false;
}

/* The name becomes part of file, user and unit names. */
static char *identity(const char *text)
{
    char *name = xstrdup(text);
    size_t used = 0;

    for (const char *at = text; *at != '\0' && used < FORMAT_NAME_SIZE - 1; at++) {
        char lower = (char)tolower((unsigned char)*at);

        if (isalnum((unsigned char)lower) || lower == '-' || lower == '_' ||
            (lower == '.' && used > 0))
            name[used++] = lower;
        else if (used > 0 && name[used - 1] != '-')
            name[used++] = '-';
    }
    while (used > 0 && name[used - 1] == '-')
        used--;
    name[used] = '\0';
    if (used == 0) {
        free(name);
        return xstrdup("app");
    }
    return name;
}

static bool check_kind(const struct app *app, struct err *err)
{
    if (has_file(app->dir, "rucksack.yml")) {
        (void)err_set(err, ERR_INPUT, "'%s/rucksack.yml': configuration is not built yet",
                      app->dir);
        (void)err_id(err, "E-UNBUILT");
        return err_hint(err, "move it away; what is detected is packed");
    }
    if (has_file(app->dir, "Procfile") || has_file(app->dir, "bin/rails")) {
        (void)err_set(err, ERR_INPUT, "'%s': %s", app->dir,
                      has_file(app->dir, "Procfile") ? "a Procfile is not read yet"
                                                     : "Rails is not built yet");
        (void)err_id(err, "E-UNBUILT");
        return err_hint(err, "so far: applications with a config.ru");
    }
    if (has_file(app->dir, "config.ru"))
        return true;
    (void)err_set(err, ERR_INPUT, "'%s' has no config.ru", app->dir);
    (void)err_id(err, "E-APP");
    return err_hint(err, "name the directory of the application: rucksack build DIR");
}

bool app_detect(struct app *ret, const char *dir, const char *name, struct err *err)
{
    struct stat st;

    *ret = (struct app){0};
    ret->dir = realpath(dir, NULL);
    if (ret->dir == NULL || stat(ret->dir, &st) != 0 || !S_ISDIR(st.st_mode)) {
        if (ret->dir != NULL)
            errno = ENOTDIR;
        (void)err_sys(err, "'%s'", dir);
        (void)err_id(err, "E-APP");
        return err_hint(err, "name the directory of the application: rucksack build DIR");
    }
    ret->name = identity(name != NULL ? name : strrchr(ret->dir, '/') + 1);
    return check_kind(ret, err);
}

static const struct probe_gem *find_gem(const struct probe *probe, const char *name)
{
    for (size_t i = 0; i < probe->gem_count; i++) {
        if (strcmp(probe->gems[i].name, name) == 0)
            return &probe->gems[i];
    }
    return NULL;
}

static void add_process(struct app *app, const char *name, const char *command)
{
    app->processes =
        xrealloc_array(app->processes, app->process_count + 1, sizeof(*app->processes));
    app->processes[app->process_count++] = (struct app_process){xstrdup(name), xstrdup(command)};
}

static bool find_server(struct app *app, const struct probe *probe, struct err *err)
{
    for (size_t i = 0; i < COUNT(servers); i++) {
        if (find_gem(probe, servers[i].gem) != NULL) {
            add_process(app, "web", servers[i].command);
            return true;
        }
    }
    (void)err_set(err, ERR_INPUT, "no web server in the Gemfile");
    (void)err_id(err, "E-APP");
    return err_hint(err, "add one: bundle add puma");
}

/* `ruby -c` parses and runs nothing. */
static bool check_syntax(const struct app *app, const struct probe *probe, struct err *err)
{
    const char *const argv[] = {probe->ruby.program, "-c", "--", "config.ru", NULL};
    struct proc_request request = {.argv = argv, .cwd = app->dir, .output_max_bytes = OUTPUT_MAX};
    struct proc_output output = {0};
    bool ok;

    if (!proc_capture(&request, &output, err))
        return false;
    ok = output.exit_code == 0;
    if (!ok) {
        (void)err_set(err, ERR_INPUT, "config.ru does not parse: %.*s",
                      (int)strcspn(output.errors, "\n"), output.errors);
        (void)err_id(err, "E-SYNTAX");
        (void)err_hint(err, "see the whole message: ruby -c config.ru");
    }
    proc_output_release(&output);
    return ok;
}

static void add_state(struct app *app, const char *path, bool is_file, const char *reason)
{
    /* What lives in the state directory's `data` keeps its name there; a directory that is itself
     * called data is that directory. */
    char *place = strcmp(path, "data") == 0        ? xstrdup("data")
                  : strncmp(path, "data/", 5) == 0 ? xstrdup(path)
                                                   : xasprintf("data/%s", path);

    for (size_t i = 0; i < app->state_count; i++) {
        if (strcmp(app->states[i].path, path) == 0) {
            free(place);
            return;
        }
    }
    app->states = xrealloc_array(app->states, app->state_count + 1, sizeof(*app->states));
    app->states[app->state_count++] =
        (struct app_state){xstrdup(path), place, is_file, xstrdup(reason)};
}

static bool is_placeholder(const char *name)
{
    for (size_t i = 0; i < COUNT(placeholders); i++) {
        if (strcmp(name, placeholders[i]) == 0)
            return true;
    }
    return false;
}

/* Side files of a database that matches: "x.sqlite3-wal". */
static bool matches_database(const char *pattern, const char *name)
{
    cleanup_free char *side = xasprintf("%s-*", pattern);

    return fnmatch(pattern, name, 0) == 0 || fnmatch(side, name, 0) == 0;
}

/* Whether a directory holds nothing that would have to be packed. A missing one does not. */
static bool holds_only_state(const char *dir, const char *pattern)
{
    cleanup_dir DIR *entries = opendir(dir);
    const struct dirent *entry;

    if (entries == NULL)
        return true;
    while ((entry = readdir(entries)) != NULL) {
        const char *name = entry->d_name;

        if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && !is_placeholder(name) &&
            !matches_database(pattern, name))
            return false;
    }
    return true;
}

/* One line of .gitignore: only names of databases matter. */
static bool state_of_pattern(struct app *app, const char *line, struct err *err)
{
    char clean[PATH_IMAGE_MAX + 1];
    cleanup_free char *reason = xasprintf(".gitignore: %s", line);
    cleanup_free char *dir = NULL;
    const char *slash;

    if (line[0] == '#' || line[0] == '!' || !is_database(line))
        return true;
    if (!path_image(line, clean, sizeof(clean), err))
        return err_wrap(err, ".gitignore");
    slash = strrchr(clean, '/');
    if (strpbrk(clean, "*?[") == NULL) {
        add_state(app, clean, true, reason);
        return true;
    }
    if (slash == NULL || strpbrk(clean, "*?[") < slash)
        return true; /* it names no directory: a general rule, not a place */
    clean[slash - clean] = '\0';
    dir = xasprintf("%s/%s", app->dir, clean);
    if (holds_only_state(dir, slash + 1)) {
        add_state(app, clean, false, reason);
        return true;
    }
    (void)err_set(err, ERR_INPUT, "'%s' holds both state (%s) and files to pack", clean, line);
    (void)err_id(err, "E-STATE");
    return err_hint(err, "name the databases exactly in .gitignore, or move the other files");
}

static bool find_state(struct app *app, struct err *err)
{
    cleanup_free char *path = xasprintf("%s/.gitignore", app->dir);
    cleanup_free char *text = NULL;
    size_t size;
    char *rest;

    if (access(path, F_OK) != 0)
        return true;
    if (!fs_read_file(path, IGNORE_MAX, &text, &size, err))
        return false;
    for (char *line = strtok_r(text, "\r\n", &rest); line != NULL;
         line = strtok_r(NULL, "\r\n", &rest)) {
        if (!state_of_pattern(app, line, err))
            return false;
    }
    return true;
}

bool app_complete(struct app *app, const struct probe *probe, struct err *err)
{
    static const char *const frameworks[] = {"sinatra", "hanami", "roda", "rack"};
    const char *framework = "rack";
    const char *database = find_gem(probe, "sqlite3") != NULL ? " + sqlite3" : "";

    for (size_t i = 0; i < COUNT(frameworks); i++) {
        if (find_gem(probe, frameworks[i]) != NULL) {
            framework = frameworks[i];
            break;
        }
    }
    app->summary = xasprintf("%s%s", framework, database);
    return check_syntax(app, probe, err) && find_server(app, probe, err) && find_state(app, err);
}

static bool is_packed(const char *relative, bool is_dir, void *context)
{
    const struct app *app = context;
    const char *slash = strrchr(relative, '/');

    (void)is_dir;
    for (size_t i = 0; i < COUNT(excluded); i++) {
        const char *pattern = excluded[i];
        bool anywhere = strpbrk(pattern, "*.") != NULL;
        const char *name = anywhere && slash != NULL ? slash + 1 : relative;

        if (strcmp(name, ".env.example") != 0 && fnmatch(pattern, name, FNM_PATHNAME) == 0)
            return false;
    }
    for (size_t i = 0; i < app->state_count; i++) {
        if (strcmp(relative, app->states[i].path) == 0)
            return false;
    }
    return true;
}

/* From /app/<path>, up to the image root and one further: the launcher's link beside it. */
static bool plan_state(const struct app_state *state, struct plan *plan, struct err *err)
{
    cleanup_free char *path = xasprintf(FORMAT_APP_DIR "/%s", state->path);
    cleanup_free char *target = xasprintf("../state/%s", state->place);

    for (const char *at = path; *at != '\0'; at++) {
        if (*at == '/') {
            char *deeper = xasprintf("../%s", target);

            free(target);
            target = deeper;
        }
    }
    return plan_add_symlink(plan, path, target, (struct plan_origin){PLAN_PART_APP, state->reason},
                            err);
}

bool app_plan(const struct app *app, struct plan *plan, struct err *err)
{
    struct plan_origin origin = {PLAN_PART_APP, "the application"};

    if (!plan_add_tree(plan, FORMAT_APP_DIR, app->dir, origin, is_packed, (void *)(uintptr_t)app,
                       err))
        return err_wrap(err, "'%s'", app->dir);
    for (size_t i = 0; i < app->state_count; i++) {
        if (!plan_state(&app->states[i], plan, err))
            return err_wrap(err, "state '%s'", app->states[i].path);
    }
    return true;
}

void app_release(struct app *app)
{
    for (size_t i = 0; i < app->process_count; i++) {
        free(app->processes[i].name);
        free(app->processes[i].command);
    }
    for (size_t i = 0; i < app->state_count; i++) {
        free(app->states[i].path);
        free(app->states[i].place);
        free(app->states[i].reason);
    }
    free(app->processes);
    free(app->states);
    free(app->dir);
    free(app->name);
    free(app->summary);
    *app = (struct app){0};
}
