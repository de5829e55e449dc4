/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * squashfs images: written from a plan, read back by path. The only file that knows libsquashfs.
 *
 * Written: zstd, 256 KiB blocks, tail-end fragments, duplicate files stored once, no export table,
 * no xattrs, owner 0:0, one modification time for every inode. The same plan gives the same bytes,
 * whatever the number of processors.
 *
 * Read: the image is hostile. Names are single components, depth and sizes are bounded, directory
 * loops are refused, and extraction never leaves its target.
 *
 * Format: Documentation/filesystems/squashfs.rst of Linux; "Squashfs Binary Format" of
 * squashfs-tools-ng.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;
struct plan;

struct image_options {
    int level;            /* zstd level 1..22 */
    unsigned int workers; /* threads that compress; 0: one per processor */
    uint32_t mtime;       /* seconds since the epoch, for every inode */
    bool no_cache;        /* neither take nor keep compressed blocks */
    /* Path of a PLAN_DATA entry without data that becomes the image's name table; NULL: none. */
    const char *names;
    void (*progress)(uint64_t done_bytes, void *context); /* uncompressed bytes read; may be NULL */
    void *context;
};

/*
 * Writes the plan as a squashfs image to fd at offset and returns its size, padded to FORMAT_ALIGN.
 * File contents lie in the order of the plan's entries, whatever that is; the tree does not depend
 * on it. ERR_SYSTEM with ENOSPC when the file system is full: the caller removes the file.
 */
[[nodiscard]] bool image_write(const struct plan *plan, int fd, uint64_t offset_bytes,
                               const struct image_options *options, uint64_t *ret_size_bytes,
                               struct err *err);

struct image_filler; /* fills the cache of blocks */

/* For images of this level; NULL where there is no cache for it. */
struct image_filler *image_filler_new(int level);
void image_filler_free(struct image_filler *filler);

/* Puts the whole blocks of a file into the cache, until all are there or *is_over. What cannot be
 * read is passed over. For any thread: allocates nothing that must be there (xalloc.h). */
void image_filler_take(struct image_filler *filler, const char *file, const atomic_bool *is_over);

/* What a superblock says: of any squashfs 4.0, before anything else of it is read. */
struct image_facts {
    uint64_t used_bytes; /* of the image; the file may be shorter */
    uint32_t inodes;
    uint32_t mtime;          /* when it was made: seconds since the epoch */
    const char *compression; /* "zstd"; static storage */
};

/* Of what begins at offset, of which there are so many bytes. E-IMAGE when it is no squashfs. */
[[nodiscard]] bool image_read_facts(int fd, uint64_t offset_bytes, uint64_t size_bytes,
                                    struct image_facts *ret, struct err *err);

struct image; /* an open image */

/* Opens the image at [offset, offset + size) of fd, which must outlive it. E-IMAGE if damaged; here
 * and below E-READ (ERR_SYSTEM) where the file cannot be read. */
[[nodiscard]] bool image_open(struct image **ret, int fd, uint64_t offset_bytes,
                              uint64_t size_bytes, struct err *err);
void image_free(struct image *image);

/* From now on one file may have several names, which those that we write never have. */
void image_allow_links(struct image *image);

/* Whether there is a regular file at this path; also where that cannot be read, as image_read()
 * then says. */
bool image_has(struct image *image, const char *path);

/* The whole content of a regular file, plus a NUL behind it. ERR_INPUT if it is larger than max. */
[[nodiscard]] bool image_read(struct image *image, const char *path, size_t max_bytes,
                              char **ret_data, size_t *ret_size, struct err *err);

struct image_cursor; /* where a visit stands */

/* Where the content of a regular file is stored: whole blocks, and a tail that shares a fragment
 * with those of other files. Files with the same bytes have the same places. */
struct image_place {
    uint64_t blocks_at;    /* offset in the image */
    uint64_t blocks_bytes; /* as stored, compressed */
    bool has_tail;
    uint32_t fragment; /* of the tail; below image_fragment_count() if the image is whole */
    uint32_t tail_at;  /* offset in the unpacked fragment */
    uint32_t tail_bytes;
};

struct image_node {
    const char *path;    /* image path, valid during the call */
    mode_t mode;         /* type and permission bits */
    uint64_t size_bytes; /* of a regular file */
    uint32_t mtime;      /* seconds since the epoch */
    const char *target;  /* of a symlink, else NULL */
    struct image_place place;
    const struct image_cursor *cursor;
};

/* Visits every node, parents first, names in image order. Stops when visit returns false. */
typedef bool image_visit(const struct image_node *node, void *context, struct err *err);
[[nodiscard]] bool image_each(struct image *image, image_visit *visit, void *context,
                              struct err *err);

/* Takes a piece of a file. */
typedef bool image_sink(void *context, const void *data, size_t size, struct err *err);

/* Gives the sink the content of the regular file that is being visited; only during the visit. */
[[nodiscard]] bool image_content(const struct image_node *node, image_sink *sink, void *context,
                                 struct err *err);

/* How many shared ends of files it holds. */
size_t image_fragment_count(const struct image *image);
/* How many bytes it takes as stored; 0 when there is none of that index. */
uint64_t image_fragment_bytes(const struct image *image, size_t index);

/* Reads and decodes every byte of every file and directory: E-IMAGE at the first that fails. */
[[nodiscard]] bool image_check(struct image *image, struct err *err);

/* Unpacks everything into the empty directory dirfd. Devices and sockets are left out. */
[[nodiscard]] bool image_extract(struct image *image, int dirfd, struct err *err);
