/* SPDX-License-Identifier: MIT */
#include "runtime/keeper/holder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/statelock.h"
#include "common/xalloc.h"
#include "runtime/keeper/inventory.h"

/* A file by what it is: names differ between mount namespaces. */
struct file {
    dev_t dev;
    ino_t ino;
};

struct files {
    struct file *items;
    size_t count;
    size_t capacity;
};

static void add(struct files *files, int statefd, const char *path)
{
    struct stat st;

    if (fstatat(statefd, path, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return;
    files->items = xgrow(files->items, &files->capacity, files->count, sizeof(*files->items));
    files->items[files->count++] = (struct file){st.st_dev, st.st_ino};
}

static bool has(const struct files *files, const struct stat *st)
{
    for (size_t i = 0; i < files->count; i++)
        if (files->items[i].dev == st->st_dev && files->items[i].ino == st->st_ino)
            return true;
    return false;
}

static bool holds(pid_t pid, const struct files *files)
{
    cleanup_free char *path = xasprintf("/proc/%ld/fd", (long)pid);
    cleanup_dir DIR *entries = opendir(path);
    const struct dirent *entry;

    while (entries != NULL && (entry = readdir(entries)) != NULL) {
        struct stat st;

        if (entry->d_name[0] != '.' && fstatat(dirfd(entries), entry->d_name, &st, 0) == 0 &&
            S_ISREG(st.st_mode) && has(files, &st))
            return true;
    }
    return false;
}

static void read_command(struct holder *holder)
{
    cleanup_free char *path = xasprintf("/proc/%ld/comm", (long)holder->pid);
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd >= 0 ? read(fd, holder->command, sizeof(holder->command) - 1) : 0;

    holder->command[length > 0 ? length : 0] = '\0';
    holder->command[strcspn(holder->command, "\n")] = '\0';
    for (char *at = holder->command; *at != '\0'; at++)
        if (*at < ' ' || *at > '~')
            *at = '?';
}

bool holder_find(struct holder *ret, int statefd, const struct inventory *inventory)
{
    struct files files = {0};
    cleanup_dir DIR *processes = opendir("/proc");
    const struct dirent *entry;
    bool is_found = false;

    add(&files, statefd, STATELOCK_FILE);
    for (size_t i = 0; i < inventory->count; i++) {
        cleanup_free char *wal = xasprintf("%s-wal", inventory->items[i].path);

        if (inventory->items[i].kind != INVENTORY_DATABASE)
            continue;
        add(&files, statefd, inventory->items[i].path);
        add(&files, statefd, wal);
    }
    while (!is_found && processes != NULL && (entry = readdir(processes)) != NULL) {
        long pid = strtol(entry->d_name, NULL, 10);

        if (pid <= 0 || pid == (long)getpid() || !holds((pid_t)pid, &files))
            continue;
        *ret = (struct holder){.pid = (pid_t)pid};
        read_command(ret);
        is_found = true;
    }
    free(files.items);
    return is_found;
}
