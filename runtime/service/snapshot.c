/* SPDX-License-Identifier: MIT */
#include "runtime/service/snapshot.h"

#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "runtime/service/bundlefile.h"

/* *fd* becomes the snapshot's, whatever comes of it. */
static bool find_in_bundle(struct snapshot *ret, int fd, const struct bundlefile *capsule,
                           const char *path, struct err *err)
{
    *ret = (struct snapshot){fd, capsule->snapshot_offset, capsule->snapshot_size};
    if (capsule->has_snapshot)
        return true;
    (void)err_set(err, ERR_INPUT, "'%s' is a bundle without a snapshot", path);
    (void)err_id(err, "E-SNAPSHOT");
    return err_hint(err, "name a capsule, or a snapshot: NAME-TIME.tar.zst");
}

static bool find_in_capsule(struct snapshot *snapshot, const char *path, struct err *err)
{
    struct bundlefile capsule;

    if (!bundlefile_open(&capsule, path, err))
        return false;
    cleanup_fd_value(&snapshot->fd);
    return find_in_bundle(snapshot, capsule.fd, &capsule, path, err);
}

bool snapshot_take(struct snapshot *ret, const struct bundlefile *capsule, const char *path,
                   struct err *err)
{
    struct snapshot snapshot;
    int fd = fcntl(capsule->fd, F_DUPFD_CLOEXEC, 0);

    if (fd < 0)
        return err_sys(err, "'%s'", path);
    if (!find_in_bundle(&snapshot, fd, capsule, path, err)) {
        snapshot_release(&snapshot);
        return false;
    }
    *ret = snapshot;
    return true;
}

static bool find(struct snapshot *snapshot, const char *path, struct err *err)
{
    char head[SELFMAG];
    struct stat st;

    if (snapshot->fd < 0 || fstat(snapshot->fd, &st) != 0) {
        (void)err_sys(err, "'%s'", path);
        return err_id(err, "E-SNAPSHOT");
    }
    if (!S_ISREG(st.st_mode)) {
        (void)err_set(err, ERR_INPUT, "'%s' is not a regular file", path);
        return err_id(err, "E-SNAPSHOT");
    }
    snapshot->size = (uint64_t)st.st_size;
    if (pread(snapshot->fd, head, sizeof(head), 0) == (ssize_t)sizeof(head) &&
        memcmp(head, ELFMAG, sizeof(head)) == 0)
        return find_in_capsule(snapshot, path, err);
    return true;
}

bool snapshot_open(struct snapshot *ret, const char *path, struct err *err)
{
    struct snapshot snapshot = {.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)};

    if (!find(&snapshot, path, err)) {
        snapshot_release(&snapshot);
        return false;
    }
    *ret = snapshot;
    return true;
}

void snapshot_release(struct snapshot *snapshot)
{
    cleanup_fd_value(&snapshot->fd);
    *snapshot = (struct snapshot){.fd = -1};
}
