/* SPDX-License-Identifier: MIT */
#include "runtime/stub/place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "runtime/stub/process.h"

enum {
    BASE_MAX = 4,
    PATH_BYTES_MAX = 512,
    USERS_MAX = 4096,
    TRIES_MAX = 100,
    OVERFLOW_UID = 65534,
    LIST_BYTES = 1024,
    OPEN_DIR = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
};

struct base {
    const char *path;   /* NULL: does not apply */
    const char *suffix; /* below the variable's directory */
    bool shared;        /* others write there too: our part carries the user's id */
    bool system;        /* a directory of the system, not of the environment */
};

static bool variable_usable(const char *path)
{
    if (path == NULL || path[0] != '/' || strlen(path) > PATH_BYTES_MAX)
        return false;
    for (const char *c = path; *c != '\0'; c++)
        if ((unsigned char)*c <= ' ' || strchr(":;\"'\\$`*?[]#&|<>(){}~!%", *c) != NULL)
            return false;
    return true;
}

static struct base from_environment(const char *name, const char *suffix, bool shared, bool trusted)
{
    const char *value = trusted ? getenv(name) : NULL;

    return (struct base){variable_usable(value) ? value : NULL, suffix, shared, false};
}

/* The candidates in order; returns how many. */
static size_t list_bases(enum place_kind kind, bool trusted, struct base bases[8])
{
    static const char *const run[BASE_MAX] = {"/tmp", "/run", "/dev/shm", "/var/tmp"};
    static const char *const cache[BASE_MAX] = {"/var/tmp", "/tmp", "/dev/shm", "/run"};
    const char *const *fixed = kind == PLACE_CACHE ? cache : run;
    size_t count = 0;

    if (kind == PLACE_CACHE) {
        bases[count++] = from_environment("XDG_CACHE_HOME", "", false, trusted);
        bases[count++] = from_environment("HOME", "/.cache", false, trusted);
    } else if (kind == PLACE_TEMP) {
        bases[count++] = from_environment("TMPDIR", "", true, trusted);
    } else {
        bases[count++] = from_environment("XDG_RUNTIME_DIR", "", false, trusted);
    }
    for (size_t i = 0; i < BASE_MAX; i++)
        bases[count++] = (struct base){fixed[i], "", true, true};
    return count;
}

/* Root of the host, seen from a user namespace that does not map it, is the overflow user
 * (user_namespaces(7)): the system's own directories may belong to that one. */
static bool is_trusted_owner(uid_t uid, bool system)
{
    return uid == geteuid() || uid == 0 || (system && uid == OVERFLOW_UID);
}

/* A directory in which nobody but us or root can rename what we make. */
static bool check_base(int fd, const struct base *base, const char *path, struct err *err)
{
    bool shared = base->shared;
    struct stat st;

    if (fstat(fd, &st) != 0)
        return err_sys(err, "'%s'", path);
    if (!is_trusted_owner(st.st_uid, base->system))
        return err_set(err, ERR_INPUT, "'%s' belongs to somebody else", path);
    if ((st.st_mode & 022) != 0 && (!shared || (st.st_mode & S_ISVTX) == 0))
        return err_set(err, ERR_INPUT, "'%s' is writable by others", path);
    return true;
}

/* Opens or makes a directory that is ours alone. */
static bool open_private(int parent_fd, const char *name, const char *path, int *ret,
                         struct err *err)
{
    cleanup_fd int fd = -1;
    struct stat st;

    if (mkdirat(parent_fd, name, 0700) != 0 && errno != EEXIST)
        return err_sys(err, "cannot make '%s'", path);
    fd = openat(parent_fd, name, OPEN_DIR);
    if (fd < 0 || fstat(fd, &st) != 0)
        return err_sys(err, "'%s'", path);
    if (st.st_uid != geteuid())
        return err_set(err, ERR_INPUT, "'%s' belongs to somebody else", path);
    if ((st.st_mode & 0777) != 0700)
        return err_set(err, ERR_INPUT, "'%s' is open to others (its mode is not 0700)", path);
    *ret = steal_fd(&fd);
    return true;
}

