/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <time.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/text.h"
#include "common/xalloc.h"
#include "runtime/service/bundlefile.h"
#include "runtime/service/candidate.h"
#include "runtime/service/envfile.h"
#include "runtime/service/options.h"
#include "runtime/service/releases.h"
#include "runtime/service/service.h"
#include "runtime/service/settings.h"
#include "runtime/service/snapshot.h"
#include "runtime/service/trust.h"

/* What serves, and what shall. */
struct change {
    const struct service *service;
    const struct options *options;
    struct settings settings;     /* of what serves */
    struct settings new_settings; /* of what shall */
    struct releases releases;
    struct candidate before;
    struct candidate after;
};

static void release(struct change *change)
{
    if (change->before.releases != NULL)
        candidate_release(&change->before);
    if (change->after.releases != NULL)
        candidate_release(&change->after);
    releases_release(&change->releases);
    settings_release(&change->settings);
    settings_release(&change->new_settings);
}

/* The options that are given, and what was chosen before. */
static char *chosen(const char *option, const char *before)
{
    const char *value = option != NULL ? option : before;

    return value != NULL ? xstrdup(value) : NULL;
}

static bool open_before(struct change *change, struct err *err)
{
    const struct options *options = change->options;
    const struct settings *settings = &change->settings;
    const struct release *current;

    if (!releases_open(&change->releases, change->service->app.name, err))
        return false;
    current = releases_current(&change->releases);
    if (current == NULL) {
        (void)err_set(err, ERR_INPUT, "'%s' is not installed", change->service->app.name);
        (void)err_id(err, "E-NOSERVICE");
        return err_hint(err, "FILE service install");
    }
    if (!settings_load(&change->settings, change->releases.dir, err))
        return false;
    change->new_settings = (struct settings){
        .listen = chosen(options->listen, settings->listen),
        .backup = chosen(options->backup, settings->backup),
        .push = chosen(options->push, settings->push),
        .keep = options->keep > 0 ? options->keep : settings->keep,
    };
    return settings_check(&change->new_settings, err) &&
           candidate_open(&change->before, &change->releases, current, &change->settings, err);
}

static bool has_choice(const struct options *options)
{
    return options->listen != NULL || options->backup != NULL || options->push != NULL ||
           options->keep > 0;
}

static char *snapshot_path(const struct change *change, unsigned int number)
{
    return xasprintf("/var/backups/%s/before-%u.tar.zst", change->releases.name, number);
}

static void forget_snapshot(const struct change *change, unsigned int number)
{
    cleanup_free char *path = snapshot_path(change, number);

    (void)unlink(path);
}

/* By the release that serves, which knows its state. An app that wrote nothing yet has none. */
static bool take_snapshot(const struct change *change, struct err *err)
{
    cleanup_free char *data = xasprintf("/var/lib/%s/data", change->releases.name);
    cleanup_free char *path = snapshot_path(change, change->after.number);
    cleanup_free char *words = xasprintf("backup --emptier -o %s", path);

    if (!change->before.app.is_kept || access(data, F_OK) != 0)
        return true;
    (void)unlink(path);
    return candidate_run(&change->before, "snapshot", words, false, "E-SNAPSHOT", err);
}

/* Keeps the newest few, and the one that serves. */
static void prune(struct change *change)
{
    size_t i = 0;

    while (change->releases.count > RELEASES_KEPT && i < change->releases.count) {
        const struct release *release = &change->releases.items[i];
        struct err ignored = {0};

        if (release == releases_current(&change->releases)) {
            i++;
            continue;
        }
        forget_snapshot(change, release->number);
        if (!releases_remove(&change->releases, release, &ignored))
            i++;
    }
}

/* A release command may have changed the state though it, or what came after it, failed. */
static void keep_snapshot(const struct change *change, struct err *err)
{
    cleanup_free char *path = snapshot_path(change, change->after.number);
    cleanup_free char *kept = xasprintf("/var/backups/%s/before-failed-%lld.tar.zst",
                                        change->releases.name, (long long)time(NULL));

    if (change->after.app.release != NULL &&
        (strcmp(err->id, "E-HEALTH") == 0 || strcmp(err->id, "E-RELEASE") == 0) &&
        rename(path, kept) == 0) {
        err->hint[0] = '\0';
        (void)err_hint(err, "release %u serves; the state from before the release command: '%s'",
                       change->before.number, kept);
    }
}

/* What was copied and does not serve is not kept. */
static void drop(struct change *change, unsigned int number)
{
    const struct release *release = releases_find(&change->releases, number);
    struct err ignored = {0};

    if (change->after.releases != NULL)
        candidate_unmount(&change->after);
    if (release != NULL)
        (void)releases_remove(&change->releases, release, &ignored);
    forget_snapshot(change, number);
}

static bool go(struct change *change, struct err *err)
{
    return candidate_check_units(&change->after.plan, err) &&
           envfile_check(&change->after.app, NULL, err) && take_snapshot(change, err) &&
           (change->after.app.release == NULL ||
            candidate_run(&change->after, "release", "run release", false, "E-RELEASE", err)) &&
           settings_save(&change->new_settings, change->releases.dir, err) &&
           candidate_serve(&change->after, &change->before, false, err);
}

