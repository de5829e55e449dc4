/* SPDX-License-Identifier: MIT */
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bundle.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/statelock.h"
#include "common/stateswap.h"

enum { LINK_MAX_BYTES = 1 << 16, BOOT_ID_LEN = 36, NFTW_FDS = 16 };

/* dir/name without doubled slashes at the border; a relative dir starts at the first cwd. */
static char *join(const char *dir, const char *name)
{
    const char *start = getenv("OWD");
    char *path = NULL;
    int length;

    if (dir[0] == '/' || start == NULL || start[0] != '/')
        start = "";
    length = asprintf(&path, "%s%s%s%s%s", start, start[0] != '\0' ? "/" : "", dir,
                      name[0] != '\0' ? "/" : "", name);
    return length < 0 ? NULL : path;
}

/* NAME.state beside the file; for an unpacked image, where it was started. */
static char *default_dir(const char *app)
{
    const char *file = getenv("APPIMAGE");
    const char *slash = file != NULL ? strrchr(file, '/') : NULL;
    cleanup_free char *dir = slash != NULL ? strndup(file, (size_t)(slash - file)) : NULL;
    cleanup_free char *name = NULL;
    cleanup_free char *here = NULL;

    if (asprintf(&name, "%s.state", app) < 0)
        return NULL;
    if (dir == NULL) {
        here = getcwd(NULL, 0);
        return here != NULL ? join(here, name) : NULL;
    }
    return join(dir, name);
}

static char *state_dir(const char *app)
{
    const char *given = getenv("RUCKSACK_STATE");
    const char *service = getenv("STATE_DIRECTORY");

    if (given != NULL && given[0] != '\0')
        return join(given, "");
    if (service != NULL && service[0] == '/') {
        /* systemd separates several directories by colons; the first is ours. */
        cleanup_free char *first = strndup(service, strcspn(service, ":"));

        return first != NULL ? join(first, "") : NULL;
    }
    return default_dir(app);
}

static bool make_dir(const char *path, struct err *err)
{
    struct stat st;

    if (mkdir(path, 0700) == 0)
        return true;
    if (errno == EEXIST && stat(path, &st) == 0) {
        if (S_ISDIR(st.st_mode))
            return true;
        errno = ENOTDIR;
    }
    return err_sys(err, "'%s'", path);
}

static bool make_dirs(const struct bundle *bundle, const char *dir, struct err *err)
{
    for (size_t i = 0; i < bundle->count; i++) {
        const struct launchfile_record *record = &bundle->records[i];
        cleanup_free char *path = NULL;

        if (!launchfile_is(record, "state", 2))
            continue;
        path = join(dir, record->fields[2]);
        if (path == NULL)
            return err_sys(err, "'%s'", dir);
        for (char *at = path + strlen(dir) + 1; (at = strchr(at, '/')) != NULL; at++) {
            *at = '\0';
            if (!make_dir(path, err))
                return false;
            *at = '/';
        }
        if (!make_dir(path, err))
            return false;
        if (access(path, W_OK) != 0)
            return err_sys(err, "'%s'", path);
    }
    return true;
}

static bool points_to(const char *link, const char *target)
{
    cleanup_free char *now = calloc(LINK_MAX_BYTES, 1);

    return now != NULL && readlink(link, now, LINK_MAX_BYTES - 1) > 0 && strcmp(now, target) == 0;
}

/* Replaced by rename, so that a process that is starting beside us always finds a link. */
static bool make_link(const char *link, const char *target, struct err *err)
{
    cleanup_free char *fresh = NULL;

    if (points_to(link, target))
        return true;
    if (asprintf(&fresh, "%s.%ld", link, (long)getpid()) < 0)
        return err_sys(err, "'%s'", link);
    if (symlink(target, fresh) != 0)
        return err_sys(err, "'%s'", fresh);
    if (rename(fresh, link) == 0)
        return true;
    (void)err_sys(err, "'%s'", link);
    (void)unlink(fresh);
    return false;
}

