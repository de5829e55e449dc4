/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Reading a squashfs 4.0 image (gzip, zstd), format as in the kernel's Documentation/filesystems/
 * squashfs.rst and fs/squashfs/squashfs_fs.h.
 *
 * The image is hostile: every number is checked before it is used, memory is bounded by the block
 * size (at most 1 MiB) and fixed caches, and every loop by the size of a table. A *reference* is
 * the 48-bit place of an inode in the inode table. Not thread-safe.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

struct err;
struct sqfs;

enum { SQFS_NAME_MAX = 255, SQFS_LINK_MAX = 4095 };

struct sqfs_cursor {
    uint64_t block;  /* bytes from the start of the image */
    uint32_t offset; /* bytes in the block, decompressed */
};

struct sqfs_inode {
    uint64_t ref;
    mode_t mode; /* type and permissions */
    uint32_t number, nlink, uid, gid, rdev;
    time_t mtime;
    uint64_t size; /* of a file, in bytes; of a symlink's target */

    /* for sqfs.c only */
    struct sqfs_cursor tail; /* block list or symlink target */
    uint64_t data_start;
    uint32_t fragment, fragment_offset, directory_block, directory_offset, directory_size;
};

struct sqfs_dir {
    struct sqfs_cursor at;
    uint64_t left; /* bytes of the listing */
    uint32_t count, start_block, base_number;
};

struct sqfs_entry {
    char name[SQFS_NAME_MAX + 1]; /* one path component, never empty, "." or ".." */
    size_t length;
    uint64_t ref;
    uint32_t number;
    unsigned type; /* DT_DIR, DT_REG, ... as a hint */
};

/* fd stays the caller's and must outlive the result. Checks the superblock against size_bytes. */
[[nodiscard]] bool sqfs_open(struct sqfs **ret, int fd, uint64_t offset_bytes, uint64_t size_bytes,
                             struct err *err);
void sqfs_free(struct sqfs *fs);

uint64_t sqfs_root(const struct sqfs *fs);        /* reference of the root directory */
uint32_t sqfs_inode_count(const struct sqfs *fs); /* inode numbers are 1 to this */
uint32_t sqfs_block_size(const struct sqfs *fs);  /* bytes */
uint64_t sqfs_used(const struct sqfs *fs);        /* bytes of the image in use */

[[nodiscard]] bool sqfs_inode(struct sqfs *fs, uint64_t ref, struct sqfs_inode *ret,
                              struct err *err);

/* Entries come in the image's order. *ret_more is false at the end. */
[[nodiscard]] bool sqfs_dir_open(struct sqfs *fs, const struct sqfs_inode *inode,
                                 struct sqfs_dir *ret, struct err *err);
[[nodiscard]] bool sqfs_dir_next(struct sqfs *fs, struct sqfs_dir *dir, struct sqfs_entry *ret,
                                 bool *ret_more, struct err *err);

/* *ret_found is false when there is no such name. */
[[nodiscard]] bool sqfs_lookup(struct sqfs *fs, const struct sqfs_inode *inode, const char *name,
                               size_t length, uint64_t *ret_ref, bool *ret_found, struct err *err);

/* target is SQFS_LINK_MAX + 1 bytes; NUL-terminated. */
[[nodiscard]] bool sqfs_readlink(struct sqfs *fs, const struct sqfs_inode *inode, char *target,
                                 struct err *err);

/* Bytes of a regular file; *ret_size is short only at its end. */
[[nodiscard]] bool sqfs_read(struct sqfs *fs, const struct sqfs_inode *inode, void *data,
                             size_t size, uint64_t offset, size_t *ret_size, struct err *err);

/* Whether the block that holds offset is a hole, and where it ends. For sparse extraction. */
[[nodiscard]] bool sqfs_hole(struct sqfs *fs, const struct sqfs_inode *inode, uint64_t offset,
                             uint64_t *ret_end, bool *ret_hole, struct err *err);
