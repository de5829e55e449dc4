/* SPDX-License-Identifier: MIT */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/xalloc.h"
#include "runtime/service/options.h"
#include "runtime/service/releases.h"
#include "runtime/service/service.h"
#include "runtime/service/systemd.h"
#include "runtime/service/trust.h"
#include "runtime/service/units.h"

static void show(const char *unit)
{
    cleanup_free char *state = systemd_state(unit);

    printf("%-10s %s\n", state, unit);
}

/* Names of one length, with the time in them; NULL: none, or not to be seen by who asks. */
static char *newest_backup(const char *name)
{
    cleanup_free char *pattern = xasprintf("/var/backups/%s/%s-*.tar.zst", name, name);
    char *newest = NULL;
    glob_t files;

    if (glob(pattern, 0, NULL, &files) != 0)
        return NULL;
    newest = xstrdup(files.gl_pathv[files.gl_pathc - 1]);
    globfree(&files);
    return newest;
}

static void show_units(const struct app *app)
{
    cleanup_free char *socket = xasprintf("%s.socket", app->name);
    cleanup_free char *timer = xasprintf("%s-backup.timer", app->name);
    cleanup_free char *timer_file = xasprintf(UNITS_DIR "/%s", timer);
    cleanup_free char *newest = NULL;
    const char *process;

    for (size_t i = 0; (process = app_process(app, i)) != NULL; i++) {
        cleanup_free char *unit = units_process(app, process);

        show(unit);
    }
    if (units_has_socket(app))
        show(socket);
    if (access(timer_file, F_OK) != 0)
        return;
    show(timer);
    newest = newest_backup(app->name);
    printf("%-10s %s\n", "backup", newest != NULL ? newest : "none yet");
}

bool service_status(const struct service *service, struct err *err)
{
    const char *name = service->app.name;
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
    show_units(&service->app);
    for (size_t i = releases.count; i-- > 0;)
        printf("%-10s release %s\n", &releases.items[i] == current ? "serves" : "kept",
               releases.items[i].id);
    releases_release(&releases);
    return fflush(stdout) == 0 || err_sys(err, "standard output");
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
        printf("trusts     %s  %s\n", id, text);
    } else {
        printf("trusts     any bundle: no key is pinned\n");
    }
    return fflush(stdout) == 0 || err_sys(err, "standard output");
}
