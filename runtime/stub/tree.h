/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * An unpacked tree as a whole: is it what it was, does anybody use it, and its end.
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

[[nodiscard]] bool tree_list(int dir_fd, const char *name, struct tree_list *ret, struct err *err);
void tree_list_release(struct tree_list *list);

/* One system call for each entry, by several threads. */
[[nodiscard]] bool tree_unchanged(int dir_fd, const char *name, const struct tree_list *list);

/* One file: whatever is not a list, or not a whole one, is refused. */
[[nodiscard]] bool tree_list_write(const struct tree_list *list, int fd);
[[nodiscard]] bool tree_list_read(struct tree_list *ret, int fd);

enum tree_use {
    TREE_FREE,
    TREE_USED,
    TREE_UNKNOWN, /* no leases on this file system, or a file that may not be opened */
};

/*
 * Whether any process has a file below name open, runs it or has mapped it, in whatever namespace:
 * the kernel grants a write lease (fcntl(2)) only on a file that nobody else has open. Whoever has
 * read files and closed them again is not seen. A tree that is not there is free.
 */
enum tree_use tree_use(int dir_fd, const char *name);

/* Has everything below name written to the disk, but nothing else of the file system. */
void tree_flush(int dir_fd, const char *name);

/* Removes name and everything in it, as far as permitted. Never follows symlinks. */
void tree_remove(int dir_fd, const char *name);
