/* SPDX-License-Identifier: MIT */
#include "common/stateswap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/err.h"

enum { EXCHANGE = 2 }; /* RENAME_EXCHANGE, linux/fs.h */

static bool is_there(int fd, const char *path)
{
    struct stat st;

    return fstatat(fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool move(int fd, const char *from, const char *to, struct err *err)
{
    return renameat(fd, from, fd, to) == 0 || err_sys(err, "'%s' to '%s'", from, to);
}

static bool cannot_exchange(int why)
{
    return why == EINVAL || why == ENOSYS || why == EOPNOTSUPP || why == EPERM;
}

/* An empty directory that stays is no failure: the next one removes it. */
static bool keep_old(int fd, const char *before, struct err *err)
{
    if (!move(fd, STATESWAP_NEW, before, err))
        return false;
    (void)unlinkat(fd, STATESWAP_DIR, AT_REMOVEDIR);
    return true;
}

static bool put_new(int fd, struct err *err)
{
    if (!move(fd, STATESWAP_NEW, STATESWAP_DATA, err))
        return false;
    (void)unlinkat(fd, STATESWAP_DIR, AT_REMOVEDIR);
    return true;
}

static int exchange(int fd)
{
    return (int)syscall(SYS_renameat2, fd, STATESWAP_NEW, fd, STATESWAP_DATA, EXCHANGE);
}

static bool explain(struct err *err)
{
    (void)err_sys(err, "'" STATESWAP_DATA "' in the state directory");
    if (err->sys_errno == EBUSY)
        (void)err_hint(err, "it is a mount point: mount at the state directory instead");
    return false;
}

/* What is still to be is unfinished again: the caller may remove it. Only with the state in place:
 * without it, the new one is all there is. */
static bool mark_again(int fd)
{
    int mark = openat(fd, STATESWAP_MARK, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    if (mark >= 0)
        (void)close(mark);
    return false;
}

static bool take_in_two(int fd, const char *before, struct err *err)
{
    if (renameat(fd, STATESWAP_DATA, fd, before) != 0)
        return explain(err) || mark_again(fd);
    if (renameat(fd, STATESWAP_NEW, fd, STATESWAP_DATA) != 0) {
        (void)explain(err);
        if (renameat(fd, before, fd, STATESWAP_DATA) != 0)
            return false; /* the next start takes the second step: stateswap_finish() */
        return mark_again(fd);
    }
    (void)unlinkat(fd, STATESWAP_DIR, AT_REMOVEDIR);
    return true;
}

bool stateswap_take(int statefd, const char *before, bool *ret_is_kept, struct err *err)
{
    *ret_is_kept = is_there(statefd, STATESWAP_DATA);
    if (unlinkat(statefd, STATESWAP_MARK, 0) != 0)
        return err_sys(err, "'" STATESWAP_MARK "'");
    if (!*ret_is_kept)
        return put_new(statefd, err) || mark_again(statefd);
    if (exchange(statefd) == 0) {
        if (keep_old(statefd, before, err))
            return true;
        return exchange(statefd) == 0 && mark_again(statefd);
    }
    if (cannot_exchange(errno))
        return take_in_two(statefd, before, err);
    return explain(err) || mark_again(statefd);
}

bool stateswap_finish(int statefd, const char *before, struct err *err)
{
    struct err why = {0};

    if (!is_there(statefd, STATESWAP_DIR) || is_there(statefd, STATESWAP_MARK))
        return true;
    if (!is_there(statefd, STATESWAP_NEW)) {
        (void)unlinkat(statefd, STATESWAP_DIR, AT_REMOVEDIR);
        return true;
    }
    if (is_there(statefd, STATESWAP_DATA) ? keep_old(statefd, before, &why)
                                          : put_new(statefd, &why))
        return true;
    if (why.sys_errno == ENOENT)
        return true; /* another one that starts beside us was faster */
    *err = why;
    return false;
}
