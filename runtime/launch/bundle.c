/* SPDX-License-Identifier: MIT */
#include "bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/format.h"
#include "common/launchlist.h"

enum { LINK_MAX_BYTES = 1 << 16 };

/* /proc/self/exe, or, where there is no /proc, the name that the kernel was given. */
static char *own_path(struct err *err)
{
    cleanup_free char *path = calloc(LINK_MAX_BYTES, 1);
    const char *given = (const char *)getauxval(AT_EXECFN); /* NOLINT: the kernel's interface */
    ssize_t length;

    if (path == NULL) {
        (void)err_sys(err, "own path");
        return NULL;
    }
    length = readlink("/proc/self/exe", path, LINK_MAX_BYTES - 1);
    if (length > 0 && path[0] == '/')
        return steal_ptr(&path);
    if (given != NULL && given[0] == '/')
        return strdup(given);
    (void)err_set(err, ERR_SYSTEM, "cannot find the image: /proc is not mounted");
    (void)err_hint(err, "mount it: mount -t proc proc /proc");
    return NULL;
}

static int open_launch(const char *root, struct err *err)
{
    cleanup_free char *path = NULL;
    int fd;

    if (asprintf(&path, "%s/" FORMAT_LAUNCH, root) < 0) {
        path = NULL;
        (void)err_sys(err, "launch file");
        return -1;
    }
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        (void)err_sys(err, "'%s'", path);
    return fd;
}

/* Cuts the own path at each '/' from the right until what is left of it holds a launch file. */
static int find_root(struct bundle *bundle, struct err *err)
{
    char *end = bundle->self_path + strlen(bundle->self_path);
    struct err last = {0};

    while (end > bundle->self_path) {
        int fd;
        char *slash = memrchr(bundle->self_path, '/', (size_t)(end - bundle->self_path));

        if (slash == NULL)
            break;
        free(bundle->root);
        bundle->root = strndup(bundle->self_path, (size_t)(slash - bundle->self_path));
        if (bundle->root == NULL) {
            (void)err_sys(err, "image root");
            return -1;
        }
        bundle->self = slash + 1;
        fd = open_launch(bundle->root, &last);
        if (fd >= 0)
            return fd;
        end = slash;
    }
    (void)err_set(err, ERR_INPUT, "'%s' is not inside an image: no %s above it", bundle->self_path,
                  FORMAT_LAUNCH);
    return -1;
}

static bool read_text(struct bundle *bundle, int fd, size_t *ret_size, struct err *err)
{
    struct stat st;
    size_t size = 0;

    if (fstat(fd, &st) != 0)
        return err_sys(err, "launch file");
    if (!S_ISREG(st.st_mode) || st.st_size <= 0 || st.st_size > FORMAT_LAUNCH_MAX)
        return err_set(err, ERR_INPUT, "damaged image: launch file of %lld bytes",
                       (long long)st.st_size);
    bundle->text = calloc((size_t)st.st_size + 1, 1);
    if (bundle->text == NULL)
        return err_sys(err, "launch file");
    while (size < (size_t)st.st_size) {
        ssize_t length = read(fd, bundle->text + size, (size_t)st.st_size - size);

        if (length < 0 && errno == EINTR)
            continue;
        if (length < 0)
            return err_sys(err, "damaged image: launch file");
        if (length == 0)
            break;
        size += (size_t)length;
    }
    *ret_size = size;
    return true;
}

bool bundle_open(struct bundle *ret, struct err *err)
{
    cleanup_fd int fd = -1;
    size_t size = 0;

    *ret = (struct bundle){0};
    ret->self_path = own_path(err);
    if (ret->self_path == NULL)
        return false;
    fd = find_root(ret, err);
    return fd >= 0 && read_text(ret, fd, &size, err) &&
           launchlist_read(ret->text, size, &ret->records, &ret->count, err);
}

void bundle_release(struct bundle *bundle)
{
    free(bundle->records);
    free(bundle->text);
    free(bundle->root);
    free(bundle->self_path);
    *bundle = (struct bundle){0};
}

const struct launchfile_record *bundle_find(const struct bundle *bundle, const char *key,
                                            const char *first)
{
    for (size_t i = 0; i < bundle->count; i++) {
        const struct launchfile_record *record = &bundle->records[i];

        if (launchfile_is(record, key, 1) &&
            (first == NULL || strcmp(record->fields[1], first) == 0))
            return record;
    }
    return NULL;
}

char *bundle_path(const struct bundle *bundle, const char *image_path)
{
    char *path = NULL;

    if (asprintf(&path, "%s/%s", bundle->root, image_path) < 0)
        return NULL;
    return path;
}
