/* SPDX-License-Identifier: MIT */
#include "runtime/stub/inuse.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"

enum { OPEN_DIR = O_RDONLY | O_DIRECTORY | O_CLOEXEC, TARGET_SIZE = 4096 };

static bool is_below(const char *name, const char *path)
{
    size_t length = strlen(path);

    return strncmp(name, path, length) == 0 && (name[length] == '/' || name[length] == '\0');
}

static bool link_leads(int dir_fd, const char *name, const char *path)
{
    char target[TARGET_SIZE];
    ssize_t length = readlinkat(dir_fd, name, target, sizeof(target) - 1);

    if (length < 0)
        return false;
    target[length] = '\0';
    return is_below(target, path);
}

/* maps below, not map_files: that one needs a capability. */
static bool any_descriptor(int process_fd, const char *path)
{
    int fd = openat(process_fd, "fd", OPEN_DIR);
    cleanup_dir DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *entry;

    if (dir == NULL) {
        cleanup_fd_value(&fd);
        return false;
    }
    while ((entry = readdir(dir)) != NULL)
        if (link_leads(fd, entry->d_name, path))
            return true;
    return false;
}

static bool any_mapping(int process_fd, const char *path)
{
    int fd = openat(process_fd, "maps", O_RDONLY | O_CLOEXEC);
    cleanup_file FILE *maps = fd >= 0 ? fdopen(fd, "r") : NULL;
    cleanup_free char *line = NULL;
    size_t size = 0;

    if (maps == NULL) {
        cleanup_fd_value(&fd);
        return false;
    }
    while (getline(&line, &size, maps) > 0) {
        char *name = strchr(line, '/');

        if (name != NULL) {
            name[strcspn(name, "\n")] = '\0';
            if (is_below(name, path))
                return true;
        }
    }
    return false;
}

static bool uses(int process_fd, const char *path)
{
    return link_leads(process_fd, "exe", path) || link_leads(process_fd, "cwd", path) ||
           link_leads(process_fd, "root", path) || any_descriptor(process_fd, path) ||
           any_mapping(process_fd, path);
}

/* Whether /proc names a user; *ret_known says that there is a /proc. */
static bool any_process(const char *path, bool *ret_known)
{
    cleanup_dir DIR *proc = opendir("/proc");
    const struct dirent *entry;

    *ret_known = false;
    while (proc != NULL && (entry = readdir(proc)) != NULL) {
        cleanup_fd int fd = -1;

        if (entry->d_name[0] < '0' || entry->d_name[0] > '9')
            continue;
        *ret_known = true;
        if (strtol(entry->d_name, NULL, 10) == getpid())
            continue;
        fd = openat(dirfd(proc), entry->d_name, OPEN_DIR);
        if (fd >= 0 && uses(fd, path))
            return true;
    }
    return false;
}

enum use { FREE, USED, UNKNOWN };

static enum use file_use(int dir_fd, const char *name)
{
    cleanup_fd int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0)
        return errno == ENOENT ? FREE : UNKNOWN;
    if (fcntl(fd, F_SETLEASE, F_WRLCK) != 0)
        return errno == EAGAIN ? USED : UNKNOWN;
    (void)fcntl(fd, F_SETLEASE, F_UNLCK);
    return FREE;
}

/* Everything is looked at until a used file is found, which is certain. */
static enum use dir_use(int parent_fd, const char *name)
{
    int fd = openat(parent_fd, name, OPEN_DIR | O_NOFOLLOW);
    cleanup_dir DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    enum use all = FREE;
    const struct dirent *entry;
    struct stat st;

    if (dir == NULL) {
        cleanup_fd_value(&fd);
        return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? FREE : UNKNOWN;
    }
    while (all != USED && (entry = readdir(dir)) != NULL) {
        enum use one = FREE;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            one = UNKNOWN;
        else if (S_ISDIR(st.st_mode))
            one = dir_use(fd, entry->d_name);
        else if (S_ISREG(st.st_mode))
            one = file_use(fd, entry->d_name);
        if (one != FREE)
            all = one;
    }
    return all;
}

bool inuse_tree(const char *path)
{
    void (*before)(int);
    struct stat st;
    bool known;
    enum use use;

    /* Of many that end together, all but the first come here for nothing, and wait for each other.
     */
    if (lstat(path, &st) != 0 && errno == ENOENT)
        return false;
    if (any_process(path, &known))
        return true;
    /* Whoever opens a file while we have its lease makes the kernel send us this. */
    before = signal(SIGIO, SIG_IGN);
    use = dir_use(AT_FDCWD, path);
    (void)signal(SIGIO, before);
    return use == USED || (use == UNKNOWN && !known);
}
