/* SPDX-License-Identifier: MIT */
#include "runtime/stub/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "runtime/stub/extract.h"

enum { OPEN_DIR = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };

/* Under the lock there is one writer: an unfinished tree of this name is a dead writer's. */
#define UNFINISHED "t"

static bool check_exec(const struct place *place, struct err *err)
{
    struct statvfs fs;

    if (fstatvfs(place->dir_fd, &fs) == 0 && (fs.f_flag & ST_NOEXEC) != 0)
        return err_set(err, ERR_SYSTEM, "'%s' is mounted noexec", place->dir);
    return true;
}

static bool is_complete(const struct place *place)
{
    struct stat st;

    return fstatat(place->dir_fd, "m", &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode) &&
           st.st_uid == geteuid() && (st.st_mode & 022) == 0;
}

static bool unpack(struct sqfs_image *image, const struct place *place, struct err *err)
{
    static const struct extract_options options = {.plain = true};
    cleanup_fd int fd = -1;

    extract_remove(place->dir_fd, "m");
    extract_remove(place->dir_fd, UNFINISHED);
    if (mkdirat(place->dir_fd, UNFINISHED, 0700) != 0)
        return err_sys(err, "'%s'", place->dir);
    fd = openat(place->dir_fd, UNFINISHED, OPEN_DIR);
    if (fd < 0)
        return err_sys(err, "'%s'", place->dir);
    if (!extract_tree(image, fd, &options, NULL, err))
        return false;
    /* The image's root may be writable for others, or not for us; neither suits a cache. */
    if (fchmod(fd, 0700) != 0 || syncfs(fd) != 0)
        return err_sys(err, "'%s'", place->dir);
    if (renameat(place->dir_fd, UNFINISHED, place->dir_fd, "m") != 0)
        return err_sys(err, "'%s'", place->root);
    return true;
}

static bool unpack_at(struct sqfs_image *image, struct place *place, struct err *err)
{
    if (!check_exec(place, err) || !place_lock(place, err))
        return false;
    if (!is_complete(place) && !unpack(image, place, err)) {
        extract_remove(place->dir_fd, UNFINISHED);
        return false;
    }
    if (!place_add_user(place, getpid(), err))
        return false;
    place_unlock(place);
    return true;
}

/* Adds one place's failure to the report; what does not fit is left out. */
static void report(struct err *all, const struct err *one)
{
    size_t used = strlen(all->msg);

    (void)snprintf(all->msg + used, sizeof(all->msg) - used, "%s%s", used > 0 ? ", " : "",
                   one->msg);
}

bool cache_unpack(struct sqfs_image *image, enum place_kind kind, const char *key, bool trusted,
                  struct place *ret, struct err *err)
{
    struct err all = {.kind = ERR_SYSTEM};
    bool last = false;

    for (size_t i = 0; !last; i++) {
        struct place place = PLACE_NONE;
        struct err one = {0};

        if (!place_open(&place, kind, i, key, trusted, &last, &one)) {
            report(&all, &one);
            continue;
        }
        if (unpack_at(image, &place, &one)) {
            *ret = place;
            return true;
        }
        place_remove(&place);
        place_release(&place);
        /* The image itself is wrong: no other place mends that. */
        if (strcmp(one.id, "E-IMAGE") == 0) {
            *err = one;
            return false;
        }
        report(&all, &one);
    }
    *err = all;
    return false;
}
