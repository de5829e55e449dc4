/* SPDX-License-Identifier: MIT */
#include "kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "place.h"

enum { LOOP_TRIES = 16, LOOP_NAME_SIZE = 32 };

/* linux/mount.h clashes with sys/mount.h; these are kernel ABI. */
enum {
    NEW_FSOPEN_CLOEXEC = 1,
    NEW_FSMOUNT_CLOEXEC = 1,
    NEW_CONFIG_FLAG = 0,
    NEW_CONFIG_STRING = 1,
    NEW_CONFIG_CREATE = 6,
    NEW_ATTR_RDONLY_NOSUID_NODEV = 1 | 2 | 4,
    NEW_MOVE_F_EMPTY_PATH = 4,
};

static bool configure(int loop, int fd, uint64_t offset)
{
    struct loop_config config = {
        .fd = (uint32_t)fd,
        .info = {.lo_offset = offset, .lo_flags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR}};

    if (ioctl(loop, LOOP_CONFIGURE, &config) == 0)
        return true;
    /* Before Linux 5.8, in two steps; EBUSY says that another start took the device. */
    if (errno != EINVAL && errno != ENOTTY)
        return false;
    if (ioctl(loop, LOOP_SET_FD, fd) != 0)
        return false;
    if (ioctl(loop, LOOP_SET_STATUS64, &config.info) == 0)
        return true;
    ioctl(loop, LOOP_CLR_FD, 0);
    return false;
}

/* A loop device on the image; the kernel frees it with the last user of ret_fd and the mount. */
static bool attach(int fd, uint64_t offset, char name[LOOP_NAME_SIZE], int *ret_fd, struct err *err)
{
    cleanup_fd int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);

    if (control < 0)
        return err_sys(err, "/dev/loop-control");
    for (int i = 0; i < LOOP_TRIES; i++) {
        int number = ioctl(control, LOOP_CTL_GET_FREE);
        cleanup_fd int loop = -1;

        if (number < 0)
            return err_sys(err, "no loop device is free");
        snprintf(name, LOOP_NAME_SIZE, "/dev/loop%d", number);
        loop = open(name, O_RDONLY | O_CLOEXEC);
        if (loop < 0)
            return err_sys(err, "%s", name);
        if (configure(loop, fd, offset)) {
            *ret_fd = steal_fd(&loop);
            return true;
        }
        if (errno != EBUSY)
            return err_sys(err, "%s", name);
    }
    return err_set(err, ERR_SYSTEM, "loop devices are taken faster than we can have one");
}

/* A mount that is nowhere yet, so that a kernel without squashfs shows before we change anything.
 */
static int detached_mount(const char *device)
{
    cleanup_fd int fs = (int)syscall(SYS_fsopen, "squashfs", NEW_FSOPEN_CLOEXEC);

    if (fs < 0 || syscall(SYS_fsconfig, fs, NEW_CONFIG_STRING, "source", device, 0) != 0 ||
        syscall(SYS_fsconfig, fs, NEW_CONFIG_FLAG, "ro", NULL, 0) != 0 ||
        syscall(SYS_fsconfig, fs, NEW_CONFIG_CREATE, NULL, NULL, 0) != 0)
        return -1;
    return (int)syscall(SYS_fsmount, fs, NEW_FSMOUNT_CLOEXEC, NEW_ATTR_RDONLY_NOSUID_NODEV);
}

static bool make_private(const struct place *place, struct err *err)
{
    if (unshare(CLONE_NEWNS) != 0)
        return err_sys(err, "no mount namespace");
    /* slave: what the host mounts later appears here, not the other way round */
    if (mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL) != 0)
        return err_sys(err, "cannot separate the mounts");
    if (mount("rucksack", place->dir, "tmpfs", MS_NOSUID | MS_NODEV,
              "mode=0700,size=64k,nr_inodes=16") != 0)
        return err_sys(err, "cannot mount a tmpfs on '%s'", place->dir);
    return true;
}

bool kernel_mount(struct place *place, int fd, uint64_t offset_bytes, bool private, struct err *err)
{
    char device[LOOP_NAME_SIZE];
    cleanup_fd int loop = -1;
    cleanup_fd int made = -1;

    if (!attach(fd, offset_bytes, device, &loop, err))
        return false;
    made = detached_mount(device);
    if (made < 0 && errno != ENOSYS)
        return err_sys(err, "squashfs");
    if (!place_make_dir(place, err) || (private && !make_private(place, err)))
        return false;
    if (mkdir(place->root, 0700) != 0 && errno != EEXIST)
        return err_sys(err, "cannot make '%s'", place->root);
    if (made >= 0) {
        if (syscall(SYS_move_mount, made, "", AT_FDCWD, place->root, NEW_MOVE_F_EMPTY_PATH) != 0)
            return err_sys(err, "cannot mount on '%s'", place->root);
    } else if (mount(device, place->root, "squashfs", MS_RDONLY | MS_NOSUID | MS_NODEV, NULL) !=
               0) { /* before Linux 5.2 */
        return err_sys(err, "cannot mount on '%s'", place->root);
    }
    return true;
}
