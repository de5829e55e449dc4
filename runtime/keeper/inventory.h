/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What of the state a snapshot holds: all below its directory `data` (bundler/state.h puts the
 * classes data and sqlite there), parents before their children, by name. Side files of databases
 * belong to them; sockets and the like are left out; a link that leads out of `data` is an error,
 * for what is behind it would be missing.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

#define INVENTORY_TOP "data"

enum inventory_kind {
    INVENTORY_DIRECTORY,
    INVENTORY_DATABASE,
    INVENTORY_FILE,
    INVENTORY_LINK,
};

struct inventory_item {
    enum inventory_kind kind;
    char *path;   /* below the state directory: "data/uploads/a.png" */
    char *target; /* of a link */
    mode_t mode;
    uint64_t size_bytes; /* as it was then */
    int64_t mtime;
    bool is_settled; /* a file, though it begins as a database does: the caller found out */
};

struct inventory {
    struct inventory_item *items;
    size_t count;
    size_t capacity;
};

/*
 * Looks through statefd/data. known: an earlier inventory or NULL; its databases and what it
 * has settled are not opened again, for closing a file drops all locks that SQLite has on it in
 * this process (fcntl(2)). E-EMPTY when there is no `data`, E-NAME when a name is not UTF-8 or
 * holds control characters, E-LINK for a link that leads out, E-READ when a directory or file
 * cannot be read: a list that is cut off, or a database taken for a file, would be a snapshot that
 * looks whole.
 */
[[nodiscard]] bool inventory_take(struct inventory *ret, int statefd, const struct inventory *known,
                                  struct err *err);
void inventory_release(struct inventory *inventory);

/* By its path below the state directory; NULL when it is not in the inventory. */
const struct inventory_item *inventory_find(const struct inventory *inventory, const char *path);

/* Whether a link at path, below the state directory, with that target stays below its top
 * directory: by its text, since nothing there is to be believed. */
bool inventory_link_stays(const char *path, const char *target);
