/* SPDX-License-Identifier: MIT */
#include "runtime/service/releases.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/fs.h"
#include "common/xalloc.h"
#include "runtime/service/bundlefile.h"
#include "runtime/service/trust.h"

enum { ID_HASH_LEN = 12, LINK_MAX_BYTES = 4096 };

/* The number of "3-1f0c9a7b2d4e"; 0: not one of ours. */
static unsigned int number_of(const char *id)
{
    char *end = NULL;
    unsigned long number;

    if (id[0] < '1' || id[0] > '9')
        return 0;
    errno = 0;
    number = strtoul(id, &end, 10);
    if (errno != 0 || number > INT32_MAX || *end != '-' || strlen(end + 1) != ID_HASH_LEN ||
        strspn(end + 1, "0123456789abcdef") != ID_HASH_LEN)
        return 0;
    return (unsigned int)number;
}

bool releases_is_id(const char *name)
{
    return number_of(name) > 0;
}

bool releases_is_mounted(int dirfd, const char *id)
{
    cleanup_free char *image = xasprintf("%s/image", id);
    struct stat around;
    struct stat st;

    return fstatat(dirfd, id, &around, AT_SYMLINK_NOFOLLOW) == 0 &&
           fstatat(dirfd, image, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_dev != around.st_dev;
}

static int by_number(const void *a, const void *b)
{
    const struct release *left = a;
    const struct release *right = b;

    return (left->number > right->number) - (left->number < right->number);
}

static void add(struct releases *releases, unsigned int number, const char *id)
{
    releases->items =
        xgrow(releases->items, &releases->capacity, releases->count, sizeof(*releases->items));
    releases->items[releases->count++] = (struct release){number, xstrdup(id)};
}

static void find_current(struct releases *releases)
{
    cleanup_free char *link = xasprintf("%s/current", releases->dir);
    cleanup_free char *target = xcalloc(LINK_MAX_BYTES, 1);

    releases->current = SIZE_MAX;
    if (readlink(link, target, LINK_MAX_BYTES - 1) <= 0 || strncmp(target, "releases/", 9) != 0)
        return;
    for (size_t i = 0; i < releases->count; i++)
        if (strcmp(releases->items[i].id, target + 9) == 0)
            releases->current = i;
}

bool releases_open(struct releases *ret, const char *name, struct err *err)
{
    struct releases releases = {.name = name, .dir = xasprintf("/opt/%s", name)};
    cleanup_free char *path = xasprintf("%s/releases", releases.dir);
    cleanup_dir DIR *entries = opendir(path);
    const struct dirent *entry;

    if (entries == NULL && errno != ENOENT) {
        (void)err_sys(err, "'%s'", path);
        releases_release(&releases);
        return false;
    }
    while (entries != NULL && (entry = readdir(entries)) != NULL) {
        unsigned int number = number_of(entry->d_name);

        if (number > 0)
            add(&releases, number, entry->d_name);
    }
    if (releases.count > 0)
        qsort(releases.items, releases.count, sizeof(*releases.items), by_number);
    find_current(&releases);
    *ret = releases;
    return true;
}

void releases_release(struct releases *releases)
{
    for (size_t i = 0; i < releases->count; i++)
        free(releases->items[i].id);
    free(releases->items);
    free(releases->dir);
    *releases = (struct releases){.current = SIZE_MAX};
}

const struct release *releases_current(const struct releases *releases)
{
    return releases->current < releases->count ? &releases->items[releases->current] : NULL;
}

const struct release *releases_find(const struct releases *releases, unsigned int number)
{
    for (size_t i = 0; i < releases->count; i++)
        if (releases->items[i].number == number)
            return &releases->items[i];
    return NULL;
}

const struct release *releases_before(const struct releases *releases)
{
    if (releases->current == 0 || releases->current >= releases->count)
        return NULL;
    return &releases->items[releases->current - 1];
}

char *releases_path(const struct releases *releases, const struct release *release,
                    const char *name)
{
    return xasprintf("%s/releases/%s/%s", releases->dir, release->id,
                     name != NULL ? name : releases->name);
}

/* The copy is checked by the descriptor of its own file, which nobody else had. */
static bool copy_verified(const struct releases *releases, const struct bundlefile *file,
                          const char *path, struct err *err)
{
    cleanup_fd int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0700);
    struct bundlefile copy;
    bool ok;

    if (fd < 0)
        return err_sys(err, "'%s'", path);
    if (!bundlefile_copy(file, fd, err))
        return false;
    if (fchmod(fd, 0755) != 0 || fsync(fd) != 0)
        return err_sys(err, "'%s'", path);
    if (!bundlefile_open(&copy, path, err))
        return false;
    ok = bundlefile_verify(&copy, err) && trust_check(releases->name, &copy, err);
    if (ok && (memcmp(copy.hash, file->hash, sizeof(copy.hash)) != 0 ||
               strcmp(copy.header.name, file->header.name) != 0))
        ok = err_set(err, ERR_INPUT, "the bundle changed meanwhile");
    bundlefile_release(&copy);
    return ok;
}