static bool upgrade_to(struct change *change, const struct bundlefile *file, struct err *err)
{
    const struct release *release = NULL;
    struct err ignored = {0};
    unsigned int number;

    if (!releases_add(&change->releases, file, &release, err))
        return false;
    number = release->number;
    if (!candidate_open(&change->after, &change->releases, release, &change->new_settings, err)) {
        change->after = (struct candidate){0};
        drop(change, number);
        return false;
    }
    if (!go(change, err)) {
        (void)settings_save(&change->settings, change->releases.dir, &ignored);
        (void)err_hint(err, "release %u serves on, nothing was switched", change->before.number);
        keep_snapshot(change, err);
        drop(change, number);
        return false;
    }
    if (!trust_pin(change->releases.name, file, err))
        return false;
    prune(change);
    printf("upgraded   %s, release %s (before: %s)\n", change->releases.name, change->after.id,
           change->before.id);
    return true;
}

/* Other options for the same release: its units are written and started again. */
static bool choose_again(struct change *change, struct err *err)
{
    const struct release *current = releases_current(&change->releases);

    if (!has_choice(change->options)) {
        printf("unchanged  %s, release %s\n", change->releases.name, change->before.id);
        return true;
    }
    if (!candidate_open(&change->after, &change->releases, current, &change->new_settings, err)) {
        change->after = (struct candidate){0};
        return false;
    }
    if (!settings_save(&change->new_settings, change->releases.dir, err))
        return false;
    if (!candidate_serve(&change->after, &change->before, false, err)) {
        struct err ignored = {0};

        (void)settings_save(&change->settings, change->releases.dir, &ignored);
        return false;
    }
    printf("changed    %s, release %s\n", change->releases.name, change->before.id);
    return true;
}

static bool check_name(const struct service *service, const struct bundlefile *file,
                       const char *path, struct err *err)
{
    if (strcmp(file->header.name, service->app.name) == 0)
        return true;
    (void)err_set(err, ERR_INPUT, "'%s' is the application '%.63s', not '%s'", path,
                  file->header.name, service->app.name);
    (void)err_id(err, "E-NAME");
    return err_hint(err, "install it as a service of its own: ./FILE service install");
}

static bool upgrade(struct change *change, struct err *err)
{
    const struct service *service = change->service;
    const char *given = change->options->file;
    const char *path = given != NULL ? given : service->file;
    const struct release *current;
    struct bundlefile file;
    bool ok;

    if (path == NULL) {
        (void)err_set(err, ERR_USAGE, "upgrade: to which file?");
        return err_hint(err, "FILE service upgrade NEW-FILE");
    }
    if (!open_before(change, err) ||
        !bundlefile_open_own(&file, path, given != NULL ? NULL : service->identity, err))
        return false;
    current = releases_current(&change->releases);
    if (!check_name(change->service, &file, path, err))
        ok = false;
    else if (strncmp(strchr(current->id, '-') + 1, file.hash, 12) == 0)
        ok = bundlefile_verify(&file, err) && choose_again(change, err);
    else
        ok = upgrade_to(change, &file, err);
    bundlefile_release(&file);
    return ok;
}

bool service_upgrade(const struct service *service, const struct options *options, struct err *err)
{
    struct change change = {.service = service, .options = options};
    cleanup_fd int lock = -1;
    bool ok = service_begin(service, &lock, err) && upgrade(&change, err);

    release(&change);
    return ok && (fflush(stdout) == 0 || err_sys(err, "standard output"));
}

static const struct release *target_of(const struct change *change, struct err *err)
{
    unsigned int number = change->options->number;
    const struct release *target =
        number > 0 ? releases_find(&change->releases, number) : releases_before(&change->releases);

    if (target != NULL && target != releases_current(&change->releases))
        return target;
    if (target != NULL)
        (void)err_set(err, ERR_INPUT, "release %u is the one that serves", number);
    else if (number > 0)
        (void)err_set(err, ERR_INPUT, "there is no release %u", number);
    else
        (void)err_set(err, ERR_INPUT, "there is no release before this one");
    (void)err_id(err, "E-RELEASE");
    (void)err_hint(err, "see which there are: FILE service status");
    return NULL;
}

/* The snapshot made before the first release after it. */
static char *find_snapshot(const struct change *change, const struct release *target,
                           struct err *err)
{
    for (size_t i = 0; i < change->releases.count; i++) {
        cleanup_free char *path = snapshot_path(change, change->releases.items[i].number);

        if (change->releases.items[i].number > target->number && access(path, F_OK) == 0)
            return steal_ptr(&path);
    }
    (void)err_set(err, ERR_INPUT, "there is no snapshot of the time of release %u", target->number);
    (void)err_id(err, "E-SNAPSHOT");
    (void)err_hint(err, "see those of the backups: ls /var/backups/%s", change->releases.name);
    return NULL;
}

