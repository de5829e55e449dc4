/* SPDX-License-Identifier: MIT */
#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "payload.h"

/* The bundler reserves room for root paths of this length in what it rewrites. */
enum { ROOT_MAX = 54, KEY_AND_ROOT = 1 + 12 + 2 };

char *place_format(const char *format, ...)
{
    va_list args;
    char *text;
    int length;

    va_start(args, format);
    length = vasprintf(&text, format, args);
    va_end(args);
    return length < 0 ? NULL : text;
}

/* FNV-1a, 64 bit: for telling apart, not against attackers; the directories are ours alone. */
static uint64_t hash(uint64_t value, const void *data, size_t size)
{
    const uint8_t *bytes = data;

    for (size_t i = 0; i < size; i++)
        value = (value ^ bytes[i]) * 0x100000001b3u;
    return value;
}

static uint64_t hash_text(uint64_t value, const char *text)
{
    return text != NULL ? hash(value, text, strlen(text) + 1) : hash(value, "\xff", 1);
}

void place_key(const struct payload *payload, const char *salt, char ret[PLACE_KEY_SIZE])
{
    uint64_t value = 0xcbf29ce484222325u;

    if (payload->has_header) {
        value = hash(value, payload->header.image_hash, FORMAT_HASH_SIZE);
    } else {
        const struct stat *st = &payload->stat;
        uint64_t facts[] = {(uint64_t)st->st_dev, (uint64_t)st->st_ino, (uint64_t)st->st_size,
                            (uint64_t)st->st_mtim.tv_sec, (uint64_t)st->st_mtim.tv_nsec};

        value = hash(value, facts, sizeof(facts));
    }
    value = hash_text(value, payload->path);
    value = hash_text(value, getenv("RUCKSACK_STATE"));
    value = hash_text(value, getenv("STATE_DIRECTORY"));
    value = hash_text(value, salt);
    snprintf(ret, PLACE_KEY_SIZE, "%012llx", (unsigned long long)(value >> 16));
}

/* Opens path, made if missing, when it is a directory of ours alone. */
static int open_private(const char *path, struct err *err)
{
    struct stat st;
    int fd;

    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        err_sys(err, "%s", path);
        return -1;
    }
    fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        err_sys(err, "%s", path);
    } else if (st.st_uid != geteuid() || (st.st_mode & 0777) != 0700) {
        err_set(err, ERR_INPUT, "%s: belongs to others too", path);
    } else {
        return fd;
    }
    cleanup_fd_value(&fd);
    return -1;
}

/* Takes base over, also when it fails. */
static bool open_place(char *base, const char *key, struct place *ret, struct err *err)
{
    struct place place = {.base = base, .base_fd = -1, .dir_fd = -1};

    if (base != NULL) {
        place.dir = place_format("%s/%s", base, key);
        place.root = place_format("%s/%s/m", base, key);
    }
    if (place.dir == NULL || place.root == NULL) {
        err_set(err, ERR_INPUT, "out of memory");
        place_release(&place);
        return false;
    }
    place.base_fd = open_private(base, err);
    if (place.base_fd < 0) {
        place_release(&place);
        return false;
    }
    *ret = place;
    return true;
}

/* RUBYOPT and library paths cannot quote blanks and colons. */
static bool is_plain_path(const char *path)
{
    return path != NULL && path[0] == '/' && strpbrk(path, " \t\n:'\"\\") == NULL;
}

static char *runtime_base(bool secure)
{
    const char *dir = secure ? NULL : getenv("XDG_RUNTIME_DIR");
    struct stat st;

    if (!is_plain_path(dir) || lstat(dir, &st) != 0 || !S_ISDIR(st.st_mode) ||
        st.st_uid != geteuid() || (st.st_mode & 0777) != 0700 ||
        strlen(dir) + strlen("/rucksack") + KEY_AND_ROOT > ROOT_MAX)
        return NULL;
    return place_format("%s/rucksack", dir);
}

bool place_for_mount(const char *key, bool secure, struct place *ret, struct err *err)
{
    static const char *const parents[] = {"/tmp", "/run", "/dev/shm", "/var/tmp"};
    char *base = runtime_base(secure);
    struct err why = {0};

    if (base != NULL && open_place(base, key, ret, &why))
        return true;
    for (size_t i = 0; i < sizeof(parents) / sizeof(parents[0]); i++) {
        why = (struct err){0};
        if (open_place(place_format("%s/rucksack-%u", parents[i], (unsigned)geteuid()), key, ret,
                       &why))
            return true;
        if (i == 0)
            *err = why;
    }
    return err_wrap(err, "no private directory for the mount");
}

bool place_for_cache(const char *key, bool secure, unsigned index, struct place *ret, bool *ret_end,
                     struct err *err)
{
    const char *xdg = secure ? NULL : getenv("XDG_CACHE_HOME");
    const char *home = secure ? NULL : getenv("HOME");
    struct statvfs fs;
    char *base = NULL;

    *ret_end = index > 3;
    if (index == 0 && is_plain_path(xdg)) {
        mkdir(xdg, 0700);
        base = place_format("%s/rucksack", xdg);
    } else if (index == 1 && is_plain_path(home)) {
        cleanup_free char *cache = place_format("%s/.cache", home);

        if (cache != NULL)
            mkdir(cache, 0700);
        base = place_format("%s/.cache/rucksack", home);
    } else if (index >= 2 && index <= 3) {
        base =
            place_format("%s/rucksack-%u", index == 2 ? "/tmp" : "/var/tmp", (unsigned)geteuid());
    }
    if (base == NULL)
        return err_set(err, ERR_INPUT, "no such directory");
    if (!open_place(base, key, ret, err))
        return false;
    if (fstatvfs(ret->base_fd, &fs) == 0 && (fs.f_flag & (ST_NOEXEC | ST_RDONLY)) != 0) {
        err_set(err, ERR_INPUT, "%s: mounted %s", ret->base,
                (fs.f_flag & ST_NOEXEC) != 0 ? "noexec" : "read-only");
        place_release(ret);
        return false;
    }
    return true;
}

bool place_make_dir(struct place *place, struct err *err)
{
    const char *key = place->dir + strlen(place->base) + 1;

    if (mkdirat(place->base_fd, key, 0700) != 0 && errno != EEXIST)
        return err_sys(err, "cannot make '%s'", place->dir);
    cleanup_fd_value(&place->dir_fd);
    place->dir_fd = openat(place->base_fd, key, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (place->dir_fd < 0)
        return err_sys(err, "cannot open '%s'", place->dir);
    return true;
}

void place_release(struct place *place)
{
    cleanup_fd_value(&place->base_fd);
    cleanup_fd_value(&place->dir_fd);
    free(place->base);
    free(place->dir);
    free(place->root);
    *place = (struct place){.base_fd = -1, .dir_fd = -1};
}
