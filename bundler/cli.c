/* SPDX-License-Identifier: MIT */
#include "bundler/cli.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <libgen.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bundler/app.h"
#include "bundler/jdoc.h"
#include "bundler/plan.h"
#include "bundler/probe.h"
#include "bundler/published.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/format.h"
#include "common/suggest.h"
#include "common/text.h"
#include "common/xalloc.h"

enum { FIRST_LINE_MAX = 256 };

static bool names_ruby(const char *path)
{
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    char line[FIRST_LINE_MAX + 1] = "";
    ssize_t got = fd >= 0 ? read(fd, line, FIRST_LINE_MAX) : -1;

    if (got < 2 || strncmp(line, "#!", 2) != 0)
        return false;
    line[strcspn(line, "\n")] = '\0';
    return strstr(line, "ruby") != NULL;
}

bool cli_detect_script(struct app *app, const char *path, struct err *err)
{
    cleanup_free char *real = realpath(path, NULL);
    cleanup_free char *copy = NULL;
    const char *name;
    size_t len;

    if (real == NULL)
        return err_sys(err, "'%s'", path);
    name = text_base_name(real);
    len = strlen(name);
    if (!(len > 3 && strcmp(name + len - 3, ".rb") == 0) && !names_ruby(real)) {
        (void)err_set(err, ERR_INPUT, "'%s' is no Ruby script", path);
        (void)err_id(err, "E-APP");
        return err_hint(err, "name a script (*.rb) or the directory of an application");
    }
    app->source = APP_SCRIPT;
    app->kind = APP_COMMAND;
    app->script = xstrdup(real);
    copy = xstrdup(real);
    app->dir = xstrdup(dirname(copy));
    app->own_name =
        len > 3 && strcmp(name + len - 3, ".rb") == 0 ? xstrndup(name, len - 3) : xstrdup(name);
    app->evidence = xstrdup(name);
    return true;
}

bool cli_detect_gem(struct app *app, const char *wanted, struct err *err)
{
    struct published published;

    if (!published_install(&published, wanted, err)) {
        published_release(&published);
        return false;
    }
    app->source = APP_PUBLISHED_GEM;
    app->kind = APP_COMMAND;
    app->own_name = steal_ptr(&published.name);
    app->dir = steal_ptr(&published.home);
    app->evidence = xasprintf("gem %s", wanted);
    published_release(&published);
    return true;
}

bool cli_is_gem_source(const char *dir)
{
    cleanup_dir DIR *entries = opendir(dir);
    const struct dirent *entry;
    size_t count = 0;

    while (entries != NULL && (entry = readdir(entries)) != NULL)
        count += fnmatch("*.gemspec", entry->d_name, 0) == 0;
    return count == 1;
}

/* The text between double quotes of a command line (common/words.h). */
static char *quoted(const char *text)
{
    char *result = xcalloc(2 * strlen(text) + 1, 1);
    char *end = result;

    for (; *text != '\0'; text++) {
        if (strchr("$`\"\\", *text) != NULL)
            *end++ = '\\';
        *end++ = *text;
    }
    return result;
}

/* Shortens it to a directory that all files are in, too. */
static void hold(char *dir, const struct jdoc *files)
{
    for (size_t i = 0; i < jdoc_count(files); i++) {
        const char *file = jdoc_text_at(files, i);

        while (strncmp(file, dir, strlen(dir)) != 0 || file[strlen(dir)] != '/')
            *strrchr(dir, '/') = '\0';
    }
}

static bool check_paths(const struct jdoc *files, struct err *err)
{
    for (size_t i = 0; i < jdoc_count(files); i++) {
        const char *file = jdoc_text_at(files, i);

        if (file == NULL || file[0] != '/')
            return err_set(err, ERR_INPUT, "the answer of 'ruby': a file without a path");
    }
    return true;
}