/* The keeper of a release knows the state of that release. */
static bool restore_state(const struct change *change, const struct candidate *keeper,
                          const char *path, struct err *err)
{
    struct snapshot snapshot;
    bool ok;

    if (!snapshot_open(&snapshot, path, err))
        return false;
    candidate_stop(&change->before);
    ok = candidate_restore(keeper, &snapshot, err);
    snapshot_release(&snapshot);
    return ok;
}

/* The newest migration that the release knows: of names like db/migrate/20261128120000_x.rb. On the
 * heap; NULL: it has none. */
static char *newest_migration(const struct change *change, const struct release *release)
{
    cleanup_free char *image = releases_path(&change->releases, release, "image");
    cleanup_free char *pattern = xasprintf("%s/app/db/*migrate/[0-9]*_*.rb", image);
    unsigned long long newest = 0;
    glob_t files;

    if (glob(pattern, GLOB_NOSORT, NULL, &files) != 0)
        return NULL;
    for (size_t i = 0; i < files.gl_pathc; i++) {
        unsigned long long version = strtoull(text_base_name(files.gl_pathv[i]), NULL, 10);

        newest = version > newest ? version : newest;
    }
    globfree(&files);
    return xasprintf("%llu", newest);
}

/* No release command is run on the way back: a release may not know what its database has become.
 * The snapshot in which that is seen is kept: of the state that is gone on with. */
static bool check_schema(const struct change *change, const struct release *target, struct err *err)
{
    cleanup_free char *version = newest_migration(change, target);
    cleanup_free char *path =
        xasprintf("/var/backups/%s/before-rollback.tar.zst", change->releases.name);
    cleanup_free char *words =
        xasprintf("backup --emptier --schema %s -o %s", version != NULL ? version : "", path);

    if (version == NULL || !change->before.app.is_kept)
        return true;
    (void)unlink(path);
    if (candidate_run(&change->before, "snapshot", words, false, "E-SNAPSHOT", err))
        return true;
    if (err->kind != ERR_CHECK)
        return false;
    (void)err_set(err, ERR_INPUT,
                  "the database is ahead of release %u, which knows migrations to %s",
                  target->number, version);
    (void)err_id(err, "E-SCHEMA");
    return err_hint(err, "back with its state: FILE service rollback %u --with-state",
                    target->number);
}

static bool rollback(struct change *change, struct err *err)
{
    const struct release *target;
    cleanup_free char *snapshot = NULL;
    bool ok = true;

    if (!open_before(change, err))
        return false;
    target = target_of(change, err);
    if (target == NULL)
        return false;
    if (change->options->with_state && (snapshot = find_snapshot(change, target, err)) == NULL)
        return false;
    if (!candidate_open(&change->after, &change->releases, target, &change->settings, err)) {
        change->after = (struct candidate){0};
        return false;
    }
    if (snapshot == NULL && !check_schema(change, target, err)) {
        candidate_unmount(&change->after);
        return false;
    }
    if (snapshot != NULL && !restore_state(change, &change->after, snapshot, err)) {
        struct err ignored = {0};

        (void)candidate_serve(&change->before, NULL, false, &ignored);
        ok = false;
    }
    if (!ok || !candidate_serve(&change->after, &change->before, false, err)) {
        candidate_unmount(&change->after);
        return false;
    }
    printf("rolled back %s, release %s (before: %s)\n", change->releases.name, change->after.id,
           change->before.id);
    if (snapshot != NULL)
        printf("state      of %s\n", snapshot);
    return true;
}

bool service_rollback(const struct service *service, const struct options *options, struct err *err)
{
    struct change change = {.service = service, .options = options};
    cleanup_fd int lock = -1;
    bool ok = service_begin(service, &lock, err) && rollback(&change, err);

    release(&change);
    return ok && (fflush(stdout) == 0 || err_sys(err, "standard output"));
}

static bool restore(struct change *change, struct err *err)
{
    struct err ignored = {0};

    if (!open_before(change, err))
        return false;
    if (!change->before.app.is_kept) {
        (void)err_set(err, ERR_INPUT, "this application has no state that could be restored");
        return err_id(err, "E-STATE");
    }
    if (!restore_state(change, &change->before, change->options->file, err)) {
        (void)candidate_serve(&change->before, NULL, false, &ignored);
        return err_hint(err, "nothing was replaced; release %u serves on", change->before.number);
    }
    if (!candidate_serve(&change->before, NULL, false, err))
        return err_hint(err, "the state of before is kept: ls /var/lib/%s", change->releases.name);
    printf("restored   %s, release %s\n", change->releases.name, change->before.id);
    return true;
}

bool service_restore(const struct service *service, const struct options *options, struct err *err)
{
    struct change change = {.service = service, .options = options};
    cleanup_fd int lock = -1;
    bool ok = service_begin(service, &lock, err) && restore(&change, err);

    release(&change);
    return ok && (fflush(stdout) == 0 || err_sys(err, "standard output"));
}
