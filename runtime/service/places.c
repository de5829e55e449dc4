/* SPDX-License-Identifier: MIT */
#include "runtime/service/places.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/fs.h"
#include "common/xalloc.h"
#include "runtime/service/systemd.h"
#include "runtime/service/tree.h"
#include "runtime/service/units.h"

enum { STAMP_LEN = sizeof("20261128T120000Z") - 1 };

static bool taken(const char *what, const char *hint, struct err *err)
{
    (void)err_set(err, ERR_INPUT, "%s is there, and not of this service", what);
    (void)err_id(err, "E-TAKEN");
    return err_hint(err, "%sbuild with another name: 'name:' in rucksack.yml", hint);
}

/* Somebody else's user or group would get our state, or we theirs. */
static bool check_user(const char *name, struct err *err)
{
    cleanup_free char *dir = xasprintf("/var/lib/%s", name);
    cleanup_free char *words = xasprintf("Service %s", name);
    cleanup_free char *what = xasprintf("a user '%s'", name);
    cleanup_free char *what_group = xasprintf("a group '%s'", name);
    const struct passwd *user = getpwnam(name);
    const struct group *group = getgrnam(name);

    if (user != NULL &&
        (user->pw_uid == 0 || strcmp(user->pw_dir, dir) != 0 || strcmp(user->pw_gecos, words) != 0))
        return taken(what, "", err);
    return group == NULL || (user != NULL && user->pw_gid == group->gr_gid) ||
           taken(what_group, "", err);
}

/* Whether a name in /var/backups/NAME is one of our snapshots': a backup's, or an upgrade's. */
static bool is_snapshot(const char *entry, const char *name)
{
    cleanup_free char *head = xasprintf("%s-", name);
    const char *end = strstr(entry, ".tar.zst");

    if (strncmp(entry, "before-", 7) == 0)
        return end != NULL && end[8] == '\0';
    return strncmp(entry, head, strlen(head)) == 0 && strlen(entry) > strlen(head) + STAMP_LEN &&
           strspn(entry + strlen(head), "0123456789TZ") == STAMP_LEN &&
           (strcmp(entry + strlen(head) + STAMP_LEN, ".tar.zst") == 0 ||
            strcmp(entry + strlen(head) + STAMP_LEN, ".capsule") == 0);
}

static bool is_of_etc(const char *entry, const char *name)
{
    static const char *const names[] = {"env",      "env.new", "env.before", "port",
                                        "port.new", "trust",   "trust.new"};

    (void)name;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(entry, names[i]) == 0)
            return true;
    return false;
}

static bool is_none(const char *entry, const char *name)
{
    (void)entry;
    (void)name;
    return false;
}