/* Refused while it holds any key. */
static void remove_parent(const struct place *place)
{
    (void)unlinkat(place->base_fd, place->parent_name, AT_REMOVEDIR);
}

static bool open_base(const struct base *base, char **ret_path, int *ret, struct err *err)
{
    cleanup_free char *path = NULL;
    cleanup_fd int fd = -1;

    if (base->path == NULL)
        return err_set(err, ERR_INPUT, "no usable directory is named by the environment");
    if (asprintf(&path, "%s%s", base->path, base->suffix) < 0) {
        path = NULL;
        return err_sys(err, "'%s'", base->path);
    }
    fd = open(path, OPEN_DIR & ~O_NOFOLLOW);
    /* Another start may make it at the same moment. */
    if (fd < 0 && errno == ENOENT && base->suffix[0] != '\0' &&
        (mkdir(path, 0700) == 0 || errno == EEXIST))
        fd = open(path, OPEN_DIR & ~O_NOFOLLOW);
    if (fd < 0)
        return err_sys(err, "'%s'", path);
    if (!check_base(fd, base, path, err))
        return false;
    *ret_path = steal_ptr(&path);
    *ret = steal_fd(&fd);
    return true;
}

bool place_name(struct place *place, const char *parent, const char *key, struct err *err)
{
    place->key = strdup(key);
    if (place->key == NULL || asprintf(&place->dir, "%s/%s", parent, key) < 0) {
        place->dir = NULL;
        return err_sys(err, "'%s'", parent);
    }
    if (asprintf(&place->root, "%s/m", place->dir) < 0) {
        place->root = NULL;
        return err_sys(err, "'%s'", parent);
    }
    return true;
}

static void replace_fd(int *fd, int fresh)
{
    cleanup_fd_value(fd);
    *fd = fresh;
}

/* Opens the directory of all keys and in it the place's own. Somebody who ends may remove either
 * at any moment: then again from the top. */
static bool open_dirs(struct place *place, struct err *err)
{
    cleanup_free char *parent = strndup(place->dir, strlen(place->dir) - strlen(place->key) - 1);
    int fd;

    if (parent == NULL)
        return err_sys(err, "'%s'", place->dir);
    for (int tries = 0; tries < TRIES_MAX; tries++) {
        *err = (struct err){0};
        if (open_private(place->base_fd, place->parent_name, parent, &fd, err)) {
            replace_fd(&place->parent_fd, fd);
            if (open_private(place->parent_fd, place->key, place->dir, &fd, err)) {
                replace_fd(&place->dir_fd, fd);
                return true;
            }
        }
        if (err->sys_errno != ENOENT)
            return false;
    }
    return false;
}

static bool name_at(struct place *place, const struct base *base, const char *key, struct err *err)
{
    cleanup_free char *base_path = NULL;
    cleanup_free char *parent = NULL;

    if (!open_base(base, &base_path, &place->base_fd, err))
        return false;
    if (base->shared)
        (void)snprintf(place->parent_name, sizeof(place->parent_name), "rucksack-%u",
                       (unsigned int)geteuid());
    else
        (void)snprintf(place->parent_name, sizeof(place->parent_name), "rucksack");
    if (asprintf(&parent, "%s/%s", base_path, place->parent_name) < 0) {
        parent = NULL;
        return err_sys(err, "'%s'", base_path);
    }
    return place_name(place, parent, key, err);
}

bool place_choose(struct place *ret, enum place_kind kind, size_t index, const char *key,
                  bool trusted, bool *ret_last, struct err *err)
{
    struct place place = PLACE_NONE;
    struct base bases[8];
    size_t count = list_bases(kind, trusted, bases);

    *ret_last = index + 1 >= count;
    if (index >= count)
        return err_set(err, ERR_INPUT, "no place left to try");
    if (!name_at(&place, &bases[index], key, err)) {
        place_release(&place);
        return false;
    }
    *ret = place;
    return true;
}

bool place_make(struct place *place, struct err *err)
{
    if (open_dirs(place, err))
        return true;
    if (place->parent_fd >= 0)
        remove_parent(place);
    return false;
}

