/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A place that only the app sees: in a mount namespace of its own, without a directory on the host.
 *
 *     <spot>/<key>/m        as in place.h
 *     <spot>/<key>/state
 *
 * A mount needs a directory to be mounted on, and one that we had made ourselves would remain when
 * the last process of the namespace has ended: there is nobody to remove it, and it cannot be
 * removed earlier (rmdir(2) of a directory that is a mount point in another namespace detaches what
 * is mounted there, vfs_rmdir() in fs/namei.c). So a small tmpfs is mounted on a directory that is
 * always there and always empty, and the place is made in it. Mount, tmpfs and place go with the
 * namespace, whatever ended its processes.
 *
 * Spots, the first that exists:
 *     /sys/fs/pstore      made by the kernel for mounts only (sysfs_create_mount_point()). Such
 *                         directories may be covered without effect on whether a user namespace
 *                         below may mount sysfs or proc (mnt_already_visible(), fs/namespace.c).
 *                         What it hides are crash dumps of earlier boots.
 *     /proc/tty/ldisc     empty in every Linux with /proc. Covering it does have that effect.
 *
 * An app that starts another one shares its tmpfs with it, for a second one would hide the first
 * one's image.
 */
#include <stdbool.h>

#include "runtime/stub/place.h"

struct err;

/* Names the place; nothing is made. It has no lock and no users, and place_remove() does nothing.
 */
[[nodiscard]] bool hidden_name(struct place *ret, const char *key, struct err *err);

/* Enters a mount namespace of our own and makes the place in it. The host's mounts still arrive. */
[[nodiscard]] bool hidden_enter(const struct place *place, struct err *err);

/* Takes the place out of the namespace, in which this process stays. */
void hidden_remove(const struct place *place);
