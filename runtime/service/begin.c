/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/xalloc.h"
#include "runtime/service/service.h"
#include "runtime/service/systemd.h"

static bool require_root(struct err *err)
{
    if (geteuid() == 0)
        return true;
    (void)err_set(err, ERR_INPUT, "only root can change services");
    (void)err_id(err, "E-ROOT");
    return err_hint(err,
                    "sudo FILE service ...; what it would write: FILE service install --print");
}

bool service_begin(const struct service *service, int *ret_fd, struct err *err)
{
    cleanup_free char *path = xasprintf("/run/rucksack-%s.lock", service->app.name);
    cleanup_fd int fd = -1;

    if (!systemd_require(service->app.name, err) || !require_root(err))
        return false;
    fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_sys(err, "'%s'", path);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK)
            return err_sys(err, "'%s'", path);
        (void)err_set(err, ERR_INPUT, "another 'service' is at work on '%s'", service->app.name);
        (void)err_id(err, "E-BUSY");
        return err_hint(err, "again when it has ended");
    }
    (void)signal(SIGINT, SIG_IGN);
    (void)signal(SIGTERM, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN);
    (void)signal(SIGPIPE, SIG_IGN); /* a terminal that is gone must not end it between two steps */
    *ret_fd = steal_fd(&fd);
    return true;
}
