/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Private directories with predictable names.
 *
 *     <base>/rucksack/<key>/m        the image: mounted, or unpacked
 *     <base>/rucksack/<key>/state    the launcher's symlink (state.* while it is made)
 *     <base>/rucksack/<key>/manifest what m is, where it was unpacked (cache.h)
 *     <base>/rucksack/<key>/lock     flock: who mounts, who removes; holds the users' process ids
 *
 * Everything is removed with its last user, so a start must expect each directory to go while it
 * looks at it, and makes it again: the lock is what counts.
 *
 * Where the base is shared (/tmp), its part is called rucksack-<uid>. Others may have been there
 * first: every directory below the base is opened without following symlinks and must be ours and
 * closed to everybody else, or the place is not used. Paths are short and free of blanks, colons
 * and quotes, because search paths (RUBYLIB, PATH) cannot quote them.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct err;

enum { PLACE_PARENT_NAME_SIZE = 32 };

enum place_kind {
    PLACE_RUN,   /* $XDG_RUNTIME_DIR, /tmp, /run, /dev/shm, /var/tmp */
    PLACE_CACHE, /* $XDG_CACHE_HOME, $HOME/.cache, /var/tmp, /tmp, /dev/shm */
    PLACE_TEMP,  /* $TMPDIR, then as PLACE_RUN */
};

struct place {
    char *dir;                                /* <base>/rucksack/<key> */
    char *root;                               /* <dir>/m */
    char *key;                                /* last component of dir */
    char parent_name[PLACE_PARENT_NAME_SIZE]; /* the one before it */
    int base_fd;
    int parent_fd; /* of <base>/rucksack */
    int dir_fd;
    int lock_fd;
};

/* All fds -1, all pointers NULL. */
#define PLACE_NONE ((struct place){.base_fd = -1, .parent_fd = -1, .dir_fd = -1, .lock_fd = -1})

/*
 * Opens, and makes where missing, the place at the index-th candidate base of that kind. False with
 * err filled when that one cannot be used; *ret_last says that there are no more. trusted false:
 * the environment is not ours to believe (a setuid start), only fixed bases are used.
 */
[[nodiscard]] bool place_open(struct place *ret, enum place_kind kind, size_t index,
                              const char *key, bool trusted, bool *ret_last, struct err *err);

/* The first candidate of that kind where the place is there already; makes nothing. */
[[nodiscard]] bool place_find(struct place *ret, enum place_kind kind, const char *key,
                              bool trusted);
void place_release(struct place *place);

/*
 * The two halves of place_open(). What is only chosen has base_fd and names, but no directories
 * yet. On failure the place stays chosen.
 */
[[nodiscard]] bool place_choose(struct place *ret, enum place_kind kind, size_t index,
                                const char *key, bool trusted, bool *ret_last, struct err *err);
[[nodiscard]] bool place_make(struct place *place, struct err *err);

/* Opens the directories of a place that was chosen, if somebody has made them. Allocates nothing.
 */
[[nodiscard]] bool place_open_made(struct place *place);

/* The opposite: the place is only chosen again, and not locked. */
void place_forget(struct place *place);

/* Fills the names only, for a place that is parent/key. On failure some are filled. */
[[nodiscard]] bool place_name(struct place *place, const char *parent, const char *key,
                              struct err *err);

/* The same place with names of its own and the same descriptors, for a process that has both. */
[[nodiscard]] bool place_copy(struct place *ret, const struct place *place);

/*
 * Takes the place's lock for this process alone; waits for others. The place is the one that the
 * path names at that moment: when it was removed while we waited, it is made again. The lock ends
 * with the last copy of lock_fd, also over exec (close-on-exec).
 */
[[nodiscard]] bool place_lock(struct place *place, struct err *err);

/* Of a place that was only chosen: opens its directories and takes its lock, if somebody has made
 * them, and makes nothing. Otherwise false, and the place stays chosen. */
[[nodiscard]] bool place_lock_made(struct place *place);

/* Like place_lock() through a description of its own, but gives up at once (false, errno). For a
 * process that shares its descriptors with a parent that may hold the lock. */
[[nodiscard]] bool place_try_lock(struct place *place);
void place_unlock(struct place *place);

/* False once the directory has been removed. */
[[nodiscard]] bool place_exists(const struct place *place);

/* Whether something is mounted on root; asks no server. */
[[nodiscard]] bool place_is_mounted(const struct place *place);

enum place_mount { PLACE_BARE, PLACE_LIVE, PLACE_DEAD };

/* And whether its server answers: waits for one that has not begun to. */
[[nodiscard]] enum place_mount place_mount_state(const struct place *place);

/* The processes that use what is mounted here; under the lock. */
[[nodiscard]] bool place_add_user(struct place *place, pid_t pid, struct err *err);
[[nodiscard]] bool place_has_users(struct place *place, pid_t except);

/*
 * Allocates nothing. Removes m (a directory, empty), manifest, what the launcher left beside it,
 * lock and the directory itself; then the directory of all keys, if this was the last one. Under
 * the lock. Of a place that was only chosen: the directory of all keys, if it is empty.
 */
void place_remove(struct place *place);
