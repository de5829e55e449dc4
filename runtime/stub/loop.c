/* SPDX-License-Identifier: MIT */
#include "runtime/stub/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/loop.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "runtime/stub/hidden.h"
#include "runtime/stub/payload.h"
#include "runtime/stub/place.h"

/* The mount calls of Linux 5.2, the same numbers everywhere. <linux/mount.h> clashes with
 * <sys/mount.h>, so their constants are repeated. */
enum {
    CALL_MOVE_MOUNT = 429,
    CALL_FSOPEN = 430,
    CALL_FSCONFIG = 431,
    CALL_FSMOUNT = 432,
    FSOPEN_CLOSES_ON_EXEC = 1,
    FSCONFIG_FLAG = 0,
    FSCONFIG_STRING = 1,
    FSCONFIG_CREATE = 6,
    FSMOUNT_CLOSES_ON_EXEC = 1,
    ATTR_RDONLY = 1,
    ATTR_NOSUID = 2,
    ATTR_NODEV = 4,
    MOVE_FROM_EMPTY_PATH = 4,

    ATTACH_TRIES = 64, /* others may take the free device between our two calls */
    STATUS_TRIES = 10,
    STATUS_PAUSE_MS = 5,
    MOUNT_FLAGS = MS_RDONLY | MS_NOSUID | MS_NODEV,
};

/* EAGAIN: somebody (udev) has read the device since it got its file; from Linux 5.0 to 5.7. */
static int set_status(int device, const struct loop_info64 *info)
{
    for (int i = 0; ioctl(device, LOOP_SET_STATUS64, info) != 0; i++) {
        if (errno != EAGAIN || i == STATUS_TRIES)
            return -1;
        (void)poll(NULL, 0, STATUS_PAUSE_MS);
    }
    return 0;
}

static int set_up_loop(int device, const struct payload *payload)
{
    struct loop_config config = {
        .fd = (uint32_t)payload->fd,
        .info = {.lo_offset = payload->image_offset,
                 .lo_sizelimit = payload->image_size,
                 .lo_flags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR},
    };

    (void)snprintf((char *)config.info.lo_file_name, sizeof(config.info.lo_file_name), "%s",
                   payload->path);
    if (ioctl(device, LOOP_CONFIGURE, &config) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOTTY)
        return -1;
    /* Before Linux 5.8: in two steps. */
    if (ioctl(device, LOOP_SET_FD, payload->fd) != 0)
        return -1;
    if (set_status(device, &config.info) == 0)
        return 0;
    (void)ioctl(device, LOOP_CLR_FD, 0);
    return -1;
}

/* A loop device on the image; it lives as long as the descriptor or a mount of it. */
static bool attach_loop(const struct payload *payload, char *name, size_t size, int *ret,
                        struct err *err)
{
    cleanup_fd int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);

    if (control < 0)
        return err_sys(err, "/dev/loop-control");
    for (int i = 0; i < ATTACH_TRIES; i++) {
        cleanup_fd int device = -1;
        int number = ioctl(control, LOOP_CTL_GET_FREE);

        if (number < 0)
            return err_sys(err, "no free loop device");
        (void)snprintf(name, size, "/dev/loop%d", number);
        device = open(name, O_RDONLY | O_CLOEXEC);
        if (device < 0)
            return err_sys(err, "%s", name);
        if (set_up_loop(device, payload) == 0) {
            *ret = steal_fd(&device);
            return true;
        }
        if (errno != EBUSY)
            return err_sys(err, "%s", name);
    }
    return err_set(err, ERR_SYSTEM, "loop devices are taken faster than we can");
}

/* A squashfs that is mounted nowhere yet; -1 with errno, ENOSYS before Linux 5.2. */
static int make_mount(const char *device)
{
    cleanup_fd int fs = (int)syscall(CALL_FSOPEN, "squashfs", FSOPEN_CLOSES_ON_EXEC);

    if (fs < 0 || syscall(CALL_FSCONFIG, fs, FSCONFIG_STRING, "source", device, 0) != 0 ||
        syscall(CALL_FSCONFIG, fs, FSCONFIG_FLAG, "ro", NULL, 0) != 0 ||
        syscall(CALL_FSCONFIG, fs, FSCONFIG_CREATE, NULL, NULL, 0) != 0)
        return -1;
    return (int)syscall(CALL_FSMOUNT, fs, FSMOUNT_CLOSES_ON_EXEC,
                        ATTR_RDONLY | ATTR_NOSUID | ATTR_NODEV);
}

bool loop_mount(const struct payload *payload, const struct place *place, bool isolated,
                struct err *err)
{
    cleanup_fd int loop = -1, tree = -1;
    char device[32];
    bool done;

    if (!attach_loop(payload, device, sizeof(device), &loop, err))
        return false;
    tree = make_mount(device);
    /* EPERM: the filter of a container that does not know these calls. */
    if (tree < 0 && errno != ENOSYS && errno != EPERM)
        return err_sys(err, "the kernel cannot mount the image");
    if (isolated) {
        if (!hidden_enter(place, err))
            return false;
    } else if (mkdir(place->root, 0700) != 0 && errno != EEXIST) {
        return err_sys(err, "cannot make '%s'", place->root);
    }
    done = tree >= 0 &&
           syscall(CALL_MOVE_MOUNT, tree, "", AT_FDCWD, place->root, MOVE_FROM_EMPTY_PATH) == 0;
    if (!done)
        done = mount(device, place->root, "squashfs", MOUNT_FLAGS, NULL) == 0;
    if (done)
        return true;
    (void)err_sys(err, "the kernel cannot mount the image");
    if (isolated)
        hidden_remove(place);
    return false;
}
