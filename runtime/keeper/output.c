/* SPDX-License-Identifier: MIT */
#include "runtime/keeper/output.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/xalloc.h"

static bool has_no_room(struct err *err)
{
    if (err->sys_errno != ENOSPC && err->sys_errno != EDQUOT)
        return false;
    (void)err_id(err, "E-SPACE");
    (void)err_hint(err, "make room; nothing was left behind, and nothing is lost");
    return true;
}

static bool is_unexplained(const struct err *err)
{
    return err->kind == ERR_SYSTEM && err->sys_errno != 0 && err->id[0] == '\0';
}

bool output_explain(const char *path, struct err *err)
{
    if (!has_no_room(err) && is_unexplained(err)) {
        (void)err_id(err, "E-OUTPUT");
        (void)err_hint(err, "name another place than '%.200s': -o FILE", path);
    }
    return false;
}

bool output_explain_state(const char *dir, struct err *err)
{
    if (!has_no_room(err) && is_unexplained(err)) {
        (void)err_id(err, "E-WRITE");
        (void)err_hint(err, "is '%.200s' yours to write, on a disk without errors?", dir);
    }
    return false;
}

static char *directory_of(const char *path)
{
    cleanup_free char *copy = xstrdup(path);

    return xstrdup(dirname(copy));
}

static bool open_file(struct output *output, struct err *err)
{
    output->fd = open(output->directory, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    if (output->fd >= 0)
        return true;
    if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
        return err_sys(err, "'%s'", output->directory);
    (void)unlink(output->scratch);
    output->fd = open(output->scratch, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (output->fd < 0)
        return err_sys(err, "'%s'", output->scratch);
    output->is_named = true;
    if (output->path == NULL && unlink(output->scratch) == 0)
        output->is_named = false;
    return true;
}

bool output_open(struct output *ret, const char *directory, const char *path, struct err *err)
{
    struct output output = {.fd = -1};
    struct stat st;

    if (path != NULL && stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
        errno = S_ISDIR(st.st_mode) ? EISDIR : EEXIST;
        (void)err_sys(err, "'%s'", path);
        return output_explain(path, err);
    }
    output.path = path != NULL ? xstrdup(path) : NULL;
    output.directory = path != NULL ? directory_of(path) : xstrdup(directory);
    output.scratch =
        path != NULL ? xasprintf("%s.unfinished", path) : xasprintf("%s/.unfinished", directory);
    if (!open_file(&output, err)) {
        (void)(path != NULL ? output_explain(path, err) : output_explain_state(directory, err));
        output_release(&output);
        return false;
    }
    *ret = output;
    return true;
}

/* A rename lasts through a power failure only when its directory is written, too. */
static bool sync_directory(const char *directory, struct err *err)
{
    cleanup_fd int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return (fd >= 0 && (fsync(fd) == 0 || errno == EINVAL || errno == EROFS)) ||
           err_sys(err, "'%s'", directory);
}

static bool give_name(struct output *output, struct err *err)
{
    cleanup_free char *link = xasprintf("/proc/self/fd/%d", output->fd);

    if (!output->is_named) {
        if (linkat(AT_FDCWD, link, AT_FDCWD, output->path, AT_SYMLINK_FOLLOW) == 0)
            return true;
        /* linkat(2) does not replace: then first another name, and rename(2), which does. */
        (void)unlink(output->scratch);
        if (linkat(AT_FDCWD, link, AT_FDCWD, output->scratch, AT_SYMLINK_FOLLOW) != 0)
            return err_sys(err, "'%s'", output->scratch);
        output->is_named = true;
    }
    if (rename(output->scratch, output->path) != 0)
        return err_sys(err, "'%s'", output->path);
    output->is_named = false;
    return true;
}

bool output_publish(struct output *output, mode_t mode, struct err *err)
{
    if ((fchmod(output->fd, mode) == 0 && fsync(output->fd) == 0) || err_sys(err, "sync"))
        if (give_name(output, err) && sync_directory(output->directory, err))
            return true;
    return output_explain(output->path, err);
}

void output_release(struct output *output)
{
    if (output->is_named)
        (void)unlink(output->scratch);
    cleanup_fd_value(&output->fd);
    free(output->directory);
    free(output->path);
    free(output->scratch);
    *output = (struct output){.fd = -1};
}