static bool make_dir(const char *path, struct err *err)
{
    return mkdir(path, 0755) == 0 || errno == EEXIST || err_sys(err, "'%s'", path);
}

static bool fill(const struct releases *releases, const struct bundlefile *file, const char *dir,
                 struct err *err)
{
    cleanup_free char *bundle = xasprintf("%s/%s", dir, releases->name);
    cleanup_free char *image = xasprintf("%s/image", dir);
    cleanup_free char *link = xasprintf("%s/state", dir);
    cleanup_free char *state = xasprintf("/var/lib/%s", releases->name);

    if (!make_dir(dir, err) || !make_dir(image, err) || !copy_verified(releases, file, bundle, err))
        return false;
    return symlink(state, link) == 0 || err_sys(err, "'%s'", link);
}

/* What the processes see as /: empty but for the way to the state; systemd adds the rest. */
static bool make_root(const struct releases *releases, struct err *err)
{
    cleanup_free char *inner = xasprintf("%s/root/opt/%s", releases->dir, releases->name);
    cleanup_free char *link = xasprintf("%s/state", inner);
    cleanup_free char *state = xasprintf("/var/lib/%s", releases->name);

    if (!fs_mkdir_p(inner, 0755, err))
        return false;
    return symlink(state, link) == 0 || errno == EEXIST || err_sys(err, "'%s'", link);
}

bool releases_add(struct releases *releases, const struct bundlefile *file,
                  const struct release **ret, struct err *err)
{
    unsigned int number = releases->count > 0 ? releases->items[releases->count - 1].number + 1 : 1;
    cleanup_free char *parent = xasprintf("%s/releases", releases->dir);
    cleanup_free char *fresh = xasprintf("%s/" RELEASES_UNFINISHED, parent);
    cleanup_free char *id = xasprintf("%u-%.*s", number, ID_HASH_LEN, file->hash);
    cleanup_free char *place = xasprintf("%s/%s", parent, id);
    cleanup_fd int dirfd = -1;
    mode_t mask = umask(022);
    struct err later = {0};
    bool ok = fs_mkdir_p(parent, 0755, err) && make_root(releases, err);

    if (ok && (dirfd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        ok = err_sys(err, "'%s'", parent);
    ok = ok && fs_remove_tree(dirfd, RELEASES_UNFINISHED, err) &&
         fill(releases, file, fresh, err) &&
         (rename(fresh, place) == 0 || err_sys(err, "'%s'", place));
    (void)umask(mask);
    if (!ok) {
        if (dirfd >= 0)
            (void)fs_remove_tree(dirfd, RELEASES_UNFINISHED, &later);
        return false;
    }
    add(releases, number, id);
    *ret = &releases->items[releases->count - 1];
    return true;
}

bool releases_switch(struct releases *releases, const struct release *release, struct err *err)
{
    cleanup_free char *target = xasprintf("releases/%s", release->id);
    cleanup_free char *link = xasprintf("%s/current", releases->dir);
    cleanup_free char *fresh = xasprintf("%s/current.new", releases->dir);
    cleanup_free char *image = xasprintf("%s/image", releases->dir);

    (void)unlink(fresh);
    if (symlink(target, fresh) != 0 || rename(fresh, link) != 0)
        return err_sys(err, "'%s'", link);
    if (symlink("current/image", image) != 0 && errno != EEXIST)
        return err_sys(err, "'%s'", image);
    releases->current = (size_t)(release - releases->items);
    return true;
}

bool releases_remove(struct releases *releases, const struct release *release, struct err *err)
{
    size_t index = (size_t)(release - releases->items);
    cleanup_free char *parent = xasprintf("%s/releases", releases->dir);
    cleanup_fd int dirfd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (dirfd < 0)
        return err_sys(err, "'%s'", parent);
    if (releases_is_mounted(dirfd, release->id))
        return err_set(err, ERR_INPUT, "the image of release %u is in use", release->number);
    if (!fs_remove_tree(dirfd, release->id, err))
        return false;
    free(releases->items[index].id);
    memmove(&releases->items[index], &releases->items[index + 1],
            (releases->count - index - 1) * sizeof(*releases->items));
    releases->count--;
    if (releases->current < SIZE_MAX && releases->current > index)
        releases->current--;
    return true;
}
