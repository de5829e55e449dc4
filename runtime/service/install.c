/* SPDX-License-Identifier: MIT */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/fs.h"
#include "common/xalloc.h"
#include "runtime/service/bundlefile.h"
#include "runtime/service/candidate.h"
#include "runtime/service/envfile.h"
#include "runtime/service/options.h"
#include "runtime/service/places.h"
#include "runtime/service/plan.h"
#include "runtime/service/recovery.h"
#include "runtime/service/releases.h"
#include "runtime/service/service.h"
#include "runtime/service/settings.h"
#include "runtime/service/snapshot.h"
#include "runtime/service/systemd.h"
#include "runtime/service/tree.h"
#include "runtime/service/trust.h"

enum { NFTW_FDS = 16 };

/* What install has to do, and what it is done with. */
struct installation {
    const struct service *service;
    const struct options *options;
    struct settings settings;
    struct releases releases;
    struct bundlefile file;
    struct snapshot snapshot; /* of --restore */
    bool had_state;           /* the directory */
    bool had_data;            /* files in it */
    bool had_env;
};

static int is_a_file(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)path;
    (void)st;
    (void)at;
    return type == FTW_F;
}

static bool has_state(const struct app *app)
{
    cleanup_free char *data = xasprintf("/var/lib/%s/data", app->name);

    return nftw(data, is_a_file, NFTW_FDS, FTW_PHYS) == 1;
}

/* A new server that comes up empty looks healthy, and its backups push out the good ones. */
static bool check_state(const struct installation *installation, struct err *err)
{
    const struct app *app = &installation->service->app;
    const struct options *options = installation->options;

    if (options->restore != NULL && !app->is_kept) {
        (void)err_set(err, ERR_INPUT, "this application has no state that could be restored");
        (void)err_id(err, "E-STATE");
        return err_hint(err, "leave out --restore");
    }
    if (!app->is_kept || options->is_new || options->restore != NULL || has_state(app))
        return true;
    (void)err_set(err, ERR_INPUT, "there is no state: '/var/lib/%s' is empty", app->name);
    (void)err_id(err, "E-EMPTY");
    return err_hint(err, "bring it along: --restore SNAPSHOT; a new site on purpose: --new");
}

static bool check_installed(const struct installation *installation, struct err *err)
{
    const struct release *current = releases_current(&installation->releases);

    if (current == NULL)
        return true;
    (void)err_set(err, ERR_INPUT, "'%s' is installed: release %u", installation->service->app.name,
                  current->number);
    (void)err_id(err, "E-INSTALLED");
    return err_hint(err, "FILE service upgrade");
}

/* As it will be; the number of the release may be another. *release* is its id, borrowed. */
static void make_plan(const struct installation *installation, const char *release,
                      struct plan *plan)
{
    const struct format_header *header = &installation->file.header;
    struct units units = {&installation->service->app, &installation->settings, release,
                          header->image_offset, header->image_size};

    plan_init(plan, installation->service->app.name);
    units_plan(&units, plan);
}

/* Before anything is made: what fails later is undone by stopping units of these names. */
static bool check_units(const struct installation *installation, struct err *err)
{
    struct plan plan;
    bool ok;

    make_plan(installation, "1", &plan);
    ok = candidate_check_units(&plan, err);
    plan_release(&plan);
    return ok;
}

static bool print_plan(const struct installation *installation, struct err *err)
{
    const struct app *app = &installation->service->app;
    cleanup_free char *release = xasprintf("1-%.12s", installation->file.hash);
    struct plan plan;

    make_plan(installation, release, &plan);
    plan_print(&plan, stdout);
    printf("\n==> /opt/%s/releases/%s/%s (0755)\nthis bundle\n\n==> /etc/%s/env (0600)\n"
           "the environment of the processes\n",
           app->name, release, app->name, app->name);
    plan_release(&plan);
    return fs_flush(stdout, "standard output", err);
}

