/* SPDX-License-Identifier: MIT */
#include "bundler/app.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bundler/plan.h"
#include "bundler/probe.h"
#include "bundler/procfile.h"
#include "bundler/rails.h"
#include "bundler/selection.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/format.h"
#include "common/proc.h"
#include "common/text.h"
#include "common/xalloc.h"

enum { OUTPUT_MAX = 1 << 20 };

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

static bool has_file(const struct app *app, const char *name)
{
    cleanup_free char *path = xasprintf("%s/%s", app->dir, name);
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
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

static const char *own_name(const struct app *app, const char *given)
{
    if (given != NULL)
        return given;
    return app->config.name != NULL ? app->config.name : text_base_name(app->dir);
}

static bool check_kind(struct app *app, bool has_procfile, struct err *err)
{
    const char *evidence = app->config.processes.count > 0 && !has_procfile ? CONFIG_FILE
                           : has_procfile                                   ? "Procfile"
                           : has_file(app, "config.ru")                     ? "config.ru"
                           : has_file(app, "bin/rails")                     ? "bin/rails"
                                                                            : NULL;

    if (evidence != NULL) {
        app->evidence = xasprintf("%s, Gemfile.lock", evidence);
        return true;
    }
    (void)err_set(err, ERR_INPUT, "'%s' has no config.ru, Procfile or bin/rails", app->dir);
    (void)err_id(err, "E-APP");
    return err_hint(err, "name the directory of the application: rucksack build DIR");
}

bool app_detect(struct app *ret, const char *dir, const char *name, struct err *err)
{
    bool has_procfile = false;
    struct stat st;

    *ret = (struct app){.kind = APP_SERVER};
    ret->dir = realpath(dir, NULL);
    if (ret->dir == NULL || stat(ret->dir, &st) != 0 || !S_ISDIR(st.st_mode)) {
        if (ret->dir != NULL)
            errno = ENOTDIR;
        (void)err_sys(err, "'%s'", dir);
        (void)err_id(err, "E-APP");
        return err_hint(err, "name the directory of the application: rucksack build DIR");
    }
    if (!config_load(&ret->config, ret->dir, err) ||
        !procfile_read(ret->dir, &ret->config, &has_procfile, err))
        return false;
    ret->name = identity(own_name(ret, name));
    return check_kind(ret, has_procfile, err);
}

/* `ruby -c` parses and runs nothing. */
static bool check_syntax(const struct app *app, const struct probe *probe, struct err *err)
{
    const char *const argv[] = {probe->ruby.program, "-c", "--", "config.ru", NULL};
    struct proc_request request = {.argv = argv, .cwd = app->dir, .output_max_bytes = OUTPUT_MAX};
    struct proc_output output = {0};
    bool ok;

    if (!has_file(app, "config.ru"))
        return true;
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

static bool find_server(struct app *app, const struct probe *probe, struct err *err)
{
    for (size_t i = 0; i < COUNT(servers); i++) {
        if (probe_find_gem(probe, servers[i].gem) != NULL) {
            config_add_pair(&app->config.processes, "web", servers[i].command);
            return true;
        }
    }
    (void)err_set(err, ERR_INPUT, "no web server in the Gemfile");
    (void)err_id(err, "E-APP");
    return err_hint(err, "add one: bundle add puma");
}

static char *summary_of(const struct probe *probe)
{
    static const char *const frameworks[] = {"railties", "hanami", "sinatra", "roda", "rack"};
    const char *framework = "ruby";
    const char *database = probe_find_gem(probe, "sqlite3") != NULL ? " + sqlite3" : "";

    for (size_t i = 0; i < COUNT(frameworks); i++) {
        if (probe_find_gem(probe, frameworks[i]) != NULL) {
            framework = i == 0 ? "rails" : frameworks[i];
            break;
        }
    }
    return xasprintf("%s%s", framework, database);
}

/* What the app's own settings leave open. */
static void set_defaults(struct app *app, const struct probe *probe)
{
    struct config *config = &app->config;

    if (app->is_rails)
        rails_defaults(config, probe);
    config_default(&config->env, "RACK_ENV", "production");
    config_default(&config->env, "LANG", "C.UTF-8");
    if (config->console == NULL)
        config->console = xstrdup("ruby -rbundler/setup -rirb -e IRB.start");
    if (config->health == NULL)
        config->health = xstrdup("/");
}

bool app_complete(struct app *app, const struct probe *probe, struct err *err)
{
    struct states_input input = {
        .dir = app->dir,
        .config = &app->config,
        .databases = probe->databases,
        .database_count = probe->database_count,
    };

    app->is_rails = probe_find_gem(probe, "railties") != NULL && has_file(app, "bin/rails");
    input.is_rails = app->is_rails;
    app->summary = summary_of(probe);
    if (!check_syntax(app, probe, err))
        return false;
    if (app->is_rails)
        rails_settle(&app->config, app->dir, probe);
    if (app->config.processes.count == 0 && !find_server(app, probe, err))
        return false;
    set_defaults(app, probe);
    return states_find(&app->states, &input, err);
}

bool app_plan(const struct app *app, const struct probe *probe, struct plan *plan, struct err *err)
{
    return selection_plan(app->dir, &app->config, &app->states, plan, err) &&
           states_plan(&app->states, plan, err) &&
           (!app->is_rails || !rails_has_assets(probe) ||
            rails_compile_assets(app->dir, probe, plan, err));
}

const char *app_kind_name(enum app_kind kind)
{
    return kind == APP_COMMAND ? "cli" : "app";
}

void app_release(struct app *app)
{
    states_release(&app->states);
    config_release(&app->config);
    free(app->dir);
    free(app->name);
    free(app->summary);
    free(app->evidence);
    *app = (struct app){0};
}
