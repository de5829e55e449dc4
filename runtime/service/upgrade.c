/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/fs.h"
#include "common/xalloc.h"
#include "runtime/service/bundlefile.h"
#include "runtime/service/candidate.h"
#include "runtime/service/envfile.h"
#include "runtime/service/options.h"
#include "runtime/service/recovery.h"
#include "runtime/service/releases.h"
#include "runtime/service/service.h"
#include "runtime/service/settings.h"
#include "runtime/service/snapshot.h"
#include "runtime/service/systemd.h"
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
    bool release_was_started; /* its command: the state may be another since */
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
    if (options->backup != NULL && !systemd_is_calendar(options->backup))
        return settings_refuse_calendar(options->backup, err);
    return settings_check(&change->new_settings, err) &&
           candidate_open(&change->before, &change->releases, current, &change->settings, err);
}

static bool has_choice(const struct options *options)
{
    return options->listen != NULL || options->backup != NULL || options->push != NULL ||
           options->keep > 0;
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
        recovery_forget(change->releases.name, release->number);
        if (!releases_remove(&change->releases, release, &ignored))
            i++;
    }
}

/* A release command may have changed the state though it, or what came after it, failed. */
static void keep_snapshot(const struct change *change, struct err *err)
{
    cleanup_free char *kept = NULL;
    cleanup_free char *hint = NULL;

    if (!change->release_was_started)
        return;
    kept = recovery_keep(&change->before, change->after.number);
    if (kept == NULL)
        return;
    hint = xasprintf("%s%sthe state from before the release command: '%s'", err->hint,
                     err->hint[0] != '\0' ? "; " : "", kept);
    err->hint[0] = '\0';
    (void)err_hint(err, "%s", hint);
}

static bool check_kept(const struct change *change, const struct candidate *candidate,
                       struct err *err)
{
    if (change->new_settings.backup == NULL || candidate->app.is_kept)
        return true;
    (void)err_set(err, ERR_INPUT, "this application has no state: there is nothing to back up");
    (void)err_id(err, "E-STATE");
    return err_hint(err, "leave out --backup");
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
    recovery_forget(change->releases.name, number);
}

static bool run_release(struct change *change, struct err *err)
{
    if (change->after.app.release == NULL)
        return true;
    change->release_was_started = true;
    return candidate_run(&change->after, "release", "run release", false, "E-RELEASE", err);
}