/* The directory that systemd.exec(5) gives the service for a class of state; NULL: none. */
static char *given_dir(const char *class)
{
    static const struct {
        const char *class;
        const char *variable;
    } given[] = {
        {"cache", "CACHE_DIRECTORY"}, {"run", "RUNTIME_DIRECTORY"}, {"log", "LOGS_DIRECTORY"}};

    for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++) {
        const char *value = strcmp(given[i].class, class) == 0 ? getenv(given[i].variable) : NULL;

        if (value != NULL && value[0] == '/')
            return strndup(value, strcspn(value, ":"));
    }
    return NULL;
}

static bool has_class(const struct bundle *bundle, const char *class)
{
    return bundle_find(bundle, "state", class) != NULL;
}

/* One link leads there: the image knows only the state directory. systemd has made the directory;
 * in a container it is in its /tmp, and not there yet. */
static bool redirect_classes(const struct bundle *bundle, const char *dir, struct err *err)
{
    static const char *const classes[] = {"cache", "run", "log"};

    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
        cleanup_free char *given = given_dir(classes[i]);
        cleanup_free char *link = given != NULL ? join(dir, classes[i]) : NULL;

        if (given == NULL || !has_class(bundle, classes[i]))
            continue;
        if (link == NULL)
            return err_sys(err, "'%s'", dir);
        if (!make_dir(given, err) || !make_link(link, given, err))
            return false;
    }
    return true;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    return at->level > 0 ? remove(path) : 0;
}

static bool read_line(const char *path, char line[BOOT_ID_LEN + 1])
{
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    return fd >= 0 && read(fd, line, BOOT_ID_LEN) == BOOT_ID_LEN;
}

static bool write_line(const char *path, const char *line, struct err *err)
{
    cleanup_fd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

    return (fd >= 0 && write(fd, line, BOOT_ID_LEN) == BOOT_ID_LEN) || err_sys(err, "'%s'", path);
}

/*
 * What is `run` lasts for one boot: a pid that was written before it may now be anybody's
 * (random(4): boot_id). Without /proc nothing is known, and nothing is removed. A container that is
 * started again has the boot of before, but all of its processes are new, and so is its first one.
 */
static bool renew_run(const struct bundle *bundle, const char *dir, struct err *err)
{
    cleanup_free char *run = join(dir, "run/"); /* may be a link: what is behind it */
    cleanup_free char *mark = join(dir, "run/.boot");
    cleanup_free char *own = given_dir("run");
    bool is_container = getpid() == 1 && own != NULL;
    char now[BOOT_ID_LEN + 1] = "";
    char before[BOOT_ID_LEN + 1] = "";

    if (!has_class(bundle, "run") || !read_line("/proc/sys/kernel/random/boot_id", now))
        return true;
    if (run == NULL || mark == NULL)
        return err_sys(err, "'%s'", dir);
    if (!make_dir(run, err))
        return false;
    if (!is_container && read_line(mark, before) && strcmp(now, before) == 0)
        return true;
    if (nftw(run, remove_entry, NFTW_FDS, FTW_DEPTH | FTW_PHYS) != 0)
        return err_sys(err, "'%s'", run);
    return write_line(mark, now, err);
}

char *state_place(const struct bundle *bundle)
{
    const struct launchfile_record *name = bundle_find(bundle, "name", NULL);

    return state_dir(name != NULL ? name->fields[1] : "app");
}

static int is_a_file(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)path;
    (void)st;
    (void)at;
    return type == FTW_F;
}

/* No file at all where snapshots look for them: directories are made by every start. */
static bool is_empty(const char *dir)
{
    cleanup_free char *data = join(dir, STATESWAP_DATA);
    cleanup_free char *restored = join(dir, STATESWAP_NEW);

    return data != NULL && restored != NULL && nftw(data, is_a_file, NFTW_FDS, FTW_PHYS) != 1 &&
           access(restored, F_OK) != 0;
}

/*
 * The descriptor stays open: it is the lock. Where there can be none, the app starts all the same;
 * whether it may write is seen elsewhere.
 */
