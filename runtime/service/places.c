/* SPDX-License-Identifier: MIT */
#include "runtime/service/places.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
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
#include "runtime/service/units.h"

static bool taken(const char *what, struct err *err)
{
    (void)err_set(err, ERR_INPUT, "%s is there, and not of this service", what);
    (void)err_id(err, "E-TAKEN");
    return err_hint(err, "build with another name: 'name:' in rucksack.yml");
}

/* Somebody else's user would get our state, or we theirs. */
static bool check_user(const char *name, struct err *err)
{
    cleanup_free char *dir = xasprintf("/var/lib/%s", name);
    cleanup_free char *words = xasprintf("Service %s", name);
    cleanup_free char *what = xasprintf("a user '%s'", name);
    const struct passwd *user = getpwnam(name);

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
static bool check_place(const char *name, const char *parent, const char *ours, struct err *err)
{
    cleanup_free char *path = xasprintf("%s/%s", parent, name);
    cleanup_free char *inner = xasprintf("%s/%s", path, ours);
    cleanup_free char *what = xasprintf("'%s'", path);
    const struct passwd *user = getpwnam(name);
    struct stat st;

    if (lstat(path, &st) != 0)
        return errno == ENOENT || err_sys(err, "'%s'", path);
    if (S_ISDIR(st.st_mode) && (is_empty(path) || (user != NULL && st.st_uid == user->pw_uid) ||
                                (ours[0] != '\0' && access(inner, F_OK) == 0)))
        return true;
    return taken(what, err);
}

bool places_check(const char *name, struct err *err)
{
    return check_user(name, err) && check_place(name, "/opt", "releases", err) &&
           check_place(name, "/var/lib", "data", err) && check_place(name, "/var/cache", "", err) &&
           check_place(name, "/var/log", "", err) && check_place(name, "/var/backups", "", err) &&
           check_place(name, "/run", "", err);
}

/* The directories of ours that a system may lack. */
bool places_make(struct err *err)
{
    return fs_mkdir_p(UNITS_DIR, 0755, err) && fs_mkdir_p("/etc/sysusers.d", 0755, err) &&
           fs_mkdir_p("/etc/tmpfiles.d", 0755, err) && fs_mkdir_p("/var/backups", 0755, err);
}

bool places_make_backups(const char *name, struct err *err)
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

/* The backups of the site that was are no backups of a new one: it would be refused among them. */
bool places_renew_backups(const char *name, char **ret_aside, struct err *err)
{
    cleanup_free char *backups = xasprintf("/var/backups/%s", name);
    cleanup_free char *aside = xasprintf("%s.before-%lld", backups, (long long)time(NULL));

    *ret_aside = NULL;
    if (is_empty(backups))
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
