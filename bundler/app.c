/* SPDX-License-Identifier: MIT */
#include "bundler/app.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bundler/cli.h"
#include "bundler/plan.h"
#include "bundler/probe.h"
#include "bundler/procfile.h"
#include "bundler/rails.h"
#include "bundler/selection.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/format.h"
#include "common/fs.h"
#include "common/proc.h"
#include "common/suggest.h"
#include "common/text.h"
#include "common/xalloc.h"

enum { OUTPUT_MAX = 1 << 20 };

/* The first that is locked serves the app. Puma reads PORT itself; Falcon's default is TLS with a
 * certificate of its own. */
static const struct {
    const char *gem;
    const char *command;
} servers[] = {
    {"puma", "bundle exec puma"},
    {"falcon", "bundle exec falcon serve --bind http://0.0.0.0:${PORT:-9292}"},
    {"unicorn", "bundle exec unicorn --port ${PORT:-9292}"},
    {"rackup", "bundle exec rackup --port ${PORT:-9292}"},
};

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

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

static bool check_kind(struct app *app, bool has_procfile, struct err *err)
{
    const char *evidence = app->config.processes.count > 0 && !has_procfile ? CONFIG_FILE
                           : has_procfile                                   ? "Procfile"
                           : fs_has_file(app->dir, "config.ru")             ? "config.ru"
                           : fs_has_file(app->dir, "bin/rails")             ? "bin/rails"
                                                                            : NULL;

    if (evidence != NULL) {
        app->evidence = xasprintf("%s, Gemfile.lock", evidence);
        return true;
    }
    if (cli_is_gem_source(app->dir)) {
        app->kind = APP_COMMAND;
        app->source = APP_GEM_SOURCE;
        app->evidence = xstrdup("gemspec, Gemfile.lock");
        return true;
    }
    (void)err_set(err, ERR_INPUT, "'%s' has no config.ru, Procfile, bin/rails or gemspec",
                  app->dir);
    (void)err_id(err, "E-APP");
    return err_hint(err, "name the directory of the application: rucksack build DIR");
}

static bool detect_tree(struct app *app, const char *dir, struct err *err)
{
    bool has_procfile = false;

    app->dir = realpath(dir, NULL);
    if (app->dir == NULL) { /* a directory above it is closed to us */
        (void)err_sys(err, "'%s'", dir);
        (void)err_id(err, "E-APP");
        return err_hint(err, "build it where all directories above it can be entered");
    }
    app->own_name = xstrdup(text_base_name(app->dir));
    return config_load(&app->config, app->dir, err) &&
           procfile_read(app->dir, &app->config, &has_procfile, err) &&
           check_kind(app, has_procfile, err);
}

static bool detect_path(struct app *app, const char *path, struct err *err)
{
    struct stat st;

    if (stat(path, &st) == 0 && S_ISREG(st.st_mode))
        return cli_detect_script(app, path, err);
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return detect_tree(app, path, err);
    if (stat(path, &st) == 0)
        errno = ENOTDIR;
    (void)err_sys(err, "'%s'", path);
    (void)err_id(err, "E-APP");
    return err_hint(err, "name the directory of the application: rucksack build DIR");
}

bool app_detect(struct app *ret, const struct app_request *request, struct err *err)
{
    const char *name;

    *ret = (struct app){.kind = APP_SERVER};
    if (!(request->gem != NULL ? cli_detect_gem(ret, request->gem, err)
                               : detect_path(ret, request->path, err)))
        return false;
    name = request->name != NULL      ? request->name
           : ret->config.name != NULL ? ret->config.name
                                      : ret->own_name;
    ret->name = identity(name);
    ret->allowed = request->allowed;
    return true;
}

/* `ruby -c` parses and runs nothing. */
static bool check_syntax(const struct app *app, const struct probe *probe, struct err *err)
{
    const char *const argv[] = {
        probe->ruby.program, "--disable=gems", "-c", "--", "config.ru", NULL};
    struct proc_request request = {.argv = argv, .cwd = app->dir, .output_max_bytes = OUTPUT_MAX};
    struct proc_output output = {0};
    bool ok;

    if (!fs_has_file(app->dir, "config.ru"))
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
    /* An arena for each thread is memory for nothing: the threads of a Ruby take turns. */
    config_default(&config->env, "MALLOC_ARENA_MAX", "2");
    if (config->console == NULL)
        config->console = xstrdup("ruby -rbundler/setup -rirb -e IRB.start");
    if (config->health == NULL) {
        config->health = xstrdup("/");
        config->any_health = true;
    }
}

/* A name that is misspelt would lock nothing. */
static bool check_single(const struct config *config, struct err *err)
{
    for (size_t i = 0; i < config->single.count; i++) {
        struct suggest suggest = suggest_begin(config->single.items[i]);
        bool is_known = false;

        for (size_t j = 0; j < config->processes.count; j++) {
            suggest_offer(&suggest, config->processes.items[j].name);
            is_known |= strcmp(config->processes.items[j].name, config->single.items[i]) == 0;
        }
        if (is_known)
            continue;
        (void)err_set(err, ERR_INPUT, "%s: single: no process '%.100s'", config_file(config),
                      config->single.items[i]);
        (void)err_id(err, "E-CONFIG");
        return suggest_hint(&suggest, "name one of 'processes'", err);
    }
    return true;
}

bool app_complete(struct app *app, const struct app_request *request, const struct probe *probe,
                  struct err *err)
{
    struct states_input input = {
        .dir = app->dir,
        .config = &app->config,
        .databases = probe->databases,
        .database_count = probe->database_count,
    };

    if (app->kind == APP_COMMAND)
        return cli_complete(app, probe, request->executable, err);
    app->is_rails = probe_find_gem(probe, "railties") != NULL && fs_has_file(app->dir, "bin/rails");
    input.is_rails = app->is_rails;
    app->summary = summary_of(probe);
    if (!check_syntax(app, probe, err))
        return false;
    if (app->is_rails)
        rails_settle(&app->config, app->dir, probe);
    if (app->config.processes.count == 0 && !find_server(app, probe, err))
        return false;
    if (!check_single(&app->config, err))
        return false;
    set_defaults(app, probe);
    input.has_bootsnap = rails_keeps_bootsnap(&app->config);
    return states_find(&app->states, &input, err);
}

bool app_plan(const struct app *app, const struct probe *probe, const struct report *report,
              struct plan *plan, struct err *err)
{
    if (app->kind == APP_COMMAND)
        return cli_plan(app, probe, plan, err);
    return selection_plan(app, report, plan, err) && states_plan(&app->states, plan, err) &&
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
    free(app->own_name);
    free(app->script);
    free(app->summary);
    free(app->evidence);
    *app = (struct app){0};
}
