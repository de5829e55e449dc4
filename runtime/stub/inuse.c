/* SPDX-License-Identifier: MIT */
#include "runtime/stub/inuse.h"

#include <dirent.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

bool inuse_tree(const char *path)
{
    cleanup_dir DIR *proc = opendir("/proc");
    const struct dirent *entry;

    while (proc != NULL && (entry = readdir(proc)) != NULL) {
        cleanup_fd int fd = -1;

        if (entry->d_name[0] < '0' || entry->d_name[0] > '9' ||
            strtol(entry->d_name, NULL, 10) == getpid())
            continue;
        fd = openat(dirfd(proc), entry->d_name, OPEN_DIR);
        if (fd >= 0 && uses(fd, path))
            return true;
    }
    return false;
}
