/* SPDX-License-Identifier: MIT */
#include "runtime/service/candidate.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/fs.h"
#include "common/text.h"
#include "common/xalloc.h"
#include "runtime/service/bundlefile.h"
#include "runtime/service/health.h"
#include "runtime/service/releases.h"
#include "runtime/service/settings.h"
#include "runtime/service/snapshot.h"
#include "runtime/service/systemd.h"

enum {
    PIECE_BYTES = 256 << 10,
    HEALTH_MS = 60000,
    SETTLE_MS = 2500,
    WORDS_MAX = 128,
    RESTARTS_MAX = 3,
    EXIT_CHECK = 3
};

static const struct release *release_of(const struct candidate *candidate)
{
    return releases_find(candidate->releases, candidate->number);
}

/* A unit whose image is mounted is left alone: processes run from it. */
static bool mount_image(struct candidate *candidate, struct err *err)
{
    cleanup_free char *state = systemd_state(candidate->mount_unit);
    struct plan plan;
    bool ok;

    if (strcmp(state, "active") == 0)
        return true;
    candidate->is_mounted_here = true;
    plan_init(&plan, candidate->releases->name);
    units_plan_mount(&candidate->units, &plan);
    ok = plan_write(&plan, err) && systemd_do("daemon-reload", NULL, err) &&
         systemd_do("start", candidate->mount_unit, err);
    plan_release(&plan);
    return ok;
}

/* The file in /opt is root's and was verified when it came there. */
static bool measure(struct candidate *candidate, struct err *err)
{
    cleanup_free char *path = releases_path(candidate->releases, release_of(candidate), NULL);
    struct bundlefile file;

    if (!bundlefile_open(&file, path, err))
        return false;
    candidate->units.offset = file.header.image_offset;
    candidate->units.size = file.header.image_size;
    bundlefile_release(&file);
    return true;
}

static bool read_app(struct candidate *candidate, struct err *err)
{
    cleanup_free char *image = releases_path(candidate->releases, release_of(candidate), "image");

    if (!app_open(&candidate->app, image, err))
        return false;
    if (strcmp(candidate->app.name, candidate->releases->name) == 0)
        return true;
    (void)err_set(err, ERR_INPUT, "the bundle is of '%s', not of '%s'", candidate->app.name,
                  candidate->releases->name);
    (void)err_id(err, "E-NAME");
    return err_hint(err, "install it as a service of its own: FILE service install");
}

bool candidate_open(struct candidate *ret, struct releases *releases, const struct release *release,
                    const struct settings *settings, struct err *err)
{
    struct candidate *candidate = ret;
    cleanup_free char *image = releases_path(releases, release, "image");

    *candidate = (struct candidate){.releases = releases, .settings = settings};
    candidate->number = release->number;
    candidate->id = xstrdup(release->id);
    candidate->mount_unit = systemd_mount_unit(image);
    candidate->app.name = releases->name;
    candidate->units = (struct units){&candidate->app, settings, candidate->id, 0, 0};
    plan_init(&candidate->plan, releases->name);
    if (measure(candidate, err) && mount_image(candidate, err) && read_app(candidate, err)) {
        units_plan(&candidate->units, &candidate->plan);
        return true;
    }
    if (candidate->is_mounted_here && release != releases_current(releases))
        candidate_unmount(candidate);
    candidate_release(candidate);
    return false;
}

void candidate_release(struct candidate *candidate)
{
    plan_release(&candidate->plan);
    app_release(&candidate->app);
    free(candidate->mount_unit);
    free(candidate->id);
    *candidate = (struct candidate){0};
}

void candidate_unmount(const struct candidate *candidate)
{
    struct err ignored = {0};
    struct plan plan;

    if (!systemd_do("stop", candidate->mount_unit, &ignored))
        return; /* in use: what could unmount it later is the unit */
    plan_init(&plan, candidate->releases->name);
    units_plan_mount(&candidate->units, &plan);
    plan_remove(&plan);
    plan_release(&plan);
    (void)systemd_do("daemon-reload", NULL, &ignored);
}

