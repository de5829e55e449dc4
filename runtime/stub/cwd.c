/* SPDX-License-Identifier: MIT */
#include "runtime/stub/cwd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"

enum { DEPTH_MAX = 4096 };

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* The name that child has in the directory fd. */
static char *name_in(int fd, const struct stat *child)
{
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cleanup_dir DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;
    const struct dirent *entry;
    struct stat st;

    if (dir == NULL) {
        cleanup_fd_value(&copy);
        return NULL;
    }
    /* Numbers of entries are of no use where something is mounted. */
    while ((entry = readdir(dir)) != NULL)
        if (strcmp(entry->d_name, "..") != 0 &&
            fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && same_file(&st, child))
            return strdup(entry->d_name);
    return NULL;
}

/* "/name" before *path. */
static bool prepend(char **path, const char *name)
{
    size_t old = strlen(*path), more = strlen(name);
    char *longer = malloc(old + more + 2);

    if (longer == NULL)
        return false;
    longer[0] = '/';
    memcpy(longer + 1, name, more);
    memcpy(longer + 1 + more, *path, old + 1);
    free(*path);
    *path = longer;
    return true;
}

static char *climb(void)
{
    cleanup_free char *path = strdup("");
    cleanup_fd int fd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct stat here, above;

    if (path == NULL || fd < 0 || fstat(fd, &here) != 0)
        return NULL;
    for (int depth = 0; depth < DEPTH_MAX; depth++) {
        cleanup_free char *name = NULL;
        int parent = openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);

        cleanup_fd_value(&fd);
        fd = parent;
        if (fd < 0 || fstat(fd, &above) != 0)
            return NULL;
        if (same_file(&here, &above))
            return steal_ptr(&path);
        name = name_in(fd, &here);
        if (name == NULL || !prepend(&path, name))
            return NULL;
        here = above;
    }
    return NULL;
}

char *cwd_path(void)
{
    char *path = getcwd(NULL, 0);

    if (path != NULL || errno == ENOENT)
        return path;
    return climb();
}
