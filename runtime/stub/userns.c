/* SPDX-License-Identifier: MIT */
#include "runtime/stub/userns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "runtime/stub/device.h"
#include "runtime/stub/hidden.h"
#include "runtime/stub/place.h"

static bool write_file(const char *path, const char *text, struct err *err)
{
    cleanup_fd int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        return err_sys(err, "%s", path);
    return true;
}

/* Maps the user and the group to themselves. Groups must be given up first (user_namespaces(7)). */
static bool map_ids(uid_t uid, gid_t gid, struct err *err)
{
    char text[64];

    (void)snprintf(text, sizeof(text), "%u %u 1\n", (unsigned int)uid, (unsigned int)uid);
    if (!write_file("/proc/self/uid_map", text, err))
        return false;
    if (!write_file("/proc/self/setgroups", "deny", err) && err->sys_errno != ENOENT)
        return false;
    (void)snprintf(text, sizeof(text), "%u %u 1\n", (unsigned int)gid, (unsigned int)gid);
    return write_file("/proc/self/gid_map", text, err);
}

bool userns_enter(const struct place *place, int *ret_fd, struct err *err)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();

    if (unshare(CLONE_NEWUSER) != 0) {
        (void)err_sys(err, "user namespaces are forbidden");
        return false;
    }
    if (!map_ids(uid, gid, err))
        return err_wrap(err, "user namespaces are restricted");
    return hidden_enter(place, err) && device_mount(place->root, ret_fd, err);
}

bool userns_probe(const struct place *place, struct err *err)
{
    int pipes[2];
    ssize_t got;
    pid_t pid;

    if (pipe2(pipes, O_CLOEXEC) != 0)
        return err_sys(err, "pipe");
    pid = fork();
    if (pid == 0) {
        struct err why = {0};
        int fd;

        if (userns_enter(place, &fd, &why))
            _exit(0);
        got = write(pipes[1], &why, sizeof(why));
        _exit(got == (ssize_t)sizeof(why) ? 1 : 2);
    }
    (void)close(pipes[1]);
    if (pid < 0) {
        (void)close(pipes[0]);
        return err_sys(err, "cannot start a process");
    }
    got = read(pipes[0], err, sizeof(*err));
    (void)close(pipes[0]);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    return got == 0 ||
           (got < (ssize_t)sizeof(*err) && err_set(err, ERR_SYSTEM, "the trial was cut short"));
}
