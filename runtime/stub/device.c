/* SPDX-License-Identifier: MIT */
#include "runtime/stub/device.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"

bool device_mount(const char *root, int *ret_fd, struct err *err)
{
    cleanup_fd int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    char options[96];

    if (fd < 0)
        return err_sys(err, "/dev/fuse");
    (void)snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=%u,group_id=%u", fd,
                   (unsigned int)geteuid(), (unsigned int)getegid());
    if (mount("rucksack", root, "fuse.rucksack", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOATIME,
              options) != 0)
        return err_sys(err, "mount");
    *ret_fd = steal_fd(&fd);
    return true;
}
