/* SPDX-License-Identifier: MIT */
#include "common/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"

bool fs_read_file(const char *path, size_t max_bytes, char **ret_data, size_t *ret_size,
                  struct err *err)
{
    /* O_NONBLOCK: a fifo must be refused, not waited for. */
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    cleanup_free char *data = NULL;
    struct stat st;
    size_t size = 0;

    if (fd < 0 || fstat(fd, &st) != 0)
        return err_sys(err, "'%s'", path);
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_INPUT, "'%s' is not a regular file", path);
    if ((unsigned long long)st.st_size > max_bytes)
        return err_set(err, ERR_INPUT, "'%s' is larger than %zu bytes", path, max_bytes);
    data = malloc((size_t)st.st_size + 1);
    if (data == NULL)
        return err_sys(err, "'%s'", path);
    while (size < (size_t)st.st_size) {
        ssize_t length = read(fd, data + size, (size_t)st.st_size - size);

        if (length < 0 && errno == EINTR)
            continue;
        if (length < 0)
            return err_sys(err, "'%s'", path);
        if (length == 0)
            break;
        size += (size_t)length;
    }
    data[size] = '\0';
    *ret_data = steal_ptr(&data);
    *ret_size = size;
    return true;
}

bool fs_has_file(const char *dir, const char *name)
{
    cleanup_fd int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct stat st;

    return fd >= 0 && fstatat(fd, name, &st, 0) == 0 && S_ISREG(st.st_mode);
}

bool fs_write_all(int fd, const void *data, size_t size, struct err *err)
{
    const char *at = data;

    while (size > 0) {
        ssize_t length = write(fd, at, size);

        if (length < 0 && errno == EINTR)
            continue;
        if (length < 0)
            return err_sys(err, "write");
        at += length;
        size -= (size_t)length;
    }
    return true;
}

bool fs_flush(FILE *stream, const char *name, struct err *err)
{
    if (fflush(stream) != 0)
        return err_sys(err, "%s", name);
    return ferror(stream) == 0 || err_set(err, ERR_SYSTEM, "%s could not be written", name);
}

const char *fs_shown(const char *path)
{
    char here[PATH_MAX];
    size_t len = getcwd(here, sizeof(here)) != NULL ? strlen(here) : 0;

    if (len > 0 && strncmp(path, here, len) == 0 && path[len] == '/' && path[len + 1] != '\0')
        path += len + 1;
    return path;
}

bool fs_put_file(const char *path, const void *data, size_t size, mode_t mode, struct err *err)
{
    cleanup_free char *fresh = NULL;
    cleanup_fd int fd = -1;

    if (asprintf(&fresh, "%s.new", path) < 0) {
        fresh = NULL;
        return err_sys(err, "'%s'", path);
    }
    (void)unlink(fresh);
    fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_sys(err, "'%s'", fresh);
    if ((fs_write_all(fd, data, size, err) || err_wrap(err, "'%s'", fresh)) &&
        ((fchmod(fd, mode) == 0 && fsync(fd) == 0) || err_sys(err, "'%s'", fresh)) &&
        (rename(fresh, path) == 0 || err_sys(err, "'%s'", path)))
        return true;
    (void)unlink(fresh);
    return false;
}

static bool make_dir(const char *path, mode_t mode, struct err *err)
{
    struct stat st;

    if (mkdir(path, mode) == 0)
        return true;
    if (errno == EEXIST && stat(path, &st) == 0 && !S_ISDIR(st.st_mode))
        errno = ENOTDIR;
    return errno == EEXIST || err_sys(err, "'%s'", path);
}

bool fs_mkdir_p(const char *path, mode_t mode, struct err *err)
{
    cleanup_free char *copy = strdup(path);

    if (copy == NULL)
        return err_sys(err, "'%s'", path);
    /* A leading slash is no end of a name. */
    for (char *at = copy + strspn(copy, "/"); (at = strchr(at, '/')) != NULL; at++) {
        *at = '\0';
        if (!make_dir(copy, mode, err))
            return false;
        *at = '/';
    }
    return make_dir(copy, mode, err);
}

static bool remove_children(int parent, const char *name, struct err *err)
{
    cleanup_fd int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    cleanup_dir DIR *entries = NULL;
    const struct dirent *entry;

    if (fd < 0)
        return err_sys(err, "'%s'", name);
    entries = fdopendir(fd);
    if (entries == NULL)
        return err_sys(err, "'%s'", name);
    (void)steal_fd(&fd); /* closedir() closes it */
    while ((entry = readdir(entries)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            !fs_remove_tree(dirfd(entries), entry->d_name, err))
            return false;
    }
    return true;
}

bool fs_remove_tree(int dirfd, const char *name, struct err *err)
{
    struct stat st;

    if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
        return true;
    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISDIR(st.st_mode))
        return err_sys(err, "'%s'", name);
    /* An unpacked directory may be read-only for its owner. */
    if ((st.st_mode & S_IRWXU) != S_IRWXU && fchmodat(dirfd, name, 0700, 0) != 0)
        return err_sys(err, "'%s'", name);
    if (!remove_children(dirfd, name, err))
        return false;
    return unlinkat(dirfd, name, AT_REMOVEDIR) == 0 || err_sys(err, "'%s'", name);
}
