/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/xalloc.h"
#include "runtime/service/releases.h"
#include "runtime/service/service.h"
#include "runtime/service/systemd.h"
#include "runtime/service/units.h"

static void show(const char *unit)
{
    cleanup_free char *state = systemd_state(unit);

    printf("%-10s %s\n", state, unit);
}

static void show_units(const struct app *app)
{
    cleanup_free char *socket = xasprintf("%s.socket", app->name);
    const char *process;

    for (size_t i = 0; (process = app_process(app, i)) != NULL; i++) {
        cleanup_free char *unit = units_process(app, process);

        show(unit);
    }
    if (units_has_socket(app))
        show(socket);
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
