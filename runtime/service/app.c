/* SPDX-License-Identifier: MIT */
#include "runtime/service/app.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/format.h"
#include "common/fs.h"
#include "common/launchlist.h"
#include "common/xalloc.h"

enum { PROCESS_NAME_MAX = 64 };

static const char lower[] = "abcdefghijklmnopqrstuvwxyz";
static const char name_rest[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";
static const char process_rest[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";

static bool damaged(struct err *err)
{
    (void)err_set(err, ERR_INPUT, "damaged image: no name in its launch file");
    return err_id(err, "E-START");
}

/* Units of ours that are no process's. */
static bool is_reserved(const char *process)
{
    static const char *const names[] = {"backup", "release", "restore", "snapshot"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(process, names[i]) == 0)
            return true;
    return false;
}

static bool check_name(const char *name, struct err *err)
{
    size_t len = strlen(name);

    if (len > 0 && len <= APP_NAME_MAX && strchr(lower, name[0]) != NULL &&
        strspn(name, name_rest) == len)
        return true;
    (void)err_set(err, ERR_INPUT, "'%.100s' cannot be the name of a service and its user", name);
    (void)err_id(err, "E-NAME");
    return err_hint(err,
                    "'name:' in rucksack.yml, and build again: a letter, then a-z, 0-9, '_' and "
                    "'-', at most %d",
                    APP_NAME_MAX);
}

static bool check_process(const char *name, struct err *err)
{
    size_t len = strlen(name);

    if (len > 0 && len <= PROCESS_NAME_MAX && strspn(name, process_rest) == len &&
        strchr("._-", name[0]) == NULL && !is_reserved(name))
        return true;
    (void)err_set(err, ERR_INPUT, "a process cannot be named '%.100s' in a service", name);
    (void)err_id(err, "E-NAME");
    return err_hint(err, "name it otherwise in rucksack.yml or the Procfile, and build again");
}

static void take(struct app *app, const struct launchfile_record *record)
{
    if (launchfile_is(record, "name", 1))
        app->name = record->fields[1];
    if (launchfile_is(record, "release", 1))
        app->release = record->fields[1];
    if (launchfile_is(record, "health", 1))
        app->health = record->fields[1];
    if (launchfile_is(record, "host", 1) && record->count == 2)
        app->needs_host = strcmp(record->fields[1], "yes") == 0;
}

static bool parse(struct app *app, size_t size, struct err *err)
{
    if (!launchlist_read(app->text, size, &app->records, &app->count, err))
        return err_id(err, "E-START");
    for (size_t i = 0; i < app->count; i++)
        take(app, &app->records[i]);
    return app->name != NULL ? check_name(app->name, err) : damaged(err);
}

static bool check(const struct app *app, struct err *err)
{
    const char *process;

    for (size_t i = 0; (process = app_process(app, i)) != NULL; i++)
        if (!check_process(process, err))
            return false;
    if (app_process(app, 0) != NULL && (app->health == NULL || app->health[0] == '/'))
        return true;
    (void)err_set(err, ERR_INPUT, "'%s' has no process that a service could run", app->name);
    return err_id(err, "E-START");
}

bool app_open(struct app *ret, const char *root, struct err *err)
{
    struct app app = {0};
    cleanup_free char *path = xasprintf("%s/" FORMAT_LAUNCH, root);
    cleanup_free char *keeper = xasprintf("%s/" FORMAT_KEEPER, root);
    size_t size;

    if (!fs_read_file(path, FORMAT_LAUNCH_MAX, &app.text, &size, err))
        return err_id(err, "E-START");
    app.is_kept = access(keeper, X_OK) == 0;
    if (!parse(&app, size, err) || !check(&app, err)) {
        app_release(&app);
        return false;
    }
    *ret = app;
    return true;
}

void app_release(struct app *app)
{
    free(app->records);
    free(app->text);
    *app = (struct app){0};
}

const char *app_process(const struct app *app, size_t index)
{
    for (size_t i = 0; i < app->count; i++)
        if (launchfile_is(&app->records[i], "process", 2) && index-- == 0)
            return app->records[i].fields[1];
    return NULL;
}

bool app_server_can(const struct app *app, const char *process, const char *feature)
{
    for (size_t i = 0; i < app->count; i++)
        if (launchfile_is(&app->records[i], "server", 2) &&
            strcmp(app->records[i].fields[1], process) == 0 &&
            strcmp(app->records[i].fields[2], feature) == 0)
            return true;
    return false;
}

const char *app_web(const struct app *app)
{
    const char *process;

    for (size_t i = 0; (process = app_process(app, i)) != NULL; i++)
        if (strcmp(process, "web") == 0)
            return process;
    return app_process(app, 1) == NULL ? app_process(app, 0) : NULL;
}
