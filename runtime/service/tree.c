/* SPDX-License-Identifier: MIT */
#include "runtime/service/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/fs.h"
#include "common/xalloc.h"
#include "runtime/service/releases.h"
#include "runtime/service/settings.h"

enum { LINK_MAX_BYTES = 256 };

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static bool is_of_type(int dirfd, const char *name, mode_t type)
{
    struct stat st;

    return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && (st.st_mode & S_IFMT) == type;
}

static bool leads_to(int dirfd, const char *name, const char *place)
{
    char target[LINK_MAX_BYTES] = "";

    return readlinkat(dirfd, name, target, sizeof(target) - 1) > 0 &&
           strncmp(target, place, strlen(place)) == 0 &&
           (place[strlen(place) - 1] == '/' ? releases_is_id(target + strlen(place))
                                            : strcmp(target, place) == 0);
}

/* `releases`: with nothing but releases of ours, and what an interrupted copy left. */
static bool has_only_releases(int fd)
{
    int copy = openat(fd, "releases", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    cleanup_dir DIR *entries = copy >= 0 ? fdopendir(copy) : NULL;
    const struct dirent *entry;

    while (entries != NULL && (entry = readdir(entries)) != NULL)
        if (!is_dots(entry->d_name) && strcmp(entry->d_name, RELEASES_UNFINISHED) != 0 &&
            !releases_is_id(entry->d_name))
            return false;
    return entries != NULL;
}

/* The root of the processes has the way to the state in it. */
static bool is_root(int fd, const char *name)
{
    cleanup_free char *link = xasprintf("root/opt/%s/state", name);
    cleanup_free char *state = xasprintf("/var/lib/%s", name);

    return is_of_type(fd, "root", S_IFDIR) && leads_to(fd, link, state);
}

static bool is_known(int fd, const char *entry)
{
    if (strcmp(entry, "settings") == 0 || strcmp(entry, "settings.new") == 0)
        return is_of_type(fd, entry, S_IFREG);
    if (strcmp(entry, "current") == 0 || strcmp(entry, "current.new") == 0)
        return leads_to(fd, entry, "releases/");
    if (strcmp(entry, "image") == 0)
        return leads_to(fd, entry, "current/image");
    if (strcmp(entry, "root") == 0)
        return is_of_type(fd, entry, S_IFDIR);
    return strcmp(entry, "releases") == 0 && has_only_releases(fd);
}

static bool taken(const char *path, const char *entry, struct err *err)
{
    if (entry != NULL)
        (void)err_set(err, ERR_INPUT, "'%s' is there, and not of this service: '%.100s' in it",
                      path, entry);
    else
        (void)err_set(err, ERR_INPUT, "'%s' is there, and not of this service", path);
    (void)err_id(err, "E-TAKEN");
    return err_hint(err, "move it away, or build with another name: 'name:' in rucksack.yml");
}

bool tree_check(const char *name, struct err *err)
{
    cleanup_free char *path = xasprintf("/opt/%s", name);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    bool is_ours = tree_is_ours(name);
    cleanup_dir DIR *entries = NULL;
    const struct dirent *entry;

    if (fd < 0)
        return errno == ENOENT || taken(path, NULL, err);
    entries = fdopendir(fd);
    if (entries == NULL) {
        (void)err_sys(err, "'%s'", path);
        cleanup_fd_value(&fd);
        return false;
    }
    while ((entry = readdir(entries)) != NULL) {
        const char *known = entry->d_name;

        if (is_dots(known) || (is_ours && is_known(fd, known)) ||
            (strcmp(known, "settings.new") == 0 && is_of_type(fd, known, S_IFREG)))
            continue;
        return taken(path, known, err);
    }
    return true;
}

bool tree_is_ours(const char *name)
{
    cleanup_free char *dir = xasprintf("/opt/%s", name);
    struct settings settings;
    struct err ignored = {0};
    struct stat st;

    if (lstat(dir, &st) != 0 || !S_ISDIR(st.st_mode) || st.st_uid != 0 ||
        !settings_load(&settings, dir, &ignored))
        return false;
    settings_release(&settings);
    return true;
}

/* False: an image is mounted in it still, or it cannot be removed. */
static bool remove_releases(int fd)
{
    int copy = openat(fd, "releases", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    cleanup_dir DIR *entries = copy >= 0 ? fdopendir(copy) : NULL;
    const struct dirent *entry;
    struct err ignored = {0};
    bool ok = true;

    while (entries != NULL && (entry = readdir(entries)) != NULL) {
        if (!releases_is_id(entry->d_name) && strcmp(entry->d_name, RELEASES_UNFINISHED) != 0)
            continue;
        ok = !releases_is_mounted(copy, entry->d_name) &&
             fs_remove_tree(copy, entry->d_name, &ignored) && ok;
    }
    return ok;
}

bool tree_remove(const char *name)
{
    static const char *const names[] = {"current", "current.new", "image", "settings.new",
                                        "settings"};
    cleanup_free char *dir = xasprintf("/opt/%s", name);
    cleanup_fd int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct err ignored = {0};

    if (fd < 0)
        return errno == ENOENT;
    if (!remove_releases(fd))
        return false; /* with what the next uninstall finds it by */
    (void)unlinkat(fd, "releases", AT_REMOVEDIR);
    if (is_root(fd, name))
        (void)fs_remove_tree(fd, "root", &ignored);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strncmp(names[i], "settings", 8) != 0 ? is_known(fd, names[i]) : tree_is_ours(name))
            (void)unlinkat(fd, names[i], 0);
    return rmdir(dir) == 0;
}