static bool complete_script(struct app *app, const struct probe *probe, struct err *err)
{
    const struct jdoc *files = jdoc_member(probe->answer, "files");
    const struct jdoc *data = jdoc_member(probe->answer, "data");
    cleanup_free char *relative = NULL;
    cleanup_free char *command = NULL;

    if (!check_paths(files, err) || !check_paths(data, err))
        return false;
    if (jdoc_count(files) == 0)
        return err_set(err, ERR_INPUT, "the answer of 'ruby': no files");
    free(app->dir);
    app->dir = xstrdup(jdoc_text_at(files, 0));
    *strrchr(app->dir, '/') = '\0';
    hold(app->dir, files);
    hold(app->dir, data);
    relative = quoted(app->script + strlen(app->dir) + 1);
    command = xasprintf("ruby \"$APPDIR/" FORMAT_APP_DIR "/%s\"", relative);
    config_add_pair(&app->config.processes, "main", command);
    app->summary =
        xasprintf("script, %zu file%s", jdoc_count(files), jdoc_count(files) == 1 ? "" : "s");
    return true;
}

/* Of a gem that was resolved as one of its own sources. */
static const struct probe_gem *gem_of_dir(const struct probe *probe, const char *dir)
{
    for (size_t i = 0; i < probe->gem_count; i++)
        if (strcmp(probe->gems[i].dir, dir) == 0)
            return &probe->gems[i];
    return NULL;
}

static bool choose_executable(const struct probe_gem *gem, const char *wanted, const char **ret,
                              struct err *err)
{
    size_t count = jdoc_count(gem->executables);
    const char *want = wanted != NULL ? wanted : gem->name;
    struct suggest suggest = suggest_begin(want);

    for (size_t i = 0; i < count; i++) {
        *ret = jdoc_text_at(gem->executables, i);
        if (strcmp(*ret, want) == 0 || (count == 1 && wanted == NULL))
            return true;
        suggest_offer(&suggest, *ret);
    }
    (void)err_set(err, ERR_INPUT,
                  count == 0 ? "gem '%s' has no executable"
                             : "gem '%s' has several executables, or not that one",
                  gem->name);
    (void)err_id(err, "E-APP");
    if (wanted != NULL && suggest.nearest != NULL)
        return suggest_hint(&suggest, NULL, err);
    return count == 0
               ? err_hint(err, "it is a library; name its application")
               : err_hint(err, "choose one: --executable %s", jdoc_text_at(gem->executables, 0));
}

static bool complete_source(struct app *app, const struct probe *probe, const char *executable,
                            struct err *err)
{
    const struct probe_gem *gem = gem_of_dir(probe, app->dir);
    const char *name = NULL;

    if (gem == NULL) {
        (void)err_set(err, ERR_INPUT, "the Gemfile does not have the gem of '%s'", app->dir);
        (void)err_id(err, "E-APP");
        return err_hint(err, "add the line 'gemspec' to it");
    }
    if (!choose_executable(gem, executable, &name, err))
        return false;
    config_add_pair(&app->config.processes, "main", name);
    app->summary = xasprintf("gem %s %s", gem->name, gem->version);
    return true;
}

bool cli_complete(struct app *app, const struct probe *probe, const char *executable,
                  struct err *err)
{
    if (app->source == APP_SCRIPT)
        return complete_script(app, probe, err);
    if (app->source == APP_GEM_SOURCE)
        return complete_source(app, probe, executable, err);
    config_add_pair(&app->config.processes, "main",
                    jdoc_text_or(probe->answer, "executable", app->own_name));
    if (app->config.version == NULL)
        app->config.version = xstrdup(jdoc_text_or(probe->answer, "version", ""));
    app->summary = xasprintf("gem %s %s", app->own_name, app->config.version);
    return true;
}

bool cli_plan(const struct app *app, const struct probe *probe, struct plan *plan, struct err *err)
{
    const struct jdoc *files = jdoc_member(probe->answer, "files");

    if (app->source != APP_SCRIPT)
        return true;
    for (size_t i = 0; i < jdoc_count(files); i++) {
        const char *file = jdoc_text_at(files, i);
        cleanup_free char *path = xasprintf(FORMAT_APP_DIR "/%s", file + strlen(app->dir) + 1);

        if (!plan_add_file(plan, path, file, (struct plan_origin){PLAN_PART_APP, "the script"},
                           err))
            return err_wrap(err, "'%s'", file);
    }
    return true;
}
