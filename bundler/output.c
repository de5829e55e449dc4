/* SPDX-License-Identifier: MIT */
#include "bundler/output.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/unfinished.h"
#include "common/xalloc.h"

void output_release(struct output *output)
{
    if (output->is_named)
        (void)unlink(output->scratch);
    unfinished_forget(output->scratch);
    cleanup_fd_value(&output->fd);
    free(output->directory);
    free(output->scratch);
}

static bool bad_output(const char *path, struct err *err)
{
    (void)err_id(err, errno == ENOSPC || errno == EDQUOT ? "E-SPACE" : "E-OUTPUT");
    return err_hint(err,
                    errno == ENOSPC || errno == EDQUOT
                        ? "make room where '%.300s' is to be, or name another place with -o"
                        : "'%.300s' cannot be made; name another place with -o",
                    path);
}

static bool output_failed(const char *path, struct err *err)
{
    int why = errno;

    (void)err_sys(err, "'%s'", path);
    errno = why;
    return bad_output(path, err);
}

bool output_open(struct output *ret, const char *path, struct err *err)
{
    cleanup_free char *copy = xstrdup(path);
    struct stat st;

    *ret = (struct output){.path = path, .fd = -1};
    ret->directory = xstrdup(dirname(copy));
    ret->scratch = xasprintf("%s.%ld.tmp", path, (long)getpid());
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        errno = EISDIR;
        return output_failed(path, err);
    }
    ret->fd = open(ret->directory, O_RDWR | O_TMPFILE | O_CLOEXEC, 0755);
    if (ret->fd >= 0)
        return true;
    unfinished_watch(ret->scratch);
    ret->fd = open(ret->scratch, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
    ret->is_named = ret->fd >= 0;
    if (ret->is_named)
        return true;
    return output_failed(path, err);
}

bool output_open_beside(struct output *ret, const char *path, int fd, struct err *err)
{
    struct stat there;
    struct stat st;

    if (stat(path, &there) != 0 || fstat(fd, &st) != 0 || there.st_dev != st.st_dev ||
        there.st_ino != st.st_ino)
        return output_open(ret, path, err);
    *ret = (struct output){.path = path, .fd = -1};
    (void)err_set(err, ERR_INPUT, "'%s' is the file that this is made from", path);
    (void)err_id(err, "E-OUTPUT");
    return err_hint(err, "name another place with -o");
}

/* A rename lasts through a power failure only when its directory is written too. */
static bool sync_directory(const char *directory, struct err *err)
{
    cleanup_fd int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0 && (fsync(fd) == 0 || errno == EINVAL || errno == EROFS))
        return true;
    return err_sys(err, "'%s'", directory);
}

/* A file without a name gets one by linkat(2), which does not replace: so first the scratch name,
 * then rename(2), which does. */
bool output_publish(struct output *output, mode_t mode, struct err *err)
{
    cleanup_free char *link = xasprintf("/proc/self/fd/%d", output->fd);

    if (fchmod(output->fd, mode) != 0 || fsync(output->fd) != 0)
        return output_failed(output->path, err);
    if (!output->is_named) {
        unfinished_watch(output->scratch);
        if (linkat(AT_FDCWD, link, AT_FDCWD, output->scratch, AT_SYMLINK_FOLLOW) != 0)
            return output_failed(output->scratch, err);
        output->is_named = true;
    }
    if (rename(output->scratch, output->path) != 0)
        return output_failed(output->path, err);
    output->is_named = false;
    return sync_directory(output->directory, err);
}

bool output_explain(const char *path, struct err *err)
{
    errno = err->sys_errno;
    if (errno == ENOSPC || errno == EDQUOT)
        (void)bad_output(path, err);
    return err_wrap(err, "'%s'", path);
}
