/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The releases of a service, and which one runs:
 *
 *     /opt/NAME/releases/3-1f0c9a7b2d4e/NAME     the bundle's file: root's, verified
 *     /opt/NAME/releases/3-1f0c9a7b2d4e/image/   where its .mount unit mounts the image
 *     /opt/NAME/releases/3-1f0c9a7b2d4e/state    -> /var/lib/NAME, what the image leads to
 *     /opt/NAME/current -> releases/3-1f0c9a7b2d4e
 *     /opt/NAME/root/                            the root directory of the processes, empty
 *
 * A release is number and the first digits of its image's hash. It gets its name when it is
 * complete; `current` is replaced by rename.
 */
#include <stdbool.h>
#include <stddef.h>

struct bundlefile;
struct err;

enum { RELEASES_KEPT = 5 };

#define RELEASES_UNFINISHED ".new" /* a copy that is not complete */

struct release {
    unsigned int number;
    char *id; /* "3-1f0c9a7b2d4e" */
};

struct releases {
    const char *name;      /* borrowed */
    char *dir;             /* "/opt/NAME" */
    struct release *items; /* by number */
    size_t count;
    size_t capacity;
    size_t current; /* index; SIZE_MAX: none */
};

/* Fine where there are none. */
[[nodiscard]] bool releases_open(struct releases *ret, const char *name, struct err *err);
void releases_release(struct releases *releases);

/* The one that runs; NULL: none does. */
const struct release *releases_current(const struct releases *releases);
/* NULL: there is no such. */
const struct release *releases_find(const struct releases *releases, unsigned int number);
/* The newest before the current one; NULL: there is none. */
const struct release *releases_before(const struct releases *releases);

/*
 * Copies the bundle to its place, and verifies the copy, hashes and signature, which nobody but
 * root can change: what was checked is what will be mounted. E-VERIFY, E-SIG. *ret is valid until
 * the next call.
 */
[[nodiscard]] bool releases_add(struct releases *releases, const struct bundlefile *file,
                                const struct release **ret, struct err *err);

/* Lets `current` lead to it. */
[[nodiscard]] bool releases_switch(struct releases *releases, const struct release *release,
                                   struct err *err);

/* Removes its directory; not while its image is mounted. */
[[nodiscard]] bool releases_remove(struct releases *releases, const struct release *release,
                                   struct err *err);

/* Whether a directory is named as a release is: "3-1f0c9a7b2d4e". */
bool releases_is_id(const char *name);

/* Whether something is mounted on the image directory of a release; id in the directory dirfd. */
bool releases_is_mounted(int dirfd, const char *id);

/* Paths below the release, on the heap: "image", or its file with NULL. */
char *releases_path(const struct releases *releases, const struct release *release,
                    const char *name);