static bool run_once(const struct candidate *candidate, const char *what, const char *words,
                     const char *input, bool is_new, const char *id, struct err *err)
{
    cleanup_free char *unit = xasprintf("%s-%s.service", candidate->releases->name, what);
    struct err ignored = {0};
    struct plan plan;
    bool ok;

    plan_init(&plan, candidate->releases->name);
    units_plan_once(&candidate->units, what, words, input, is_new, &plan);
    ok = fs_mkdir_p(UNITS_PASSING_DIR, 0755, err) && plan_write(&plan, err) &&
         systemd_do("daemon-reload", NULL, err);
    if (ok && !systemd_do("start", unit, err)) {
        char said[sizeof(err->id)] = "";

        systemd_show_log(unit, said, sizeof(said));
        *err = (struct err){0};
        (void)err_set(err, systemd_exit_code(unit) == EXIT_CHECK ? ERR_CHECK : ERR_INPUT,
                      "'%s' of release %u failed: its last words are above", words,
                      candidate->number);
        if (id == NULL)
            id = said[0] != '\0' ? said : "E-SNAPSHOT";
        ok = err_id(err, id);
    }
    (void)systemd_do("reset-failed", unit, &ignored);
    plan_remove(&plan);
    plan_release(&plan);
    return ok;
}

bool candidate_run(const struct candidate *candidate, const char *what, const char *words,
                   bool is_new, const char *id, struct err *err)
{
    return run_once(candidate, what, words, NULL, is_new, id, err);
}

/* Of the child: what it writes nobody but the restore can read. It has the lock's descriptor, so it
 * ends with its parent. */
[[gnu::noreturn]] static void feed(const char *fifo, int fd, uint64_t offset, uint64_t size,
                                   pid_t parent)
{
    char *piece = malloc(PIECE_BYTES);
    struct err err = {0};
    int to;

    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
        _exit(1);
    to = open(fifo, O_WRONLY | O_CLOEXEC);

    while (to >= 0 && piece != NULL && size > 0) {
        ssize_t length =
            pread(fd, piece, size < PIECE_BYTES ? (size_t)size : PIECE_BYTES, (off_t)offset);

        if (length < 0 && errno == EINTR)
            continue;
        if (length <= 0 || !fs_write_all(to, piece, (size_t)length, &err))
            break;
        offset += (uint64_t)length;
        size -= (uint64_t)length;
    }
    _exit(size == 0 ? 0 : 1);
}

bool candidate_restore(const struct candidate *candidate, const struct snapshot *snapshot,
                       const char *words, struct err *err)
{
    cleanup_free char *fifo = xasprintf("/run/rucksack-%s.snapshot", candidate->releases->name);
    int status = 0;
    pid_t parent = getpid();
    pid_t pid;
    bool ok;

    (void)unlink(fifo);
    if (mkfifo(fifo, 0600) != 0)
        return err_sys(err, "'%s'", fifo);
    pid = fork();
    if (pid == 0)
        feed(fifo, snapshot->fd, snapshot->offset, snapshot->size, parent);
    ok = pid > 0 || err_sys(err, "fork");
    ok = ok && run_once(candidate, "restore", words, fifo, false, NULL, err);
    if (pid > 0) {
        kill(pid, SIGKILL); /* where nobody opened it */
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            continue;
    }
    (void)unlink(fifo);
    return ok;
}

/* systemctl with the verb and the units of all processes. */
static bool call_processes(const struct candidate *candidate, const char *verb, struct err *err)
{
    const char *words[WORDS_MAX] = {verb};
    char *units[WORDS_MAX] = {NULL};
    const char *process;
    size_t count = 0;
    bool ok;

    while (count < WORDS_MAX - 2 && (process = app_process(&candidate->app, count)) != NULL) {
        units[count] = units_process(&candidate->app, process);
        words[count + 1] = units[count];
        count++;
    }
    ok = systemd_call(words, err);
    for (size_t i = 0; i < count; i++)
        free(units[i]);
    return ok;
}

bool candidate_check_units(const struct plan *plan, struct err *err)
{
    if (!plan_check(plan, err))
        return false;
    for (size_t i = 0; i < plan->count; i++) {
        const char *path = plan->files[i].path;
        cleanup_free char *known = NULL;

        if (strncmp(path, UNITS_DIR "/", sizeof(UNITS_DIR)) != 0)
            continue;
        known = systemd_fragment(text_base_name(path));
        if (known[0] == '\0' || strcmp(known, path) == 0)
            continue;
        (void)err_set(err, ERR_INPUT, "there is a unit '%s', and not of this service", known);
        (void)err_id(err, "E-TAKEN");
        return err_hint(err, "build with another name: 'name:' in rucksack.yml");
    }
    return true;
}

static char *unit_named(const struct candidate *candidate, const char *suffix)
{
    return xasprintf("%s%s", candidate->releases->name, suffix);
}

/* What is enabled: it starts at boot. */
static bool boot_units(const struct candidate *candidate, const char *verb, const char *option,
                       struct err *err)
{
    cleanup_free char *target = unit_named(candidate, ".target");
    cleanup_free char *socket = unit_named(candidate, ".socket");
    cleanup_free char *timer = unit_named(candidate, "-backup.timer");
    const char *words[8] = {verb};
    size_t count = 1;

