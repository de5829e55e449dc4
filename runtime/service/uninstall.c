/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/fs.h"
#include "common/text.h"
#include "common/xalloc.h"
#include "runtime/service/envfile.h"
#include "runtime/service/options.h"
#include "runtime/service/places.h"
#include "runtime/service/plan.h"
#include "runtime/service/service.h"
#include "runtime/service/systemd.h"
#include "runtime/service/tree.h"
#include "runtime/service/units.h"

static bool is_mount(const char *unit)
{
    const char *dot = strrchr(unit, '.');

    return dot != NULL && strcmp(dot, ".mount") == 0;
}

/* Images last: processes run from them. */
static void stop_units(const struct plan *plan, bool mounts)
{
    struct err ignored = {0};

    for (size_t i = 0; i < plan->count; i++) {
        const char *path = plan->files[i].path;
        const char *const words[] = {"disable", "--now", text_base_name(path), NULL};
        bool is_unit =
            strncmp(path, "/etc/systemd/", 13) == 0 || strncmp(path, "/run/systemd/", 13) == 0;

        if (is_unit && is_mount(path) == mounts)
            (void)systemd_call(words, &ignored);
    }
}

/* By what is there, not by what an image says that may be damaged. */
static void find_units(const char *name, struct plan *ret)
{
    static const char *const dirs[] = {UNITS_DIR, UNITS_PASSING_DIR, "/etc/sysusers.d",
                                       "/etc/tmpfiles.d"};

    cleanup_free char *etc = xasprintf("/etc/%s", name);

    plan_init(ret, name);
    plan_add_existing(ret, etc);
    for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
        plan_add_existing(ret, dirs[i]);
}

/* An image that could not be unmounted: the next uninstall finds it by its unit. */
static bool is_in_use(const char *path)
{
    cleanup_free char *state = systemd_state(text_base_name(path));

    return strcmp(state, "active") == 0;
}

static bool remove_units(const struct plan *plan, struct err *err)
{
    stop_units(plan, false);
    stop_units(plan, true);
    for (size_t i = 0; i < plan->count; i++)
        if (!is_mount(plan->files[i].path) || !is_in_use(plan->files[i].path))
            (void)unlink(plan->files[i].path);
    return systemd_do("daemon-reload", NULL, err);
}

static void report(const char *name, bool is_purge)
{
    cleanup_free char *backups = xasprintf("/var/backups/%s", name);

    printf("removed    %s\n", name);
    if (!is_purge)
        printf("kept       /var/lib/%s, /etc/%s\n", name, name);
    if (access(backups, F_OK) == 0)
        printf("kept       /var/backups/%s, and user %s\n", name, name);
}

static bool uninstall(const char *name, const struct plan *units, bool is_purge, struct err *err)
{
    cleanup_free char *etc = xasprintf("/etc/%s", name);

    if (!remove_units(units, err))
        return false;
    if (!tree_remove(name))
        printf("left       /opt/%s: what is in it is in use, or not of this service\n", name);
    places_remove("/run", name);
    envfile_revert(name); /* an installation was killed */
    if (is_purge) {
        places_remove_state(name);
        places_remove(etc, "env");
        places_remove(etc, "trust");
        (void)rmdir(etc);
    }
    report(name, is_purge);
    return fs_flush(stdout, "standard output", err);
}

/* An installation that was killed has left something, but no release that serves. */
static bool check_something(const char *name, const struct plan *units, struct err *err)
{
    if (units->count > 0 || tree_is_ours(name))
        return true;
    (void)err_set(err, ERR_INPUT, "'%s' is not installed", name);
    return err_id(err, "E-NOSERVICE");
}

bool service_uninstall(const struct service *service, const struct options *options,
                       struct err *err)
{
    const char *name = service->app.name;
    cleanup_fd int lock = -1;
    struct plan units = {0};
    bool ok = service_begin(service, &lock, err);

    if (ok)
        find_units(name, &units);
    ok = ok && check_something(name, &units, err) && uninstall(name, &units, options->purge, err);
    plan_release(&units);
    return ok;
}
