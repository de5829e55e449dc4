/* SPDX-License-Identifier: MIT */
#include "common/statelock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"

enum { FIRST_NUMBER = 100, ROUNDS_MAX = 100 };

/*
 * Made by root for a directory of another user, it is that user's. Only one that we have made
 * ourselves: the directory's owner can put a link to a file of anybody there.
 */
static int open_file(int dirfd)
{
    const int flags = O_RDWR | O_NOFOLLOW | O_CLOEXEC;
    struct stat owner;
    int fd;

    for (int i = 0; i < ROUNDS_MAX; i++) {
        fd = openat(dirfd, STATELOCK_FILE, flags | O_CREAT | O_EXCL, 0600);
        if (fd >= 0) {
            if (geteuid() == 0 && fstat(dirfd, &owner) == 0)
                (void)!fchown(fd, owner.st_uid, owner.st_gid);
            return fd;
        }
        if (errno != EEXIST)
            return -1;
        fd = openat(dirfd, STATELOCK_FILE, flags);
        if (fd >= 0 || errno != ENOENT)
            return fd;
        /* Removed in between: a drill takes its lock file away. */
    }
    return -1;
}

bool statelock_take(int dirfd, unsigned int part, bool is_exclusive, int *ret_fd, struct err *err)
{
    cleanup_fd int low = open_file(dirfd);
    cleanup_fd int fd = low >= 0 ? fcntl(low, F_DUPFD, FIRST_NUMBER) : -1;
    struct flock lock = {
        .l_type = (short)(is_exclusive ? F_WRLCK : F_RDLCK),
        .l_whence = SEEK_SET,
        .l_start = part,
        .l_len = 1,
    };

    /* A limit on descriptors may leave no number so high. */
    if (low >= 0 && fd < 0)
        fd = fcntl(low, F_DUPFD, 3);
    if (fd < 0)
        return err_sys(err, STATELOCK_FILE);
    if (fcntl(fd, F_OFD_SETLK, &lock) != 0) {
        if (errno == EACCES)
            errno = EAGAIN; /* fcntl(2): either */
        return err_sys(err, STATELOCK_FILE);
    }
    *ret_fd = steal_fd(&fd);
    return true;
}