    if (option != NULL)
        words[count++] = option;
    words[count++] = target;
    if (units_has_socket(&candidate->app))
        words[count++] = socket;
    if (candidate->settings->backup != NULL)
        words[count++] = timer;
    return systemd_call(words, err);
}

static void show_failed(const struct candidate *candidate)
{
    cleanup_free char *socket = unit_named(candidate, ".socket");
    cleanup_free char *listening = systemd_state(socket);
    const char *process;

    if (units_has_socket(&candidate->app) && strcmp(listening, "active") != 0)
        systemd_show_events(socket);
    for (size_t i = 0; (process = app_process(&candidate->app, i)) != NULL; i++) {
        cleanup_free char *unit = units_process(&candidate->app, process);
        cleanup_free char *state = systemd_state(unit);

        if (strcmp(state, "active") != 0)
            systemd_show_log(unit, NULL, 0);
    }
}

static bool is_alive(void *context)
{
    cleanup_free char *state = systemd_state(context);

    return strcmp(state, "failed") != 0 && systemd_restarts(context) < RESTARTS_MAX;
}

static bool is_well(const char *unit, const char *process, struct err *err)
{
    cleanup_free char *state = systemd_state(unit);
    unsigned long restarts = systemd_restarts(unit);

    if (strcmp(state, "active") == 0 && restarts == 0)
        return true;
    systemd_show_log(unit, NULL, 0);
    if (restarts > 0)
        (void)err_set(err, ERR_INPUT, "process '%s' ended and was started again", process);
    else
        (void)err_set(err, ERR_INPUT, "process '%s' is %s", process, state);
    return err_id(err, "E-HEALTH");
}

static bool check_processes(const struct candidate *candidate, struct err *err)
{
    const char *process;

    for (size_t i = 0; (process = app_process(&candidate->app, i)) != NULL; i++) {
        cleanup_free char *unit = units_process(&candidate->app, process);

        if (!is_well(unit, process, err))
            return false;
    }
    return true;
}

static bool check_once(const struct candidate *candidate, struct err *err)
{
    const struct app *app = &candidate->app;
    const char *web = app_web(app);
    cleanup_free char *unit = web != NULL ? units_process(app, web) : NULL;

    if (unit == NULL)
        return check_processes(candidate, err);
    if (!health_wait(candidate->settings->listen, app->health, HEALTH_MS, is_alive, unit, err)) {
        systemd_show_log(unit, NULL, 0);
        return false;
    }
    return check_processes(candidate, err);
}

/* Twice: what dies soon after its start has answered, too. */
static bool check_health(const struct candidate *candidate, struct err *err)
{
    if (!check_once(candidate, err))
        return false;
    (void)poll(NULL, 0, SETTLE_MS);
    return check_once(candidate, err);
}

/* A directory for each drop-in, and again none. */
static bool prepare_new(const struct candidate *candidate, struct plan *plan, struct err *err)
{
    units_plan_new(&candidate->units, plan);
    for (size_t i = 0; i < plan->count; i++) {
        cleanup_free char *dir = xstrdup(plan->files[i].path);

        *strrchr(dir, '/') = '\0';
        if (!fs_mkdir_p(dir, 0755, err))
            return false;
    }
    return plan_write(plan, err);
}

static void forget_new(struct plan *plan)
{
    struct err ignored = {0};

    plan_remove(plan);
    for (size_t i = 0; i < plan->count; i++) {
        *strrchr(plan->files[i].path, '/') = '\0';
        (void)rmdir(plan->files[i].path);
    }
    if (plan->count > 0)
        (void)systemd_do("daemon-reload", NULL, &ignored);
}

static bool has_path(const struct plan *plan, const char *path)
{
    for (size_t i = 0; i < plan->count; i++)
        if (strcmp(plan->files[i].path, path) == 0)
            return true;
    return false;
}

/* A backup that runs keeps the image mounted that it began with: it begins again from the new one.
 */
static void move_backup(const struct candidate *others, const struct candidate *these)
{
    cleanup_free char *backup = unit_named(these, "-backup.service");
    cleanup_free char *state = systemd_state(backup);
    const char *const words[] = {"start", "--no-block", backup, NULL};
    struct err ignored = {0};

    if (others->number == these->number || strcmp(state, "activating") != 0)
        return;
    (void)systemd_do("stop", backup, &ignored);
    if (these->settings->backup != NULL)
        (void)systemd_call(words, &ignored);
}