static bool go(struct change *change, struct err *err)
{
    if (!candidate_check_units(&change->after.plan, err) ||
        !check_kept(change, &change->after, err) || !envfile_check(&change->after.app, NULL, err) ||
        !recovery_take(&change->before, change->after.number, err) || !run_release(change, err) ||
        !settings_save(&change->new_settings, change->releases.dir, err))
        return err_hint(err, "release %u serves on, nothing was switched", change->before.number);
    return candidate_serve(&change->after, &change->before, false, NULL, err);
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
    if (!candidate_check_units(&change->after.plan, err) ||
        !check_kept(change, &change->after, err) ||
        !settings_save(&change->new_settings, change->releases.dir, err))
        return false;
    if (!candidate_serve(&change->after, &change->before, false, NULL, err)) {
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

/* All of what was built, and whose it is: a signature that was put on it later makes it another. */
static bool is_current(const struct change *change, const struct bundlefile *file)
{
    cleanup_free char *path =
        releases_path(&change->releases, releases_current(&change->releases), NULL);
    struct bundlefile current;
    struct err ignored = {0};
    bool is_same;

    if (!bundlefile_open(&current, path, &ignored))
        return false;
    is_same = memcmp(current.header.image_hash, file->header.image_hash,
                     sizeof(file->header.image_hash)) == 0 &&
              memcmp(current.header.stub_hash, file->header.stub_hash,
                     sizeof(file->header.stub_hash)) == 0 &&
              memcmp(&current.header.signature, &file->header.signature,
                     sizeof(file->header.signature)) == 0;
    bundlefile_release(&current);
    return is_same;
}

static bool upgrade(struct change *change, struct err *err)
{
    const struct service *service = change->service;
    const char *given = change->options->file;
    const char *path = given != NULL ? given : service->file;
    struct bundlefile file;
    bool ok;

    if (path == NULL) {
        (void)err_set(err, ERR_USAGE, "upgrade: to which file?");
        return err_hint(err, "FILE service upgrade NEW-FILE");
    }
    if (!open_before(change, err) ||
        !bundlefile_open_own(&file, path, given != NULL ? NULL : service->identity, err))
        return false;
    if (!check_name(change->service, &file, path, err))
        ok = false;
    else if (is_current(change, &file))
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
    return ok && fs_flush(stdout, "standard output", err);
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

/* The keeper of a release knows the state of that release. */
static bool restore_state(const struct change *change, const struct candidate *keeper,
                          const char *path, struct err *err)
{
    cleanup_free char *words =
        xasprintf("restore -%s%s", change->options->replace ? " --replace" : "",
                  change->options->other_secrets ? " --other-secrets" : "");
    struct snapshot snapshot;
    bool ok;

    if (!snapshot_open(&snapshot, path, err))
        return false;
    candidate_stop(&change->before);
    ok = candidate_restore(keeper, &snapshot, words, err);
    snapshot_release(&snapshot);
    return ok;
}

/* The state that the release before knows, in case that it has to serve again. */
struct way_back {
    const char *name;
    char *kept; /* its directory; NULL: there was none */
};

static void take_way_back(void *context)
{
    const struct way_back *way = context;
    struct err err = {0};

    if (way->kept == NULL)
        return;
    if (!recovery_swap_back(way->name, way->kept, &err))
        fprintf(stderr, "warning: the state is that of the snapshot, not the one before: %s\n",
                err.msg);
}

static bool again(const struct change *change, struct err *err)
{
    struct err why = {0};

    if (candidate_serve(&change->before, NULL, false, NULL, &why))
        return err_hint(err, "nothing was replaced; release %u serves on", change->before.number);
    (void)err_hint(err, "nothing was replaced, but release %u does not serve: %.300s",
                   change->before.number, why.msg);
    return false;
}

static bool back_with_state(struct change *change, const char *snapshot, struct err *err)
{
    const char *name = change->releases.name;
    cleanup_free char *older = recovery_kept_state(name);
    struct way_back way = {.name = name};
    const struct candidate_way back = {take_way_back, &way};
    bool ok;

    if (!restore_state(change, &change->after, snapshot, err))
        return again(change, err);
    way.kept = recovery_kept_state(name);
    if (way.kept != NULL && older != NULL && strcmp(way.kept, older) == 0) {
        free(way.kept);
        way.kept = NULL;
    }
    ok = candidate_serve(&change->after, &change->before, false, &back, err);
    free(way.kept);
    return ok;
}

static bool go_back(struct change *change, struct err *err)
{
    const struct options *options = change->options;
    cleanup_free char *snapshot = NULL;

    if (!candidate_check_units(&change->after.plan, err))
        return false;
    if (!options->with_state) {
        return recovery_check_schema(&change->before, &change->after, options->force, err) &&
               candidate_serve(&change->after, &change->before, false, NULL, err);
    }
    snapshot = recovery_find(change->releases.name, change->after.number, err);
    if (snapshot == NULL || !back_with_state(change, snapshot, err))
        return false;
    printf("state      of %s\n", snapshot);
    return true;
}

static bool rollback(struct change *change, struct err *err)
{
    const struct release *target;

    if (!open_before(change, err))
        return false;
    target = target_of(change, err);
    if (target == NULL)
        return false;
    if (!candidate_open(&change->after, &change->releases, target, &change->settings, err)) {
        change->after = (struct candidate){0};
        return false;
    }
    if (!go_back(change, err)) {
        candidate_unmount(&change->after);
        return false;
    }
    printf("rolled back %s, release %s (before: %s)\n", change->releases.name, change->after.id,
           change->before.id);
    return true;
}

bool service_rollback(const struct service *service, const struct options *options, struct err *err)
{
    struct change change = {.service = service, .options = options};
    cleanup_fd int lock = -1;
    bool ok = service_begin(service, &lock, err) && rollback(&change, err);

    release(&change);
    return ok && fs_flush(stdout, "standard output", err);
}

static bool restore(struct change *change, struct err *err)
{
    if (!open_before(change, err))
        return false;
    if (!change->before.app.is_kept) {
        (void)err_set(err, ERR_INPUT, "this application has no state that could be restored");
        return err_id(err, "E-STATE");
    }
    if (!restore_state(change, &change->before, change->options->file, err))
        return again(change, err);
    if (!candidate_serve(&change->before, NULL, false, NULL, err))
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
    return ok && fs_flush(stdout, "standard output", err);
}
