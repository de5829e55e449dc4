/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Makes the image's files visible, by the first way that works:
 *
 *     kernel      root: the kernel's squashfs on a loop device, in a private mount namespace
 *     fuse        root: our server behind mount(2)
 *     fusermount  our server behind the setuid helper
 *     userns      our server, mounted in a user namespace of the app's own
 *     extract     no mount: unpacked once into a cache
 *
 * Where all processes end with this one (process_ends_all()) nothing is mounted in a namespace that
 * outlives it, if there is another way: not by fusermount where userns works.
 *
 * Mounts of the second and third kind are shared: a start that finds a live mount at its place uses
 * it, a dead one (its server was killed) is detached and made anew.
 *
 * Before anything is mounted or unpacked the file is checked (integrity.h); what was checked by an
 * earlier start and is still there is used as it is.
 */
#include <stdbool.h>

#include "runtime/stub/lifetime.h"
#include "runtime/stub/place.h"

struct err;
struct payload;

struct mount_request {
    const struct payload *payload;
    bool trusted;       /* the environment may be believed */
    bool visible;       /* others must see the mount: no namespace of our own */
    const char *way;    /* force one of the names above; NULL: all in order */
    const char *helper; /* as fusermount.h's program */
};

struct mounted {
    struct place place; /* root is where the files are; its lock is held until exec */
    enum lifetime_unmount unmount;
    bool permanent; /* nothing to take down: the cache */
};

/* On failure err names every way that was tried, why it failed, and what to install. */
[[nodiscard]] bool mount_image(const struct mount_request *request, struct mounted *ret,
                               struct err *err);

/* Unpacks for one run: the tree goes with its last user, unless keep. */
[[nodiscard]] bool mount_unpacked(const struct mount_request *request, bool keep,
                                  struct mounted *ret, struct err *err);
