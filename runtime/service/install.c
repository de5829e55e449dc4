/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/fs.h"
#include "common/xalloc.h"
#include "runtime/service/bundlefile.h"
#include "runtime/service/candidate.h"
#include "runtime/service/envfile.h"
#include "runtime/service/options.h"
#include "runtime/service/plan.h"
#include "runtime/service/releases.h"
#include "runtime/service/service.h"
#include "runtime/service/settings.h"
#include "runtime/service/snapshot.h"
#include "runtime/service/systemd.h"
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
    bool had_state;
    bool had_env;
};

static int is_a_file(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)path;
    (void)st;
    (void)at;
    return type == FTW_F;
}

static char *state_dir(const struct app *app)
{
    return xasprintf("/var/lib/%s", app->name);
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

static bool taken(const char *what, struct err *err)
{
    (void)err_set(err, ERR_INPUT, "%s is there, and not of this service", what);
    (void)err_id(err, "E-TAKEN");
    return err_hint(err, "build with another name: 'name:' in rucksack.yml");
}

/* Somebody else's user would get our state, or we theirs. */
static bool check_user(const struct app *app, struct err *err)
{
    cleanup_free char *dir = state_dir(app);
    cleanup_free char *words = xasprintf("Service %s", app->name);
    cleanup_free char *what = xasprintf("a user '%s'", app->name);
    const struct passwd *user = getpwnam(app->name);

    return user == NULL ||
           (user->pw_uid != 0 && strcmp(user->pw_dir, dir) == 0 &&
            strcmp(user->pw_gecos, words) == 0) ||
           taken(what, err);
}

static bool is_empty(const char *path)
{
    cleanup_dir DIR *entries = opendir(path);
    const struct dirent *entry;

    while (entries != NULL && (entry = readdir(entries)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            return false;
    return entries != NULL;
}

/*
 * systemd gives these directories to the user with all that is in them, and an uninstall removes
 * them: so they are ours already, or nobody's. A state may have been brought along.
 */
static bool check_place(const struct app *app, const char *parent, const char *ours,
                        struct err *err)
{
    cleanup_free char *path = xasprintf("%s/%s", parent, app->name);
    cleanup_free char *inner = xasprintf("%s/%s", path, ours);
    cleanup_free char *what = xasprintf("'%s'", path);
    const struct passwd *user = getpwnam(app->name);
    struct stat st;

    if (lstat(path, &st) != 0)
        return errno == ENOENT || err_sys(err, "'%s'", path);
    if (S_ISDIR(st.st_mode) && (is_empty(path) || (user != NULL && st.st_uid == user->pw_uid) ||
                                (ours[0] != '\0' && access(inner, F_OK) == 0)))
        return true;
    return taken(what, err);
}

static bool check_places(const struct app *app, struct err *err)
{
    return check_user(app, err) && check_place(app, "/opt", "releases", err) &&
           check_place(app, "/var/lib", "data", err) && check_place(app, "/var/cache", "", err) &&
           check_place(app, "/var/log", "", err) && check_place(app, "/var/backups", "", err) &&
           check_place(app, "/run", "", err);
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
    ok = plan_check(&plan, err) && candidate_check_units(&plan, err);
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
    return fflush(stdout) == 0 || err_sys(err, "standard output");
}

/* The file of the running program may be a name by now: its hash must be the running image's. */
static bool open_own(struct installation *installation, struct err *err)
{
    const struct service *service = installation->service;

    if (service->file == NULL) {
        (void)err_set(err, ERR_INPUT, "a service is installed from a bundle's file, not unpacked");
        (void)err_id(err, "E-BUNDLE");
        return err_hint(err, "start the file itself: ./FILE service install");
    }
    if (!bundlefile_open(&installation->file, service->file, err))
        return false;
    if (strcmp(installation->file.header.name, service->app.name) == 0)
        return true;
    return err_set(err, ERR_INPUT, "'%s' is another application's by now", service->file);
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

/* The directories of ours that a system may lack. */
static bool make_places(struct err *err)
{
    return fs_mkdir_p(UNITS_DIR, 0755, err) && fs_mkdir_p("/etc/sysusers.d", 0755, err) &&
           fs_mkdir_p("/etc/tmpfiles.d", 0755, err) && fs_mkdir_p("/var/backups", 0755, err);
}

static bool make_backups(const char *name, struct err *err)
{
    cleanup_free char *backups = xasprintf("/var/backups/%s", name);
    const struct passwd *user = getpwnam(name);

    if (user == NULL)
        return err_set(err, ERR_INPUT, "systemd-sysusers made no user '%s'", name);
    if ((mkdir(backups, 0700) != 0 && errno != EEXIST) ||
        lchown(backups, user->pw_uid, user->pw_gid) != 0)
        return err_sys(err, "'%s'", backups);
    return true;
}

static bool make_user(const struct candidate *candidate, struct err *err)
{
    cleanup_free char *users = xasprintf("/etc/sysusers.d/%s.conf", candidate->releases->name);

    return plan_write(&candidate->plan, err) && systemd_make_users(users, err) &&
           make_backups(candidate->releases->name, err);
}

/* The backups of the site that was are no backups of a new one: it would be refused among them. */
static bool begin_backups(const struct installation *installation, struct err *err)
{
    const char *name = installation->service->app.name;
    cleanup_free char *backups = xasprintf("/var/backups/%s", name);
    cleanup_free char *aside =
        xasprintf("/var/backups/%s.before-%lld", name, (long long)time(NULL));

    if (!installation->options->is_new || is_empty(backups))
        return true;
    if (rename(backups, aside) != 0)
        return err_sys(err, "'%s'", backups);
    printf("set aside  %s: backups of another site\n", aside);
    return make_backups(name, err);
}

static bool fill_state(const struct installation *installation, const struct candidate *candidate,
                       struct err *err)
{
    if (installation->snapshot.fd >= 0 &&
        !candidate_restore(candidate, &installation->snapshot, err))
        return false;
    return candidate->app.release == NULL ||
           candidate_run(candidate, "release", "run release", installation->options->is_new,
                         "E-RELEASE", err);
}

static void remove_in(const char *dir, const char *name)
{
    cleanup_fd int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct err ignored = {0};

    if (fd >= 0)
        (void)fs_remove_tree(fd, name, &ignored);
}

/* Whoever has backups stays their owner. */
static void remove_state(const char *name)
{
    static const char *const dirs[] = {"/var/lib", "/var/cache", "/var/log"};
    cleanup_free char *backups = xasprintf("/var/backups/%s", name);

    for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
        remove_in(dirs[i], name);
    if (rmdir(backups) == 0 || errno == ENOENT)
        systemd_remove_user(name);
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
    remove_in("/opt", name);
    remove_in("/run", name);
    if (!installation->had_env) {
        cleanup_free char *dir = xasprintf("/etc/%s", name);

        remove_in(dir, "env");
        (void)rmdir(dir);
    }
    if (!installation->had_state)
        remove_state(name);
}

static bool carry_out(struct installation *installation, struct candidate *candidate,
                      struct err *err)
{
    const struct release *release = NULL;

    return make_places(err) &&
           releases_add(&installation->releases, &installation->file, &release, err) &&
           settings_save(&installation->settings, installation->releases.dir, err) &&
           envfile_install(&installation->service->app, installation->options->env_file, err) &&
           candidate_open(candidate, &installation->releases, release, &installation->settings,
                          err) &&
           make_user(candidate, err) && fill_state(installation, candidate, err) &&
           candidate_serve(candidate, NULL, installation->options->is_new, err) &&
           begin_backups(installation, err) &&
           trust_pin(installation->service->app.name, &installation->file, err);
}

static bool install(struct installation *installation, struct err *err)
{
    const struct app *app = &installation->service->app;
    cleanup_free char *state = state_dir(app);
    cleanup_free char *env = xasprintf("/etc/%s/env", app->name);
    struct candidate candidate = {0};
    bool ok;

    installation->had_state = access(state, F_OK) == 0;
    installation->had_env = access(env, F_OK) == 0;
    ok = carry_out(installation, &candidate, err);
    if (!ok) {
        undo(installation, &candidate);
        return false;
    }
    printf("installed  %s, release %s\nlistens    %s\nstate      %s\n", app->name, candidate.id,
           installation->settings.listen, state);
    candidate_release(&candidate);
    return fflush(stdout) == 0 || err_sys(err, "standard output");
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
    ok = ok && service_begin(service, &lock, err) &&
         releases_open(&installation.releases, service->app.name, err) &&
         check_installed(&installation, err) && check_places(&service->app, err) &&
         check_units(&installation, err) && envfile_check(&service->app, options->env_file, err) &&
         (options->restore == NULL ||
          snapshot_open(&installation.snapshot, options->restore, err)) &&
         check_state(&installation, err) && install(&installation, err);
    release(&installation);
    return ok;
}

bool service_uninstall(const struct service *service, const struct options *options,
                       struct err *err)
{
    const char *name = service->app.name;
    cleanup_free char *etc = xasprintf("/etc/%s", name);
    cleanup_free char *backups = xasprintf("/var/backups/%s", name);
    cleanup_fd int lock = -1;
    struct releases releases = {0};
    struct settings settings = {0};
    struct candidate candidate = {0};
    bool ok = service_begin(service, &lock, err) && releases_open(&releases, name, err);

    if (ok && releases_current(&releases) == NULL) {
        ok = err_set(err, ERR_INPUT, "'%s' is not installed", name);
        (void)err_id(err, "E-NOSERVICE");
    }
    ok = ok && settings_load(&settings, releases.dir, err) &&
         candidate_open(&candidate, &releases, releases_current(&releases), &settings, err);
    if (ok) {
        candidate_disable(&candidate);
        candidate_unmount(&candidate);
        plan_remove(&candidate.plan);
        ok = systemd_do("daemon-reload", NULL, err);
        candidate_release(&candidate);
        remove_in("/opt", name);
        remove_in("/run", name);
        if (options->purge) {
            remove_state(name);
            remove_in(etc, "env");
            remove_in(etc, "trust");
            (void)rmdir(etc);
        }
        printf("removed    %s\n", name);
        if (!options->purge)
            printf("kept       /var/lib/%s, /etc/%s\n", name, name);
        if (access(backups, F_OK) == 0)
            printf("kept       /var/backups/%s, and user %s\n", name, name);
    }
    settings_release(&settings);
    releases_release(&releases);
    return ok;
}
