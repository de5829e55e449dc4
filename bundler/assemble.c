/* SPDX-License-Identifier: MIT */
#include "bundler/assemble.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bundler/asset.h"
#include "bundler/bundle.h"
#include "bundler/image.h"
#include "bundler/plan.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/format.h"
#include "common/fs.h"
#include "common/unfinished.h"
#include "common/xalloc.h"

/*
 * The file is written without a name (O_TMPFILE) where the file system can: then a killed build,
 * even by SIGKILL, leaves nothing. Elsewhere it has a name from the start, which the ordinary
 * signals remove.
 */
struct output {
    const char *path;
    char *directory;
    char *scratch; /* name of the file while it is unfinished */
    int fd;
    bool is_named; /* scratch exists in the file system */
};

static void output_release(struct output *output)
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

static bool output_open(struct output *output, const char *path, struct err *err)
{
    cleanup_free char *copy = xstrdup(path);
    struct stat st;

    *output = (struct output){.path = path, .fd = -1};
    output->directory = xstrdup(dirname(copy));
    output->scratch = xasprintf("%s.%ld.tmp", path, (long)getpid());
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        errno = EISDIR;
        return output_failed(path, err);
    }
    output->fd = open(output->directory, O_RDWR | O_TMPFILE | O_CLOEXEC, 0755);
    if (output->fd >= 0)
        return true;
    unfinished_watch(output->scratch);
    output->fd = open(output->scratch, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
    output->is_named = output->fd >= 0;
    if (output->is_named)
        return true;
    return output_failed(path, err);
}

/* A file without a name gets one by linkat(2), which does not replace: so first the scratch name,
 * then rename(2), which does. */
static bool output_publish(struct output *output, struct err *err)
{
    cleanup_free char *link = xasprintf("/proc/self/fd/%d", output->fd);

    if (fchmod(output->fd, 0755) != 0 || fsync(output->fd) != 0)
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
    return true;
}

/* A rename lasts through a power failure only when its directory is written too. */
static bool sync_directory(const char *directory, struct err *err)
{
    cleanup_fd int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0 && (fsync(fd) == 0 || errno == EINVAL || errno == EROFS))
        return true;
    return err_sys(err, "'%s'", directory);
}

static void name_failure(const char *path, struct err *err)
{
    errno = err->sys_errno;
    if (errno == ENOSPC || errno == EDQUOT)
        (void)bad_output(path, err);
    (void)err_wrap(err, "'%s'", path);
}

static bool fill(const struct plan *plan, const struct assemble_options *options, int fd,
                 uint64_t *ret_size, struct err *err)
{
    struct asset stub = asset_get(ASSET_STUB);
    struct image_options image = {
        .level = options->level,
        .mtime = options->mtime,
        .no_cache = options->no_cache,
        .names = plan_find(plan, FORMAT_NAMES) != NULL ? FORMAT_NAMES : NULL,
    };
    uint64_t image_size;

    if (stub.size % FORMAT_ALIGN != 0)
        return err_set(err, ERR_INPUT, "this rucksack was built wrongly: stub of %zu bytes",
                       stub.size);
    if (!fs_write_all(fd, stub.data, stub.size, err) ||
        !image_write(plan, fd, stub.size, &image, &image_size, err) ||
        !bundle_seal(fd, stub.size, image_size, options->kind, options->name, err))
        return false;
    *ret_size = stub.size + image_size;
    return true;
}

bool assemble_draft(const struct plan *plan, const struct assemble_options *options,
                    struct err *err)
{
    struct output output;
    uint64_t size;
    bool ok = output_open(&output, options->output, err) &&
              fill(plan, options, output.fd, &size, err) &&
              options->check(output.fd, options->context, err);

    if (!ok)
        name_failure(options->output, err);
    output_release(&output);
    return ok;
}

bool assemble_write(const struct plan *plan, const struct assemble_options *options,
                    uint64_t *ret_size_bytes, struct err *err)
{
    struct output output;
    bool ok;

    ok = output_open(&output, options->output, err);
    if (ok) {
        ok = fill(plan, options, output.fd, ret_size_bytes, err) &&
             options->check(output.fd, options->context, err) && output_publish(&output, err);
        if (!ok)
            name_failure(options->output, err);
        ok = ok && sync_directory(output.directory, err);
    }
    output_release(&output);
    return ok;
}