/* The name of the running bundle's file may be another's by now. */
static bool open_own(struct installation *installation, struct err *err)
{
    const struct service *service = installation->service;

    if (service->file == NULL) {
        (void)err_set(err, ERR_INPUT, "a service is installed from a bundle's file, not unpacked");
        (void)err_id(err, "E-BUNDLE");
        return err_hint(err, "start the file itself: ./FILE service install");
    }
    if (!bundlefile_open_own(&installation->file, service->file, service->identity, err))
        return false;
    if (strcmp(installation->file.header.name, service->app.name) == 0)
        return true;
    return err_set(err, ERR_INPUT, "'%s' is another application's by now", service->file);
}

/* Of a capsule that restores itself, from the file that was compared. */
static bool open_snapshot(struct installation *installation, struct err *err)
{
    const char *path = installation->options->restore;

    return strcmp(path, installation->service->file) == 0
               ? snapshot_take(&installation->snapshot, &installation->file, path, err)
               : snapshot_open(&installation->snapshot, path, err);
}

static bool read_settings(struct installation *installation, struct err *err)
{
    const struct options *options = installation->options;

    installation->settings = (struct settings){
        .listen = xstrdup(options->listen != NULL ? options->listen : SETTINGS_LISTEN),
        .backup = options->backup != NULL ? xstrdup(options->backup) : NULL,
        .push = options->push != NULL ? xstrdup(options->push) : NULL,
        .keep = options->keep,
    };
    if (options->backup == NULL || installation->service->app.is_kept)
        return settings_check(&installation->settings, err);
    (void)err_set(err, ERR_INPUT, "this application has no state: there is nothing to back up");
    (void)err_id(err, "E-STATE");
    return err_hint(err, "leave out --backup");
}

static bool check_calendar(const struct options *options, struct err *err)
{
    return options->backup == NULL || systemd_is_calendar(options->backup) ||
           settings_refuse_calendar(options->backup, err);
}

static bool make_user(const struct candidate *candidate, struct err *err)
{
    cleanup_free char *users = xasprintf("/etc/sysusers.d/%s.conf", candidate->releases->name);

    return plan_write(&candidate->plan, err) && systemd_make_users(users, err) &&
           places_make_backups(candidate->releases->name, err);
}

static bool begin_backups(const struct installation *installation, struct err *err)
{
    cleanup_free char *aside = NULL;

    if (!installation->options->is_new)
        return true;
    if (!places_renew_backups(installation->service->app.name, &aside, err))
        return false;
    if (aside != NULL)
        printf("set aside  %s: backups of another site\n", aside);
    return true;
}

/* A release command may be one that this state has not seen: what was is saved before. */
static bool save_state(const struct installation *installation, const struct candidate *candidate,
                       struct err *err)
{
    if (!installation->had_data || candidate->app.release == NULL ||
        recovery_take_first(candidate, err))
        return true;
    if (!installation->options->force)
        return err_hint(err, "mend that, or without: FILE service install --force");
    fprintf(stderr, "warning: no snapshot of the state before 'release'\n");
    *err = (struct err){0};
    return true;
}

/* A new site that writes its first file tomorrow may be started anew today. */
static bool begin_state(const struct installation *installation, const struct candidate *candidate,
                        struct err *err)
{
    return !installation->options->is_new || !candidate->app.is_kept ||
           has_state(&candidate->app) || recovery_begin(candidate, err);
}

static bool fill_state(const struct installation *installation, const struct candidate *candidate,
                       struct err *err)
{
    const struct options *options = installation->options;
    cleanup_free char *words = xasprintf("restore -%s%s", options->replace ? " --replace" : "",
                                         options->other_secrets ? " --other-secrets" : "");

    if (!save_state(installation, candidate, err) ||
        (installation->snapshot.fd >= 0 &&
         !candidate_restore(candidate, &installation->snapshot, words, err)))
        return false;
    return candidate->app.release == NULL ||
           candidate_run(candidate, "release", "run release", options->is_new, "E-RELEASE", err);
}

