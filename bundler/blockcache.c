/* SPDX-License-Identifier: MIT */
#include "bundler/blockcache.h"

#include <dirent.h>
#include <fcntl.h>
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

enum { UNUSED_SECONDS = 30 * 24 * 3600, NAME_LEN = 2 * FORMAT_HASH_SIZE };

struct blockcache {
    int dir;
    uint8_t maker[FORMAT_HASH_SIZE]; /* this program and the level */
};

/* What nobody has asked for lately, and what a killed build has left. */
static void remove_old(int dir)
{
    cleanup_dir DIR *stream = fdopendir(dup(dir));
    const struct dirent *entry;
    struct stat st;
    time_t now = time(NULL);

    while (stream != NULL && (entry = readdir(stream)) != NULL) {
        if (entry->d_name[0] != '.' && fstatat(dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            st.st_mtime < now - UNUSED_SECONDS)
            (void)unlinkat(dir, entry->d_name, 0);
    }
}

/* Another compressor, or another version of it, is another program. */
static bool name_maker(uint8_t ret[FORMAT_HASH_SIZE], int level, struct err *err)
{
    cleanup_fd int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    struct hash hash;
    struct stat st;

    hash_init(&hash);
    hash_update(&hash, &level, sizeof(level));
    if (self < 0 || fstat(self, &st) != 0 ||
        !hash_update_range(&hash, self, 0, (uint64_t)st.st_size, err))
        return false;
    hash_final(&hash, ret);
    return true;
}

/* Whoever may write there could put something else into a bundle. */
static bool is_ours_alone(int dir)
{
    struct stat st;

    return fstat(dir, &st) == 0 && st.st_uid == geteuid() && (st.st_mode & 022) == 0;
}

struct blockcache *blockcache_open(int level)
{
    struct blockcache cache = {.dir = -1};
    struct blockcache *ret;
    cleanup_free char *path = NULL;
    struct err ignored = {0};

    if (!name_maker(cache.maker, level, &ignored) || !cachedir_make("blocks", &path, &ignored))
        return NULL;
    cache.dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (cache.dir < 0 || !is_ours_alone(cache.dir)) {
        cleanup_fd_value(&cache.dir);
        return NULL;
    }
    remove_old(cache.dir);
    ret = xcalloc(1, sizeof(*ret));
    *ret = cache;
    return ret;
}

void blockcache_close(struct blockcache *cache)
{
    if (cache == NULL)
        return;
    (void)close(cache->dir);
    free(cache);
}

static void hex(const uint8_t hash[FORMAT_HASH_SIZE], char ret[NAME_LEN + 1])
{
    for (size_t i = 0; i < FORMAT_HASH_SIZE; i++)
        (void)snprintf(ret + 2 * i, 3, "%02x", hash[i]);
}

static void name_of(const struct blockcache *cache, const void *block, size_t size,
                    char ret[NAME_LEN + 1])
{
    struct hash hash;
    uint8_t sum[FORMAT_HASH_SIZE];

    hash_init(&hash);
    hash_update(&hash, cache->maker, sizeof(cache->maker));
    hash_update(&hash, block, size);
    hash_final(&hash, sum);
    hex(sum, ret);
}

static void sum_of(const void *bytes, size_t size, uint8_t ret[FORMAT_HASH_SIZE])
{
    struct hash hash;

    hash_init(&hash);
    hash_update(&hash, bytes, size);
    hash_final(&hash, ret);
}

int64_t blockcache_get(const struct blockcache *cache, const void *block, size_t size, void *ret,
                       size_t room)
{
    char name[NAME_LEN + 1];
    uint8_t kept[FORMAT_HASH_SIZE];
    uint8_t sum[FORMAT_HASH_SIZE];
    cleanup_fd int fd = -1;
    struct stat st;
    size_t packed;

    name_of(cache, block, size, name);
    fd = openat(cache->dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size < FORMAT_HASH_SIZE ||
        (uint64_t)st.st_size - FORMAT_HASH_SIZE > room)
        return -1;
    packed = (size_t)st.st_size - FORMAT_HASH_SIZE;
    if (pread(fd, kept, sizeof(kept), 0) != (ssize_t)sizeof(kept) ||
        pread(fd, ret, packed, FORMAT_HASH_SIZE) != (ssize_t)packed)
        return -1;
    sum_of(ret, packed, sum);
    if (memcmp(sum, kept, sizeof(sum)) != 0)
        return -1;
    (void)futimens(fd, NULL); /* asked for today */
    return (int64_t)packed;
}

void blockcache_put(const struct blockcache *cache, const void *block, size_t size,
                    const void *compressed, size_t size_bytes)
{
    char name[NAME_LEN + 1];
    uint8_t sum[FORMAT_HASH_SIZE];
    cleanup_free char *scratch = NULL;
    cleanup_fd int fd = -1;
    struct err ignored = {0};
    bool ok;

    name_of(cache, block, size, name);
    scratch = xasprintf("%s.%ld.%p", name, (long)getpid(), block);
    fd = openat(cache->dir, scratch, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    sum_of(compressed, size_bytes, sum);
    ok = fs_write_all(fd, sum, sizeof(sum), &ignored) &&
         fs_write_all(fd, compressed, size_bytes, &ignored) &&
         renameat(cache->dir, scratch, cache->dir, name) == 0;
    if (!ok)
        (void)unlinkat(cache->dir, scratch, 0);
}
