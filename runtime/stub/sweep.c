/* SPDX-License-Identifier: MIT */
#include "runtime/stub/sweep.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "runtime/stub/place.h"

enum { ALONE = 3, OPEN_DIR = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };

static struct {
    const struct place *own;
    void (*clear)(struct place *left, void *context);
    void *context;
} sweep;

/* The descriptors of the common directories stay own's. */
static void forget(struct place *left)
{
    left->base_fd = -1;
    left->parent_fd = -1;
    place_release(left);
}

static bool open_left(const char *key, const char *parent, struct place *ret)
{
    struct place left = PLACE_NONE;
    struct err err;

    left.base_fd = sweep.own->base_fd;
    left.parent_fd = sweep.own->parent_fd;
    left.dir_fd = openat(sweep.own->parent_fd, key, OPEN_DIR);
    if (left.dir_fd >= 0 && place_name(&left, parent, key, &err)) {
        *ret = left;
        return true;
    }
    forget(&left);
    return false;
}

static bool has(const struct place *place, const char *name)
{
    struct stat st;

    return fstatat(place->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void look_at(const char *key, const char *parent)
{
    struct place left;

    if (!open_left(key, parent, &left))
        return;
    if (place_try_lock(&left) && !place_has_users(&left, getpid()) && !has(&left, "manifest") &&
        !has(&left, "t"))
        sweep.clear(&left, sweep.context);
    forget(&left);
}

static void *run(void *unused)
{
    const struct place *own = sweep.own;
    cleanup_free char *parent = strndup(own->dir, strlen(own->dir) - strlen(own->key) - 1);
    int fd = openat(own->parent_fd, ".", OPEN_DIR);
    cleanup_dir DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *entry;

    if (dir == NULL)
        cleanup_fd_value(&fd);
    while (dir != NULL && parent != NULL && (entry = readdir(dir)) != NULL)
        if (entry->d_name[0] != '.' && strcmp(entry->d_name, own->key) != 0)
            look_at(entry->d_name, parent);
    return unused;
}

void sweep_start(const struct place *own, void (*clear)(struct place *left, void *context),
                 void *context)
{
    struct stat st;
    pthread_t thread;

    /* Some file systems do not count links of directories: they have always 1. */
    if (fstat(own->parent_fd, &st) != 0 || st.st_nlink == ALONE)
        return;
    sweep.own = own;
    sweep.clear = clear;
    sweep.context = context;
    if (pthread_create(&thread, NULL, run, NULL) == 0)
        (void)pthread_detach(thread);
}
