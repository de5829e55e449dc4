/* SPDX-License-Identifier: MIT */
#include "runtime/stub/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"

enum { CHECKERS = 2, OPEN_DIR = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };

/* The next name that is not "." or "..", or NULL. */
static const struct dirent *next_entry(DIR *dir)
{
    const struct dirent *entry;

    while ((entry = readdir(dir)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            return entry;
    return NULL;
}

static DIR *open_dir(int dir_fd, const char *name)
{
    int fd = openat(dir_fd, name, OPEN_DIR);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);

    if (dir == NULL && fd >= 0)
        (void)close(fd);
    return dir;
}

struct list_builder {
    struct tree_list list;
    size_t capacity, paths_capacity;
    char *path; /* of the entry at hand */
    size_t path_capacity;
};

static void *grow(void *items, size_t *capacity, size_t need, size_t each)
{
    size_t larger = need + need / 2 + 1024;
    void *grown = need <= *capacity ? items : reallocarray(items, larger, each);

    if (grown != NULL && need > *capacity)
        *capacity = larger;
    return grown;
}

static struct tree_fact make_fact(const struct stat *st)
{
    return (struct tree_fact){
        .size = S_ISDIR(st->st_mode) ? 0 : (uint64_t)st->st_size,
        .mtime = st->st_mtim.tv_sec,
        .mtime_ns = st->st_mtim.tv_nsec,
        .ctime = st->st_ctim.tv_sec,
        .ctime_ns = st->st_ctim.tv_nsec,
        .mode = st->st_mode,
    };
}

static bool append(struct list_builder *builder, const char *path, const struct stat *st)
{
    struct tree_list *list = &builder->list;
    size_t len = strlen(path) + 1;
    void *facts = grow(list->facts, &builder->capacity, list->count + 1, sizeof(*list->facts));
    void *paths;

    if (facts == NULL)
        return false;
    list->facts = facts;
    paths = grow(list->paths, &builder->paths_capacity, list->paths_size + len, 1);
    if (paths == NULL)
        return false;
    list->paths = paths;
    if (list->count == TREE_COUNT_MAX || len > TREE_PATHS_MAX - list->paths_size) {
        errno = EFBIG;
        return false;
    }
    list->facts[list->count] = make_fact(st);
    list->facts[list->count++].path = list->paths_size;
    memcpy(list->paths + list->paths_size, path, len);
    list->paths_size += (uint32_t)len;
    return true;
}

/* Puts name behind the first parent_len bytes of the path. */
static bool set_path(struct list_builder *builder, size_t parent_len, const char *name)
{
    size_t len = strlen(name) + 1;
    char *path = grow(builder->path, &builder->path_capacity, parent_len + len + 1, 1);

    if (path == NULL)
        return false;
    builder->path = path;
    if (parent_len > 0)
        path[parent_len++] = '/';
    memcpy(path + parent_len, name, len);
    return true;
}

static bool list_dir(struct list_builder *builder, int dir_fd, const char *name, size_t path_len)
{
    cleanup_dir DIR *dir = open_dir(dir_fd, name);
    const struct dirent *entry;
    struct stat st;

    if (dir == NULL)
        return false;
    while (errno = 0, (entry = next_entry(dir)) != NULL) {
        if (!set_path(builder, path_len, entry->d_name) ||
            fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
            !append(builder, builder->path, &st))
            return false;
        if (S_ISDIR(st.st_mode) &&
            !list_dir(builder, dirfd(dir), entry->d_name, strlen(builder->path)))
            return false;
    }
    return errno == 0;
}

bool tree_list(int dir_fd, const char *name, struct tree_list *ret, struct err *err)
{
    struct list_builder builder = {0};
    struct stat st;
    bool ok = fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && append(&builder, ".", &st) &&
              list_dir(&builder, dir_fd, name, 0);

    if (!ok)
        (void)err_sys(err, "cannot examine the unpacked files");
    free(builder.path);
    if (ok)
        *ret = builder.list;
    else
        tree_list_release(&builder.list);
    return ok;
}

void tree_list_release(struct tree_list *list)
{
    if (list == NULL)
        return;
    free(list->facts);
    free(list->paths);
    *list = (struct tree_list){0};
}

struct check {
    const struct tree_list *list;
    int fd; /* of the tree */
    uint32_t first, step;
    bool same;
};

static void *check_facts(void *argument)
{
    struct check *check = argument;
    const struct tree_list *list = check->list;

    check->same = true;
    for (uint32_t i = check->first; check->same && i < list->count; i += check->step) {
        struct tree_fact now = {0};
        struct stat st;

        check->same =
            fstatat(check->fd, list->paths + list->facts[i].path, &st, AT_SYMLINK_NOFOLLOW) == 0;
        if (check->same) {
            now = make_fact(&st);
            now.path = list->facts[i].path;
            check->same = memcmp(&now, &list->facts[i], sizeof(now)) == 0;
        }
    }
    return NULL;
}

bool tree_unchanged(int dir_fd, const char *name, const struct tree_list *list)
{
    cleanup_fd int fd = openat(dir_fd, name, OPEN_DIR);
    struct check checks[CHECKERS];
    pthread_t threads[CHECKERS];
    bool started[CHECKERS] = {false};
    bool same = fd >= 0 && list->count > 0;

    for (uint32_t i = 0; same && i < CHECKERS; i++) {
        checks[i] = (struct check){list, fd, i, CHECKERS, true};
        started[i] = i > 0 && pthread_create(&threads[i], NULL, check_facts, &checks[i]) == 0;
        if (i > 0 && !started[i])
            (void)check_facts(&checks[i]);
    }
    if (same)
        (void)check_facts(&checks[0]);
    for (uint32_t i = 0; i < CHECKERS; i++) {
        if (started[i])
            (void)pthread_join(threads[i], NULL);
        same = same && checks[i].same;
    }
    return same;
}

static bool write_all(int fd, const void *data, size_t size)
{
    const char *at = data;

    while (size > 0) {
        ssize_t put = write(fd, at, size);

        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return false;
        at += put;
        size -= (size_t)put;
    }
    return true;
}

static bool read_all(int fd, void *data, size_t size)
{
    char *at = data;

    while (size > 0) {
        ssize_t got = read(fd, at, size);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        at += got;
        size -= (size_t)got;
    }
    return true;
}

bool tree_list_write(const struct tree_list *list, int fd)
{
    const uint32_t sizes[] = {list->count, list->paths_size};

    return write_all(fd, sizes, sizeof(sizes)) &&
           write_all(fd, list->facts, list->count * sizeof(*list->facts)) &&
           write_all(fd, list->paths, list->paths_size);
}

static bool read_list(struct tree_list *list, int fd)
{
    uint32_t sizes[2];
    struct stat st;

    if (!read_all(fd, sizes, sizeof(sizes)) || sizes[0] > TREE_COUNT_MAX ||
        sizes[1] > TREE_PATHS_MAX || sizes[1] == 0 || fstat(fd, &st) != 0 ||
        st.st_size < (off_t)(sizes[0] * sizeof(*list->facts) + sizes[1]))
        return false;
    list->count = sizes[0];
    list->paths_size = sizes[1];
    list->facts = calloc(list->count, sizeof(*list->facts));
    list->paths = malloc(list->paths_size);
    if (list->facts == NULL || list->paths == NULL ||
        !read_all(fd, list->facts, list->count * sizeof(*list->facts)) ||
        !read_all(fd, list->paths, list->paths_size) || list->paths[list->paths_size - 1] != '\0')
        return false;
    for (uint32_t i = 0; i < list->count; i++)
        if (list->facts[i].path >= list->paths_size)
            return false;
    return true;
}

bool tree_list_read(struct tree_list *ret, int fd)
{
    struct tree_list list = {0};

    if (!read_list(&list, fd)) {
        tree_list_release(&list);
        return false;
    }
    *ret = list;
    return true;
}

static void flush_file(int dir_fd, const char *name)
{
    cleanup_fd int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

    if (fd >= 0)
        (void)sync_file_range(fd, 0, 0,
                              SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                                  SYNC_FILE_RANGE_WAIT_AFTER);
}

void tree_flush(int dir_fd, const char *name)
{
    cleanup_dir DIR *dir = open_dir(dir_fd, name);
    const struct dirent *entry;

    while (dir != NULL && (entry = next_entry(dir)) != NULL) {
        if (entry->d_type == DT_DIR)
            tree_flush(dirfd(dir), entry->d_name);
        else if (entry->d_type != DT_LNK)
            flush_file(dirfd(dir), entry->d_name);
    }
}

/* Images carry directories that their owner may not read or write. */
static void make_accessible(int dir_fd, const char *name)
{
    cleanup_fd int fd = openat(dir_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (fd >= 0)
        (void)chmod(path, 0700);
}

void tree_remove(int dir_fd, const char *name)
{
    cleanup_dir DIR *dir = NULL;
    const struct dirent *entry;

    if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
        return;
    make_accessible(dir_fd, name);
    dir = open_dir(dir_fd, name);
    while (dir != NULL && (entry = next_entry(dir)) != NULL)
        tree_remove(dirfd(dir), entry->d_name);
    (void)unlinkat(dir_fd, name, AT_REMOVEDIR);
}
