/* SPDX-License-Identifier: MIT */
#include "runtime/keeper/lineage.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/fs.h"

enum { TEXT_MAX = 512 };

#define FRESH_PATH LINEAGE_PATH ".new"

static bool damaged(struct err *err)
{
    (void)err_set(err, ERR_INPUT, "'" LINEAGE_PATH "' in the state is damaged");
    (void)err_id(err, "E-LINEAGE");
    return err_hint(err, "remove it: the next snapshot begins a new lineage");
}

bool lineage_read(int dirfd, struct lineage *ret, bool *ret_found, struct err *err)
{
    cleanup_fd int fd = openat(dirfd, LINEAGE_PATH, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    char text[TEXT_MAX] = "";
    char id[DIGEST_HEX] = "";
    struct lineage lineage = {0};
    ssize_t length;

    *ret_found = fd >= 0;
    if (fd < 0 && errno == ENOENT)
        return true;
    if (fd < 0)
        return err_sys(err, "'" LINEAGE_PATH "'");
    length = read(fd, text, sizeof(text) - 1);
    if (length < 0)
        return err_sys(err, "'" LINEAGE_PATH "'");
    if (sscanf(text,
               "lineage %32[0-9a-f] epoch %20" SCNu64 " number %20" SCNu64 " rows %20" SCNu64
               " files %20" SCNu64,
               id, &lineage.epoch, &lineage.number, &lineage.rows, &lineage.files) != 5 ||
        !digest_from_hex(id, lineage.id, sizeof(lineage.id)))
        return damaged(err);
    *ret = lineage;
    return true;
}

static bool write_fresh(int dirfd, const char *text, struct err *err)
{
    cleanup_fd int fd =
        openat(dirfd, FRESH_PATH, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    struct stat owner;

    if (fd < 0)
        return err_sys(err, "'" FRESH_PATH "'");
    if (geteuid() == 0 && fstatat(dirfd, "data", &owner, 0) == 0 &&
        fchown(fd, owner.st_uid, owner.st_gid) != 0)
        return err_sys(err, "'" FRESH_PATH "'");
    return fs_write_all(fd, text, strlen(text), err) &&
           (fsync(fd) == 0 || err_sys(err, "'" FRESH_PATH "'"));
}

/* A rename lasts through a power failure only when its directory is written, too. */
static bool put_in_place(int dirfd, struct err *err)
{
    cleanup_fd int data = openat(dirfd, "data", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return (data >= 0 && renameat(dirfd, FRESH_PATH, dirfd, LINEAGE_PATH) == 0 &&
            (fsync(data) == 0 || errno == EINVAL)) ||
           err_sys(err, "'" LINEAGE_PATH "'");
}

bool lineage_write(int dirfd, const struct lineage *lineage, struct err *err)
{
    char text[TEXT_MAX];
    char id[DIGEST_HEX];

    digest_hex(lineage->id, sizeof(lineage->id), id);
    (void)snprintf(text, sizeof(text),
                   "lineage %s\nepoch %" PRIu64 "\n"
                   "number %" PRIu64 "\nrows %" PRIu64 "\nfiles %" PRIu64 "\n",
                   id, lineage->epoch, lineage->number, lineage->rows, lineage->files);
    (void)unlinkat(dirfd, FRESH_PATH, 0);
    if (write_fresh(dirfd, text, err) && put_in_place(dirfd, err))
        return true;
    (void)unlinkat(dirfd, FRESH_PATH, 0);
    return false;
}

bool lineage_begin(struct lineage *ret, struct err *err)
{
    *ret = (struct lineage){0};
    return getrandom(ret->id, sizeof(ret->id), 0) == (ssize_t)sizeof(ret->id) ||
           err_sys(err, "random numbers");
}

int lineage_compare(const struct lineage *a, const struct lineage *b)
{
    if (a->epoch != b->epoch)
        return a->epoch < b->epoch ? -1 : 1;
    if (a->number != b->number)
        return a->number < b->number ? -1 : 1;
    return 0;
}

bool lineage_same(const struct lineage *a, const struct lineage *b)
{
    return memcmp(a->id, b->id, sizeof(a->id)) == 0;
}