/* What others than these had, and does not belong to these. */
static void retire(const struct candidate *others, const struct candidate *these)
{
    struct err ignored = {0};
    bool is_in_use = false;

    move_backup(others, these);
    for (size_t i = 0; i < others->plan.count; i++) {
        const char *path = others->plan.files[i].path;
        const char *unit = text_base_name(path);
        const char *const words[] = {"disable", "--now", unit, NULL};

        if (strstr(path, UNITS_DIR "/") == path && strcmp(unit, others->mount_unit) != 0 &&
            !has_path(&these->plan, path) && plan_owns(&others->plan, path))
            (void)systemd_call(words, &ignored);
    }
    if (others->number != these->number)
        is_in_use = !systemd_do("stop", others->mount_unit, &ignored);
    for (size_t i = 0; i < others->plan.count; i++) {
        const char *path = others->plan.files[i].path;

        if (!has_path(&these->plan, path) && plan_owns(&others->plan, path) &&
            !(is_in_use && strcmp(text_base_name(path), others->mount_unit) == 0))
            (void)unlink(path);
    }
    (void)systemd_do("daemon-reload", NULL, &ignored);
}

static bool start(const struct candidate *candidate, struct err *err)
{
    cleanup_free char *socket = unit_named(candidate, ".socket");
    struct err ignored = {0};

    (void)call_processes(candidate, "reset-failed", &ignored);
    return systemd_do("daemon-reload", NULL, err) && boot_units(candidate, "enable", NULL, err) &&
           (!units_has_socket(&candidate->app) || systemd_do("start", socket, err)) &&
           call_processes(candidate, "restart", err) && boot_units(candidate, "start", NULL, err);
}

static bool take_over(const struct candidate *candidate, bool is_new, struct err *err)
{
    struct plan passing;
    bool ok;

    plan_init(&passing, candidate->releases->name);
    ok = plan_write(&candidate->plan, err) && (!is_new || prepare_new(candidate, &passing, err)) &&
         releases_switch(candidate->releases, release_of(candidate), err);
    if (ok && !start(candidate, err)) {
        struct err why = *err;

        show_failed(candidate);
        *err = (struct err){0};
        (void)err_set(err, ERR_INPUT, "release %u does not start, its last words are above: %s",
                      candidate->number, why.msg);
        ok = err_id(err, "E-HEALTH");
    }
    ok = ok && check_health(candidate, err);
    forget_new(&passing);
    plan_release(&passing);
    return ok;
}

/* A socket unit that is changed while it listens loses its sockets; and one of both, unit or
 * server, has the address. */
static void leave_address(const struct candidate *from, const struct candidate *to)
{
    if (strcmp(from->settings->listen, to->settings->listen) != 0 ||
        units_has_socket(&from->app) != units_has_socket(&to->app))
        candidate_stop(from);
}

bool candidate_serve(const struct candidate *candidate, const struct candidate *before, bool is_new,
                     const struct candidate_way *back, struct err *err)
{
    struct err again = {0};

    if (before != NULL)
        leave_address(before, candidate);
    if (take_over(candidate, is_new, err)) {
        if (before != NULL)
            retire(before, candidate);
        return true;
    }
    if (before == NULL)
        return false;
    leave_address(candidate, before);
    if (back != NULL) {
        candidate_stop(candidate);
        back->take(back->context);
    }
    if (take_over(before, false, &again)) {
        retire(candidate, before);
        return err_hint(err, "release %u serves again; see more: FILE service logs -n 100",
                        before->number);
    }
    (void)err_hint(err, "release %u does not serve either: %.300s", before->number, again.msg);
    return false;
}

/* Only what is ours: a name of the plan may have become somebody else's. In one call: a socket
 * alone would start its service again. */
static void stop_own(const struct candidate *candidate, const char *verb, const char *option)
{
    const char *words[WORDS_MAX] = {verb};
    size_t count = 1;
    struct err ignored = {0};

    if (option != NULL)
        words[count++] = option;
    for (size_t i = 0; i < candidate->plan.count && count < WORDS_MAX - 1; i++) {
        const char *path = candidate->plan.files[i].path;
        const char *unit = text_base_name(path);

        if (strncmp(path, UNITS_DIR "/", sizeof(UNITS_DIR)) == 0 &&
            strcmp(unit, candidate->mount_unit) != 0 && plan_owns(&candidate->plan, path))
            words[count++] = unit;
    }
    if (count > (option != NULL ? 2U : 1U))
        (void)systemd_call(words, &ignored);
}

void candidate_stop(const struct candidate *candidate)
{
    stop_own(candidate, "stop", NULL);
}

void candidate_disable(const struct candidate *candidate)
{
    struct err ignored = {0};

    stop_own(candidate, "disable", "--now");
    (void)call_processes(candidate, "reset-failed", &ignored);
}
