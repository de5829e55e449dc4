/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Which package of the distribution a file came from: for people who must know which libraries they
 * ship, and for the next security notice. Databases of dpkg and apk are read, rpm is asked; where
 * there is none, nothing is known, which is never an error.
 *
 * Sources: dpkg-query(1), /var/lib/dpkg/info/NAME.list, /var/lib/dpkg/status; apk-tools(5),
 * /lib/apk/db/installed; rpm(8).
 */
#include <stddef.h>

enum { OWNER_DATABASE_MAX = 256 << 20 }; /* bytes of one file of a database */

struct owner {
    const char *kind; /* "deb", "apk" or "rpm"; NULL where nothing is known */
    char *package;    /* NULL with it */
    char *version;    /* NULL with it */
};

/*
 * Fills owners[i] for paths[i], absolute. Directories were merged into /usr without the databases
 * being told, and a library is known by its symlink as well as its file: so each path is looked for
 * with and without /usr, and with its links followed. root is put in front of the databases' paths,
 * "" for this machine.
 */
void owner_find(struct owner *owners, const char *const *paths, size_t count, const char *root);
void owner_release(struct owner *owners, size_t count);