bool place_open_made(struct place *place)
{
    struct stat st;

    replace_fd(&place->parent_fd, openat(place->base_fd, place->parent_name, OPEN_DIR));
    replace_fd(&place->dir_fd, openat(place->parent_fd, place->key, OPEN_DIR));
    return place->dir_fd >= 0 && fstat(place->dir_fd, &st) == 0 && st.st_uid == geteuid() &&
           (st.st_mode & 0777) == 0700;
}

void place_forget(struct place *place)
{
    replace_fd(&place->lock_fd, -1);
    replace_fd(&place->dir_fd, -1);
    replace_fd(&place->parent_fd, -1);
}

bool place_open(struct place *ret, enum place_kind kind, size_t index, const char *key,
                bool trusted, bool *ret_last, struct err *err)
{
    struct place place;

    if (!place_choose(&place, kind, index, key, trusted, ret_last, err))
        return false;
    if (!place_make(&place, err)) {
        place_release(&place);
        return false;
    }
    *ret = place;
    return true;
}

bool place_find(struct place *ret, enum place_kind kind, const char *key, bool trusted)
{
    struct base bases[8];
    size_t count = list_bases(kind, trusted, bases);
    struct err err;

    for (size_t i = 0; i < count; i++) {
        struct place place = PLACE_NONE;

        if (name_at(&place, &bases[i], key, &err) && place_open_made(&place)) {
            *ret = place;
            return true;
        }
        place_release(&place);
    }
    return false;
}

void place_release(struct place *place)
{
    if (place == NULL)
        return;
    free(place->dir);
    free(place->root);
    free(place->key);
    cleanup_fd_value(&place->base_fd);
    cleanup_fd_value(&place->parent_fd);
    cleanup_fd_value(&place->dir_fd);
    cleanup_fd_value(&place->lock_fd);
    *place = PLACE_NONE;
}

bool place_copy(struct place *ret, const struct place *place)
{
    struct place copy = *place;

    copy.dir = strdup(place->dir);
    copy.root = strdup(place->root);
    copy.key = strdup(place->key);
    copy.lock_fd = -1;
    if (copy.dir != NULL && copy.root != NULL && copy.key != NULL) {
        *ret = copy;
        return true;
    }
    free(copy.dir);
    free(copy.root);
    free(copy.key);
    return false;
}

static int open_lock(const struct place *place)
{
    return openat(place->dir_fd, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
}

static bool lock_current(const struct place *place)
{
    struct stat st;

    return place->lock_fd >= 0 && fstat(place->lock_fd, &st) == 0 && st.st_nlink > 0;
}

/* False with err when there is no point in trying again. */
static bool lock_once(struct place *place, struct err *err)
{
    cleanup_fd int fd = open_lock(place);

    if (fd < 0 && errno == ENOENT) {
        /* Its last user removed the directory after we opened it. */
        if (!open_dirs(place, err))
            return false;
        fd = open_lock(place);
        if (fd < 0 && errno == ENOENT)
            return true; /* and again: not locked */
    }
    if (fd < 0)
        return err_sys(err, "'%s/lock'", place->dir);
    while (flock(fd, LOCK_EX) != 0)
        if (errno != EINTR)
            return err_sys(err, "cannot lock '%s'", place->dir);
    replace_fd(&place->lock_fd, steal_fd(&fd));
    return true;
}

bool place_lock(struct place *place, struct err *err)
{
    for (int tries = 0; tries < TRIES_MAX; tries++) {
        if (!lock_once(place, err))
            return false;
        if (lock_current(place))
            return true;
    }
    return err_set(err, ERR_INPUT, "cannot lock '%s': it is removed again and again", place->dir);
}

bool place_lock_made(struct place *place)
{
    bool locked = false;

    if (place_open_made(place))
        replace_fd(&place->lock_fd, openat(place->dir_fd, "lock", O_RDWR | O_NOFOLLOW | O_CLOEXEC));
    while (place->lock_fd >= 0 && !locked) {
        locked = flock(place->lock_fd, LOCK_EX) == 0;
        if (!locked && errno != EINTR)
            break;
    }
    if (locked && lock_current(place))
        return true;
    place_forget(place);
    return false;
}

bool place_try_lock(struct place *place)
{
    cleanup_fd int fd = open_lock(place);

    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) != 0)
        return false;
    place->lock_fd = steal_fd(&fd);
    if (lock_current(place))
        return true;
    place_unlock(place);
    return false;
}

