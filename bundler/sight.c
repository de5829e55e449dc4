/* SPDX-License-Identifier: MIT */
#include "bundler/sight.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bundler/hash.h"
#include "common/cleanup.h"
#include "common/pattern.h"

static void finish(struct hash *hash, struct sight *ret)
{
    uint8_t sum[FORMAT_HASH_SIZE];

    hash_final(hash, sum);
    memcpy(ret->hash, sum, sizeof(ret->hash));
}

static void see_error(struct hash *hash)
{
    int why = errno;

    hash_update(hash, "!", 1);
    hash_update(hash, &why, sizeof(why));
}

/* What is in a directory, or behind a device, has sights of its own. */
static void see_stat(struct hash *hash, const struct stat *st, bool is_whole, struct sight *ret)
{
    const uint64_t always[] = {st->st_mode, st->st_uid, st->st_gid};
    const uint64_t whole[] = {st->st_dev,
                              st->st_ino,
                              (uint64_t)st->st_size,
                              (uint64_t)st->st_mtim.tv_sec,
                              (uint64_t)st->st_mtim.tv_nsec,
                              (uint64_t)st->st_ctim.tv_sec,
                              (uint64_t)st->st_ctim.tv_nsec};

    hash_update(hash, always, sizeof(always));
    if (!is_whole)
        return;
    hash_update(hash, whole, sizeof(whole));
    ret->changed = st->st_ctim;
}

static void see_real(struct hash *hash, const char *path)
{
    cleanup_free char *real = realpath(path, NULL);

    if (real == NULL)
        see_error(hash);
    else
        hash_update(hash, real, strlen(real));
}

static void see_pattern(struct hash *hash, const char *pattern)
{
    cleanup_with(pattern_release) struct pattern_found found;

    pattern_find(&found, pattern);
    for (size_t i = 0; i < found.count; i++)
        hash_update(hash, found.paths[i], strlen(found.paths[i]) + 1);
}

void sight_see(enum sight_kind kind, const char *path, struct sight *ret)
{
    struct hash hash;
    struct stat st;

    hash_init(&hash);
    *ret = (struct sight){0};
    if (kind == SIGHT_REAL)
        see_real(&hash, path);
    else if (kind == SIGHT_PATTERN)
        see_pattern(&hash, path);
    else if ((kind == SIGHT_LINK ? lstat(path, &st) : stat(path, &st)) != 0)
        see_error(&hash);
    else
        see_stat(&hash, &st,
                 S_ISREG(st.st_mode) || S_ISLNK(st.st_mode) ||
                     (kind == SIGHT_DIR && S_ISDIR(st.st_mode)),
                 ret);
    finish(&hash, ret);
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static bool is_at(const char *path, const char *dir, const char *name)
{
    size_t len = strlen(dir);

    return strncmp(path, dir, len) == 0 && path[len] == '/' && strcmp(path + len + 1, name) == 0;
}

void sight_list(const char *dir, const char *without, struct sight *ret)
{
    struct dirent **entries = NULL;
    int count = scandir(dir, &entries, NULL, by_bytes);
    struct hash hash;

    hash_init(&hash);
    *ret = (struct sight){0};
    if (count < 0)
        see_error(&hash);
    for (int i = 0; i < count; i++) {
        if (!is_at(without, dir, entries[i]->d_name)) {
            hash_update(&hash, entries[i]->d_name, strlen(entries[i]->d_name) + 1);
            hash_update(&hash, &entries[i]->d_type, 1);
        }
        free(entries[i]);
    }
    free(entries);
    finish(&hash, ret);
}

bool sight_equals(const struct sight *a, const struct sight *b)
{
    return memcmp(a->hash, b->hash, sizeof(a->hash)) == 0;
}

/* Times of a file system that has only seconds, or two of them (FAT), end in zeros. */
bool sight_is_settled(const struct sight *sight, const struct timespec *begun)
{
    time_t slack = sight->changed.tv_nsec == 0 ? 2 : 0;

    if (sight->changed.tv_sec + slack != begun->tv_sec)
        return sight->changed.tv_sec + slack < begun->tv_sec;
    return sight->changed.tv_nsec < begun->tv_nsec;
}
