/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/fs.h"
#include "common/pattern.h"
#include "common/text.h"
#include "common/xalloc.h"
#include "runtime/service/options.h"
#include "runtime/service/releases.h"
#include "runtime/service/service.h"
#include "runtime/service/systemd.h"
#include "runtime/service/trust.h"
#include "runtime/service/units.h"

/* How it is written: as a table for people, or as JSON (docs/schema/status.json). */
struct sheet {
    bool is_json;
    size_t rows; /* of the list that is open */
};

/* NULL is null. */
static void put_string(const char *text)
{
    cleanup_free char *quoted = text != NULL ? text_json(text) : NULL;

    fputs(quoted != NULL ? quoted : "null", stdout);
}

/* One row, of two texts: {"unit": "guestbook-web.service", "state": "active"}. */
static void put_row(struct sheet *sheet, const char *first_key, const char *first,
                    const char *second_key)
{
    printf("%s{\"%s\": ", sheet->rows++ > 0 ? ", " : "", first_key);
    put_string(first);
    printf(", \"%s\": ", second_key);
}

static void show(struct sheet *sheet, const char *unit)
{
    cleanup_free char *state = systemd_state(unit);

    if (!sheet->is_json) {
        printf("%-10s %s\n", state, unit);
        return;
    }
    put_row(sheet, "unit", unit, "state");
    put_string(state);
    putchar('}');
}

/* Names of one length, with the time in them; NULL: none, or not to be seen by who asks. */
static char *newest_backup(const char *name)
{
    cleanup_free char *pattern = xasprintf("/var/backups/%s/%s-*.tar.zst", name, name);
    cleanup_with(pattern_release) struct pattern_found files;

    pattern_find(&files, pattern);
    return files.count > 0 ? xstrdup(files.paths[files.count - 1]) : NULL;
}

static bool has_backups(const struct app *app)
{
    cleanup_free char *file = xasprintf(UNITS_DIR "/%s-backup.timer", app->name);

    return access(file, F_OK) == 0;
}

static void show_units(struct sheet *sheet, const struct app *app)
{
    cleanup_free char *socket = xasprintf("%s.socket", app->name);
    cleanup_free char *timer = xasprintf("%s-backup.timer", app->name);
    const char *process;

    for (size_t i = 0; (process = app_process(app, i)) != NULL; i++) {
        cleanup_free char *unit = units_process(app, process);

        show(sheet, unit);
    }
    if (units_has_socket(app))
        show(sheet, socket);
    if (has_backups(app))
        show(sheet, timer);
}

static void show_backup(const struct sheet *sheet, const char *name)
{
    cleanup_free char *newest = newest_backup(name);

    if (!sheet->is_json) {
        printf("%-10s %s\n", "backup", newest != NULL ? newest : "none yet");
        return;
    }
    fputs(", \"backup\": ", stdout);
    put_string(newest);
}

static void show_releases(struct sheet *sheet, const struct releases *releases,
                          const struct release *current)
{
    for (size_t i = releases->count; i-- > 0;) {
        const struct release *release = &releases->items[i];
        bool serves = release == current;

        if (sheet->is_json) {
            put_row(sheet, "release", release->id, "serves");
            printf("%s}", serves ? "true" : "false");
        } else {
            printf("%-10s release %s\n", serves ? "serves" : "kept", release->id);
        }
    }
}

static void show_all(struct sheet *sheet, const struct app *app, const struct releases *releases,
                     const struct release *current)
{
    if (sheet->is_json) {
        fputs("{\"format\": 1, \"name\": ", stdout);
        put_string(app->name);
        fputs(", \"units\": [", stdout);
    }
    show_units(sheet, app);
    if (sheet->is_json)
        putchar(']');
    if (has_backups(app))
        show_backup(sheet, app->name);
    sheet->rows = 0;
    if (sheet->is_json)
        fputs(", \"releases\": [", stdout);
    show_releases(sheet, releases, current);
    if (sheet->is_json)
        puts("]}");
}

bool service_status(const struct service *service, const struct options *options, struct err *err)
{
    const char *name = service->app.name;
    struct sheet sheet = {.is_json = options->json};
    struct releases releases = {0};
    const struct release *current;

    if (!systemd_require(name, err) || !releases_open(&releases, name, err))
        return false;
    current = releases_current(&releases);
    if (current == NULL) {
        releases_release(&releases);
        (void)err_set(err, ERR_INPUT, "'%s' is not installed", name);
        (void)err_id(err, "E-NOSERVICE");
        return err_hint(err, "FILE service install");
    }
    show_all(&sheet, &service->app, &releases, current);
    releases_release(&releases);
    return fs_flush(stdout, "standard output", err);
}

static bool change_trust(const struct service *service, const struct options *options,
                         struct err *err)
{
    const char *name = service->app.name;
    cleanup_fd int lock = -1;
    struct minisign_key key;

    if (!service_begin(service, &lock, err))
        return false;
    return options->none ? trust_forget(name, err) : trust_take(name, options->file, &key, err);
}

/* docs/schema/trust.json; NULL: no key is pinned. */
static void show_trust(const char *name, const char *id, const char *key)
{
    fputs("{\"format\": 1, \"name\": ", stdout);
    put_string(name);
    fputs(", \"id\": ", stdout);
    put_string(id);
    fputs(", \"key\": ", stdout);
    put_string(key);
    puts("}");
}

bool service_trust(const struct service *service, const struct options *options, struct err *err)
{
    char id[MINISIGN_ID_TEXT];
    char text[MINISIGN_PUBLIC_TEXT];
    struct minisign_key key;
    bool is_pinned = false;

    if ((options->none || options->file != NULL) && !change_trust(service, options, err))
        return false;
    if (!trust_load(service->app.name, &key, &is_pinned, err))
        return false;
    if (is_pinned) {
        minisign_name_id(key.id, id);
        minisign_name_key(&key, text);
    }
    if (options->json)
        show_trust(service->app.name, is_pinned ? id : NULL, is_pinned ? text : NULL);
    else if (is_pinned)
        printf("trusts     %s  %s\n", id, text);
    else
        printf("trusts     any bundle: no key is pinned\n");
    return fs_flush(stdout, "standard output", err);
}
