/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Files of an image on their way to the disk: decoded and written by several threads.
 *
 * One thread walks the image and calls the functions below; files are taken by whoever is free,
 * large ones in pieces. A directory gets its mode and times when all in it is complete. After a
 * failure nothing more is written, and every call fails with that first error.
 */
#include <signal.h>
#include <stdbool.h>

struct err;
struct sqfs_image;
struct sqfs_node;
struct writer;
struct writer_dir;

struct writer_options {
    bool plain; /* as extract.h's */
    const volatile sig_atomic_t *stop;
};

/* options must stay as long as the writer. */
[[nodiscard]] bool writer_new(struct writer **ret, struct sqfs_image *image,
                              const struct writer_options *options, struct err *err);

/* Waits for all that was begun; every directory has been left. Releases the writer. */
[[nodiscard]] bool writer_end(struct writer *writer, struct err *err);

/*
 * The directory name in parent, open as fd, which is taken over also on failure. node gives its
 * attributes; NULL leaves it as it is. path is for messages.
 */
[[nodiscard]] bool writer_enter(struct writer *writer, struct writer_dir *parent, int fd,
                                const char *name, const struct sqfs_node *node, const char *path,
                                struct writer_dir **ret, struct err *err);

/* The walk has left the directory; without keep it is empty, and removed. */
void writer_leave(struct writer *writer, struct writer_dir *dir, bool keep);

/* Valid until the directory is left. */
int writer_dir_fd(const struct writer_dir *dir);

/* Makes the file name in dir, where nothing of that name is. At once: it is complete afterwards. */
[[nodiscard]] bool writer_add(struct writer *writer, struct writer_dir *dir, const char *name,
                              const struct sqfs_node *node, const char *path, bool at_once,
                              struct err *err);