void place_unlock(struct place *place)
{
    cleanup_fd_value(&place->lock_fd);
    place->lock_fd = -1;
}

bool place_exists(const struct place *place)
{
    struct stat st;

    return fstat(place->dir_fd, &st) == 0 && st.st_nlink > 0;
}

bool place_is_mounted(const struct place *place)
{
    struct stat root, dir;

    /* A dead mount cannot be examined, but is one. */
    if (fstatat(place->dir_fd, "m", &root, AT_SYMLINK_NOFOLLOW) != 0)
        return errno != ENOENT;
    /* What is mounted lies on another device. */
    return fstat(place->dir_fd, &dir) == 0 && root.st_dev != dir.st_dev;
}

/* Of a dead mount much may be answered from memory, but never statfs. */
enum place_mount place_mount_state(const struct place *place)
{
    struct statfs fs;

    if (!place_is_mounted(place))
        return PLACE_BARE;
    return statfs(place->root, &fs) == 0 ? PLACE_LIVE : PLACE_DEAD;
}

/* The users that still run; returns how many. */
static size_t read_users(const struct place *place, pid_t users[USERS_MAX])
{
    ssize_t got = pread(place->lock_fd, users, USERS_MAX * sizeof(users[0]), 0);
    size_t count = got < 0 ? 0 : (size_t)got / sizeof(users[0]);
    size_t live = 0;

    for (size_t i = 0; i < count; i++)
        if (users[i] > 0 && process_runs(users[i]))
            users[live++] = users[i];
    return live;
}

static bool write_users(const struct place *place, const pid_t *users, size_t count)
{
    size_t size = count * sizeof(users[0]);

    return pwrite(place->lock_fd, users, size, 0) == (ssize_t)size &&
           ftruncate(place->lock_fd, (off_t)size) == 0;
}

bool place_add_user(struct place *place, pid_t pid, struct err *err)
{
    pid_t users[USERS_MAX];
    size_t count = read_users(place, users);

    if (count == USERS_MAX)
        return err_set(err, ERR_INPUT, "'%s' has too many users", place->dir);
    users[count++] = pid;
    return write_users(place, users, count) || err_sys(err, "'%s/lock'", place->dir);
}

bool place_has_users(struct place *place, pid_t except)
{
    pid_t users[USERS_MAX];
    size_t count = read_users(place, users);

    for (size_t i = 0; i < count; i++)
        if (users[i] != except)
            return true;
    return false;
}

/* A launcher that was killed leaves its unfinished link under a name of its own. opendir(3) would
 * allocate. */
static void remove_links(const struct place *place)
{
    cleanup_fd int fd = openat(place->dir_fd, ".", OPEN_DIR);
    alignas(struct dirent) char entries[LIST_BYTES];
    long got;

    while (fd >= 0 && (got = syscall(SYS_getdents64, fd, entries, sizeof(entries))) > 0) {
        for (long at = 0; at < got;) {
            const struct dirent *entry = (const struct dirent *)(const void *)(entries + at);

            at += entry->d_reclen;
            if (strncmp(entry->d_name, "state", strlen("state")) == 0)
                (void)unlinkat(place->dir_fd, entry->d_name, 0);
        }
    }
}

void place_remove(struct place *place)
{
    if (place->dir_fd < 0) {
        remove_parent(place);
        return;
    }
    remove_links(place);
    (void)unlinkat(place->dir_fd, "manifest", 0);
    (void)unlinkat(place->dir_fd, "m", AT_REMOVEDIR);
    (void)unlinkat(place->dir_fd, "lock", 0);
    if (unlinkat(place->parent_fd, place->key, AT_REMOVEDIR) == 0)
        remove_parent(place);
}
