/* SPDX-License-Identifier: MIT */
#include "bundler/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "bundler/cachedir.h"
#include "bundler/hash.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/fs.h"
#include "common/xalloc.h"

/* Those who put and get are threads, too: no function of xalloc.h there. */
enum {
    UNUSED_SECONDS = 30 * 24 * 3600,
    ASKED_SECONDS = 24 * 3600, /* how exactly it is known when somebody has asked last */
    NAME_LEN = 2 * FORMAT_HASH_SIZE,
};

struct store {
    int dir;
    uint8_t maker[FORMAT_HASH_SIZE]; /* this program */
};

/* What nobody has asked for lately, and what a killed build has left. */
static void remove_old(int dir)
{
    cleanup_fd int copy = fcntl(dir, F_DUPFD_CLOEXEC, 0);
    cleanup_dir DIR *stream = copy < 0 ? NULL : fdopendir(copy);
    const struct dirent *entry;
    struct stat st;
    time_t now = time(NULL);

    if (stream != NULL)
        copy = -1;
    while (stream != NULL && (entry = readdir(stream)) != NULL) {
        if (strspn(entry->d_name, "0123456789abcdef") == NAME_LEN &&
            fstatat(dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            st.st_mtime < now - UNUSED_SECONDS)
            (void)unlinkat(dir, entry->d_name, 0);
    }
}

static bool name_maker(uint8_t ret[FORMAT_HASH_SIZE], struct err *err)
{
    cleanup_fd int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    struct stat st;

    if (self < 0 || fstat(self, &st) != 0)
        return err_sys(err, "/proc/self/exe");
    return hash_range(self, 0, (uint64_t)st.st_size, ret, err);
}

/* Whoever may write there could put something else into a bundle. */
static bool is_ours_alone(int fd, mode_t type)
{
    struct stat st;

    return fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == type && st.st_uid == geteuid() &&
           (st.st_mode & 022) == 0;
}

struct store *store_open(const char *name)
{
    struct store store = {.dir = -1};
    struct store *ret;
    cleanup_free char *path = NULL;
    struct err ignored = {0};

    if (!name_maker(store.maker, &ignored) || !cachedir_make(name, &path, &ignored))
        return NULL;
    store.dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (store.dir < 0 || !is_ours_alone(store.dir, S_IFDIR)) {
        cleanup_fd_value(&store.dir);
        return NULL;
    }
    remove_old(store.dir);
    ret = xcalloc(1, sizeof(*ret));
    *ret = store;
    return ret;
}

void store_close(struct store *store)
{
    if (store == NULL)
        return;
    (void)close(store->dir);
    free(store);
}

/* Another program, another file. */
static void name_of(const struct store *store, const struct store_key *key, char ret[NAME_LEN + 1])
{
    struct hash hash;
    uint8_t sum[FORMAT_HASH_SIZE];

    hash_init(&hash);
    hash_update(&hash, store->maker, sizeof(store->maker));
    hash_update(&hash, key->hash, sizeof(key->hash));
    hash_final(&hash, sum);
    format_hex(sum, FORMAT_HASH_SIZE, ret);
}

/* The size of the value behind its hash, or -1. */
static int64_t open_value(const struct store *store, const struct store_key *key, int *ret_fd,
                          uint8_t ret_sum[FORMAT_HASH_SIZE])
{
    char name[NAME_LEN + 1];
    struct stat st;

    if (store == NULL)
        return -1;
    name_of(store, key, name);
    *ret_fd = openat(store->dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (*ret_fd < 0 || !is_ours_alone(*ret_fd, S_IFREG) || fstat(*ret_fd, &st) != 0 ||
        st.st_size < FORMAT_HASH_SIZE ||
        pread(*ret_fd, ret_sum, FORMAT_HASH_SIZE, 0) != FORMAT_HASH_SIZE)
        return -1;
    if (st.st_mtime < time(NULL) - ASKED_SECONDS)
        (void)futimens(*ret_fd, NULL);
    return st.st_size - FORMAT_HASH_SIZE;
}

static bool read_value(int fd, const uint8_t sum[FORMAT_HASH_SIZE], void *ret, size_t size)
{
    uint8_t found[FORMAT_HASH_SIZE];

    if (pread(fd, ret, size, FORMAT_HASH_SIZE) != (ssize_t)size)
        return false;
    hash_bytes(ret, size, found);
    return memcmp(sum, found, sizeof(found)) == 0;
}

int64_t store_get(const struct store *store, const struct store_key *key, void *ret, size_t room)
{
    uint8_t sum[FORMAT_HASH_SIZE] = {0};
    cleanup_fd int fd = -1;
    int64_t size = open_value(store, key, &fd, sum);

    return size >= 0 && (uint64_t)size <= room && read_value(fd, sum, ret, (size_t)size) ? size
                                                                                         : -1;
}

char *store_load(const struct store *store, const struct store_key *key, size_t max_bytes,
                 size_t *ret_size)
{
    uint8_t sum[FORMAT_HASH_SIZE] = {0};
    cleanup_fd int fd = -1;
    cleanup_free char *value = NULL;
    int64_t size = open_value(store, key, &fd, sum);

    if (size < 0 || (uint64_t)size > max_bytes)
        return NULL;
    value = xcalloc((size_t)size + 1, 1);
    if (!read_value(fd, sum, value, (size_t)size))
        return NULL;
    *ret_size = (size_t)size;
    return steal_ptr(&value);
}

static bool write_value(int fd, const uint8_t sum[FORMAT_HASH_SIZE], const void *value, size_t size)
{
    struct err ignored = {0};

    return fs_write_all(fd, sum, FORMAT_HASH_SIZE, &ignored) &&
           fs_write_all(fd, value, size, &ignored);
}

/* What has the name is the same, or damaged. */
static bool give_name(const struct store *store, int fd, const char *name)
{
    char link[sizeof("/proc/self/fd/-2147483648")];

    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    if (linkat(AT_FDCWD, link, store->dir, name, AT_SYMLINK_FOLLOW) == 0)
        return true;
    return errno == EEXIST && unlinkat(store->dir, name, 0) == 0 &&
           linkat(AT_FDCWD, link, store->dir, name, AT_SYMLINK_FOLLOW) == 0;
}

/* Where files without a name cannot be: a build that is killed meanwhile leaves it. */
static void put_named(const struct store *store, const char *name,
                      const uint8_t sum[FORMAT_HASH_SIZE], const void *value, size_t size)
{
    char scratch[NAME_LEN + sizeof(".-9223372036854775808.ffffffffffffffff")];
    cleanup_fd int fd = -1;

    (void)snprintf(scratch, sizeof(scratch), "%s.%ld.%lx", name, (long)getpid(),
                   (unsigned long)pthread_self());
    fd = openat(store->dir, scratch, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd >= 0 && (!write_value(fd, sum, value, size) ||
                    renameat(store->dir, scratch, store->dir, name) != 0))
        (void)unlinkat(store->dir, scratch, 0);
}

void store_put(const struct store *store, const struct store_key *key, const void *value,
               size_t size_bytes)
{
    char name[NAME_LEN + 1];
    uint8_t sum[FORMAT_HASH_SIZE];
    cleanup_fd int fd = -1;

    if (store == NULL)
        return;
    name_of(store, key, name);
    hash_bytes(value, size_bytes, sum);
    fd = openat(store->dir, ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600);
    if (fd < 0 || !write_value(fd, sum, value, size_bytes) || !give_name(store, fd, name))
        put_named(store, name, sum, value, size_bytes);
}

struct store_key store_key(const struct store_piece *pieces, size_t count)
{
    struct store_key key = {0};
    struct hash hash;

    hash_init(&hash);
    for (size_t i = 0; i < count; i++) {
        uint64_t size = pieces[i].size_bytes;

        hash_update(&hash, &size, sizeof(size));
        hash_update(&hash, pieces[i].data, pieces[i].size_bytes);
    }
    hash_final(&hash, key.hash);
    return key;
}