/* Whether all names in the directory are of that kind; there may be none at all. */
static bool has_only(const char *path, const char *name,
                     bool (*is_kind)(const char *, const char *))
{
    cleanup_dir DIR *entries = opendir(path);
    const struct dirent *entry;

    while (entries != NULL && (entry = readdir(entries)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            !is_kind(entry->d_name, name))
            return false;
    return entries != NULL;
}

/* A state may have been brought along. */
static bool has_state(const char *path)
{
    cleanup_free char *data = xasprintf("%s/data", path);
    struct stat st;

    return lstat(data, &st) == 0 && S_ISDIR(st.st_mode);
}

/*
 * systemd gives these directories to the user with all that is in them, and an uninstall removes
 * them: so they are ours already, or nobody's.
 */
static bool check_place(const char *name, const char *parent,
                        bool (*is_kind)(const char *, const char *), struct err *err)
{
    cleanup_free char *path = xasprintf("%s/%s", parent, name);
    cleanup_free char *what = xasprintf("'%s'", path);
    const struct passwd *user = getpwnam(name);
    struct stat st;

    if (lstat(path, &st) != 0)
        return errno == ENOENT || err_sys(err, "'%s'", path);
    if (S_ISDIR(st.st_mode) &&
        ((user != NULL && st.st_uid == user->pw_uid) || has_only(path, name, is_kind) ||
         (strcmp(parent, "/var/lib") == 0 && has_state(path))))
        return true;
    return taken(what, "move it away, or ", err);
}

bool places_check(const char *name, struct err *err)
{
    return check_user(name, err) && tree_check(name, err) &&
           check_place(name, "/etc", is_of_etc, err) &&
           check_place(name, "/var/lib", is_none, err) &&
           check_place(name, "/var/cache", is_none, err) &&
           check_place(name, "/var/log", is_none, err) &&
           check_place(name, "/var/backups", is_snapshot, err) &&
           check_place(name, "/run", is_none, err);
}

/* The directories of ours that a system may lack. */
bool places_make(struct err *err)
{
    return fs_mkdir_p(UNITS_DIR, 0755, err) && fs_mkdir_p("/etc/sysusers.d", 0755, err) &&
           fs_mkdir_p("/etc/tmpfiles.d", 0755, err) && fs_mkdir_p("/var/backups", 0755, err);
}

/* Snapshots that were brought along are root's: the user must read the newest, and remove old
 * ones. The directory is nobody's but root's until then. */
static bool give_snapshots(const char *dir, const struct passwd *user, struct err *err)
{
    cleanup_dir DIR *entries = opendir(dir);
    const struct dirent *entry;
    struct stat st;

    if (entries == NULL)
        return err_sys(err, "'%s'", dir);
    if (fstat(dirfd(entries), &st) != 0 || st.st_uid != 0)
        return true;
    while ((entry = readdir(entries)) != NULL)
        if (is_snapshot(entry->d_name, user->pw_name) &&
            fstatat(dirfd(entries), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(st.st_mode) && st.st_nlink == 1 &&
            fchownat(dirfd(entries), entry->d_name, user->pw_uid, user->pw_gid,
                     AT_SYMLINK_NOFOLLOW) != 0)
            return err_sys(err, "'%s/%s'", dir, entry->d_name);
    return true;
}

bool places_make_backups(const char *name, struct err *err)
{
    cleanup_free char *backups = xasprintf("/var/backups/%s", name);
    const struct passwd *user = getpwnam(name);

    if (user == NULL)
        return err_set(err, ERR_INPUT, "systemd-sysusers made no user '%s'", name);
    if (mkdir(backups, 0700) != 0 && errno != EEXIST)
        return err_sys(err, "'%s'", backups);
    if (!give_snapshots(backups, user, err))
        return false;
    return lchown(backups, user->pw_uid, user->pw_gid) == 0 || err_sys(err, "'%s'", backups);
}

/* The backups of the site that was are no backups of a new one: it would be refused among them. */
bool places_renew_backups(const char *name, char **ret_aside, struct err *err)
{
    cleanup_free char *backups = xasprintf("/var/backups/%s", name);
    cleanup_free char *aside = xasprintf("%s.before-%lld", backups, (long long)time(NULL));

    *ret_aside = NULL;
    if (has_only(backups, name, is_none))
        return true;
    if (rename(backups, aside) != 0)
        return err_sys(err, "'%s'", backups);
    *ret_aside = steal_ptr(&aside);
    return places_make_backups(name, err);
}

void places_remove(const char *dir, const char *name)
{
    cleanup_fd int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct err ignored = {0};

    if (fd >= 0)
        (void)fs_remove_tree(fd, name, &ignored);
}

/* Whoever has backups stays their owner. */
void places_remove_state(const char *name)
{
    static const char *const dirs[] = {"/var/lib", "/var/cache", "/var/log"};
    cleanup_free char *backups = xasprintf("/var/backups/%s", name);

    for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
        places_remove(dirs[i], name);
    if (rmdir(backups) == 0 || errno == ENOENT)
        systemd_remove_user(name);
}