static void undo(const struct installation *installation, struct candidate *candidate)
{
    const char *name = installation->service->app.name;
    struct err ignored = {0};

    if (candidate->releases != NULL) {
        candidate_disable(candidate);
        candidate_unmount(candidate);
        plan_remove(&candidate->plan);
        (void)systemd_do("daemon-reload", NULL, &ignored);
        candidate_release(candidate);
    }
    (void)tree_remove(name);
    places_remove("/run", name);
    envfile_revert(name);
    if (!installation->had_env) {
        cleanup_free char *dir = xasprintf("/etc/%s", name);

        places_remove(dir, "env");
        (void)rmdir(dir);
    }
    if (!installation->had_state)
        places_remove_state(name);
}

static bool carry_out(struct installation *installation, struct candidate *candidate,
                      struct err *err)
{
    const struct release *release = NULL;

    /* The settings first: they are the mark by which an uninstall finds half an installation. */
    return places_make(err) && fs_mkdir_p(installation->releases.dir, 0755, err) &&
           settings_save(&installation->settings, installation->releases.dir, err) &&
           releases_add(&installation->releases, &installation->file, &release, err) &&
           envfile_install(&installation->service->app, installation->options->env_file, err) &&
           candidate_open(candidate, &installation->releases, release, &installation->settings,
                          err) &&
           make_user(candidate, err) && fill_state(installation, candidate, err) &&
           candidate_serve(candidate, NULL, installation->options->is_new, NULL, err) &&
           begin_backups(installation, err) && begin_state(installation, candidate, err) &&
           trust_pin(installation->service->app.name, &installation->file, err);
}

static bool install(struct installation *installation, struct err *err)
{
    const struct app *app = &installation->service->app;
    cleanup_free char *state = xasprintf("/var/lib/%s", app->name);
    cleanup_free char *env = xasprintf("/etc/%s/env", app->name);
    struct candidate candidate = {0};
    bool ok;

    installation->had_state = access(state, F_OK) == 0;
    installation->had_data = has_state(app);
    installation->had_env = access(env, F_OK) == 0;
    ok = carry_out(installation, &candidate, err);
    if (!ok) {
        undo(installation, &candidate);
        return false;
    }
    envfile_settle(app->name);
    printf("installed  %s, release %s\n", app->name, candidate.id);
    if (units_has_socket(&candidate.app))
        printf("listens    %s\n", installation->settings.listen);
    else if (app_web(&candidate.app) != NULL)
        printf("listens    where its server does, with PORT=%s: it takes no socket\n",
               settings_port(&installation->settings));
    printf("state      %s\n", state);
    candidate_release(&candidate);
    return fs_flush(stdout, "standard output", err);
}

static void release(struct installation *installation)
{
    bundlefile_release(&installation->file);
    snapshot_release(&installation->snapshot);
    releases_release(&installation->releases);
    settings_release(&installation->settings);
}

bool service_install(const struct service *service, const struct options *options, struct err *err)
{
    struct installation installation = {
        .service = service,
        .options = options,
        .file = {.fd = -1},
        .snapshot = {.fd = -1},
    };
    cleanup_fd int lock = -1;
    bool ok = read_settings(&installation, err) && open_own(&installation, err);

    if (ok && options->print) {
        ok = print_plan(&installation, err);
        release(&installation);
        return ok;
    }
    ok = ok && service_begin(service, &lock, err) && check_calendar(options, err) &&
         releases_open(&installation.releases, service->app.name, err) &&
         check_installed(&installation, err) && places_check(service->app.name, err) &&
         check_units(&installation, err) && envfile_check(&service->app, options->env_file, err) &&
         (options->restore == NULL || open_snapshot(&installation, err)) &&
         check_state(&installation, err) && install(&installation, err);
    release(&installation);
    return ok;
}
