/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * An unpacked tree as a whole: is it what it was, and its end. Who uses it: inuse.h.
 */
#include <stdbool.h>
#include <stdint.h>

struct err;

/*
 * What a tree looks like: mode, size, modification and change time of everything in it, and of the
 * tree itself. Nobody but root can set a change time: whatever is written to, replaced, added,
 * removed, renamed or given another mode is seen. No file is read.
 */
struct tree_list {
    struct tree_fact *facts;
    char *paths; /* below the tree, each with a NUL; the tree itself is "." */
    uint32_t count;
    uint32_t paths_size; /* bytes */
};

struct tree_fact {
    uint64_t size; /* bytes; 0 for directories: file systems shrink and grow them as they like */
    int64_t mtime, mtime_ns;
    int64_t ctime, ctime_ns;
    uint32_t mode;
    uint32_t path; /* offset in paths */
};

enum { TREE_COUNT_MAX = 1 << 22, TREE_PATHS_MAX = 1 << 28 };

/* Of the directory name in dir_fd. Fails where something cannot be looked at, and on more than the
 * limits above. The caller releases it. */
[[nodiscard]] bool tree_list(int dir_fd, const char *name, struct tree_list *ret, struct err *err);
void tree_list_release(struct tree_list *list);

/* One system call for each entry. */
[[nodiscard]] bool tree_unchanged(int dir_fd, const char *name, const struct tree_list *list);

/* One file: whatever is not a list, or not a whole one, is refused. */
[[nodiscard]] bool tree_list_write(const struct tree_list *list, int fd);
[[nodiscard]] bool tree_list_read(struct tree_list *ret, int fd);

/* Has everything below name written to the disk, but nothing else of the file system. */
void tree_flush(int dir_fd, const char *name);

/* Removes name and everything in it, as far as permitted. Never follows symlinks. */
void tree_remove(int dir_fd, const char *name);