static bool use(const char *dir, struct err *err)
{
    cleanup_fd int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cleanup_free char *before = NULL;
    int lock;

    if (fd < 0 || asprintf(&before, STATESWAP_DATA ".before-%ld", (long)getpid()) < 0)
        return err_sys(err, "'%s'", dir);
    if (statelock_take(fd, STATELOCK_USE, false, &lock, err))
        return stateswap_finish(fd, before, err);
    if (err->sys_errno != EAGAIN) {
        *err = (struct err){0};
        return true;
    }
    (void)err_set(err, ERR_INPUT, "a snapshot is being restored");
    (void)err_id(err, "E-DBBUSY");
    return err_hint(err, "start again when that has ended");
}

/*
 * A service that comes up empty looks healthy, and its snapshots push out the good ones: there the
 * first start must be meant. systemd names the place (systemd.exec(5)).
 */
bool state_begin(const struct bundle *bundle, struct err *err)
{
    const char *service = getenv("STATE_DIRECTORY");
    const char *meant = getenv("RUCKSACK_NEW");
    cleanup_free char *dir = NULL;

    if (!has_class(bundle, "sqlite"))
        return true;
    dir = state_place(bundle);
    if (dir == NULL)
        return err_sys(err, "state directory");
    if (!is_empty(dir))
        return true;
    if (service == NULL || service[0] == '\0' || (meant != NULL && strcmp(meant, "1") == 0)) {
        fprintf(stderr, "rucksack: a new, empty state: %s\n", dir);
        return true;
    }
    (void)err_set(err, ERR_INPUT, "the state is empty: '%s'", dir);
    (void)err_id(err, "E-EMPTY");
    return err_hint(err,
                    "bring it back: FILE restore SNAPSHOT; a new site on purpose: RUCKSACK_NEW=1");
}

bool state_claim(const struct bundle *bundle, const char *process, struct err *err)
{
    cleanup_free char *dir = state_place(bundle);
    cleanup_fd int fd = -1;
    unsigned int part = STATELOCK_SINGLE;
    int lock;

    for (size_t i = 0; i < bundle->count; i++) {
        const struct launchfile_record *record = &bundle->records[i];

        if (!launchfile_is(record, "process", 1))
            continue;
        if (strcmp(record->fields[1], process) == 0)
            break;
        part++;
    }
    if (bundle_find(bundle, "single", process) == NULL ||
        bundle_find(bundle, "state", NULL) == NULL)
        return true;
    fd = dir != NULL ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd < 0)
        return err_sys(err, "state directory");
    if (statelock_take(fd, part, true, &lock, err))
        return true;
    if (err->sys_errno != EAGAIN) { /* there can be no lock: see use() */
        *err = (struct err){0};
        return true;
    }
    (void)err_set(err, ERR_INPUT, "process '%s' runs already with the state '%s'", process, dir);
    (void)err_id(err, "E-RUNNING");
    return err_hint(err,
                    "stop that one first; another instance has another state: FILE --state DIR");
}

bool state_prepare(const struct bundle *bundle, struct err *err)
{
    const struct launchfile_record *name = bundle_find(bundle, "name", NULL);
    cleanup_free char *dir = NULL;
    cleanup_free char *link = bundle_path(bundle, "../state");
    bool ok;

    if (bundle_find(bundle, "state", NULL) == NULL)
        return true;
    dir = state_place(bundle);
    if (dir == NULL || link == NULL)
        return err_sys(err, "state directory");
    ok = make_dir(dir, err) && use(dir, err);
    ok = ok && redirect_classes(bundle, dir, err) && renew_run(bundle, dir, err) &&
         make_dirs(bundle, dir, err) && make_link(link, dir, err);
    if (!ok && err->id[0] == '\0') {
        (void)err_wrap(err, "state directory");
        (void)err_id(err, "E-WRITE");
        (void)err_hint(err, "name a writable one: RUCKSACK_STATE=/var/lib/%s",
                       name != NULL ? name->fields[1] : "app");
    }
    return ok;
}
