/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A squashfs 4.0 image inside a file, read with bounds.
 *
 * The image is hostile. Every position, size and count is checked against the file before it is
 * used; whatever the image says, no function here reads outside its buffers, allocates more than
 * the limits below, or fails to end. squashfuse (0.1.105) knows the layout of superblock, tables,
 * inodes and directories; it trusts what it reads, so its calls are guarded here, in the only file
 * that includes its headers.
 *
 * Files are named by their *ref*: the 48-bit position of the inode (squashfs "inode reference").
 * A ref that the image does not hold is an error, not undefined behaviour.
 *
 * Threads may share an image: metadata is read by one at a time, data by all at once (block.h).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;
struct sqfs_image;

enum {
    SQFS_NAME_MAX = 255,            /* bytes of one name; squashfs would allow 256, Linux not */
    SQFS_TARGET_MAX = 4095,         /* bytes of a symlink's target */
    SQFS_DIR_BYTES_MAX = 64 << 20,  /* bytes of one directory's listing */
    SQFS_FILE_BLOCKS_MAX = 1 << 24, /* blocks of one file */
    SQFS_SUPERBLOCK_SIZE = 96,
    SQFS_XATTR_NAME_MAX = 255,       /* bytes; Linux's XATTR_NAME_MAX, as the two below */
    SQFS_XATTR_VALUE_MAX = 64 << 10, /* bytes of one value */
    SQFS_XATTR_NAMES_MAX = 64 << 10, /* bytes of one file's names, each with a NUL */
    SQFS_XATTR_BYTES_MAX = 1 << 20,  /* bytes of one file's names and values */
};

/* No file has this ref. */
#define SQFS_NO_REF UINT64_MAX

struct sqfs_node {
    uint64_t ref;
    uint64_t size; /* bytes of a file, of a symlink's target; directories: of the listing */
    uint32_t ino;
    uint32_t nlink;
    uint32_t mtime;      /* seconds since the epoch */
    uint32_t parent_ino; /* directories only */
    uint32_t uid, gid;
    uint32_t major, minor; /* devices only */
    mode_t mode;           /* type and permissions */
};

struct sqfs_entry {
    const char *name; /* one path component: no "/", not "." or "..", not empty; NUL-terminated */
    size_t name_len;
    uint64_t ref;
    uint32_t ino;
    mode_t type; /* S_IFMT bits; the inode decides, this is what readdir shows */
};

/* One directory; strictly ascending by bytes of the name, so no name occurs twice. */
struct sqfs_list {
    struct sqfs_entry *entries;
    size_t count;
    char *names;
    size_t memory_bytes; /* what the list occupies, for callers that keep lists */
};

/* Whether the superblock of the image at offset of fd, a file of file_size bytes, can be true;
 * *ret_bytes is the image's size. The same errors as sqfs_image_open(), which looks further. */
[[nodiscard]] bool sqfs_check_superblock(int fd, uint64_t offset, uint64_t file_size,
                                         uint64_t *ret_bytes, struct err *err);

/*
 * Opens the image at offset of fd, a file of file_size bytes. fd stays the caller's and must stay
 * open as long as the image. ERR_INPUT with what is wrong when it is no image, damaged, cut off or
 * compressed in a way that codec.h does not support.
 */
[[nodiscard]] bool sqfs_image_open(struct sqfs_image **ret, int fd, uint64_t offset,
                                   uint64_t file_size, struct err *err);
void sqfs_image_free(struct sqfs_image *image);

/* Of the superblock: ref of the root directory, bytes of a data block, bytes of the image, and how
 * many inodes it says that it has, which nobody has counted. */
uint64_t sqfs_image_root(const struct sqfs_image *image);
uint32_t sqfs_image_block_size(const struct sqfs_image *image);
uint64_t sqfs_image_bytes(const struct sqfs_image *image);
uint32_t sqfs_image_inodes(const struct sqfs_image *image);

/* The inode of that ref; ERR_INPUT when the image holds none there. */
[[nodiscard]] bool sqfs_image_node(struct sqfs_image *image, uint64_t ref, struct sqfs_node *ret,
                                   struct err *err);

/* The whole directory. The caller releases it. */
[[nodiscard]] bool sqfs_image_list(struct sqfs_image *image, uint64_t ref, struct sqfs_list *ret,
                                   struct err *err);
void sqfs_list_release(struct sqfs_list *list);

/* The entry of that name, or NULL. */
const struct sqfs_entry *sqfs_list_find(const struct sqfs_list *list, const char *name,
                                        size_t name_len);

/* Reads like pread: fewer bytes than asked for only at the end of the file. */
[[nodiscard]] bool sqfs_image_read(struct sqfs_image *image, uint64_t ref, uint64_t offset,
                                   void *buf, size_t size, size_t *ret_size, struct err *err);

/* How many of the size bytes from offset on are zeros that the image does not hold; 0 when the
 * first is not, and at the end of the file. */
[[nodiscard]] bool sqfs_image_hole(struct sqfs_image *image, uint64_t ref, uint64_t offset,
                                   uint64_t size, uint64_t *ret, struct err *err);

/* Decodes the block that holds a file's byte at offset, so that sqfs_image_read() finds it done. */
void sqfs_image_prefetch(struct sqfs_image *image, uint64_t ref, uint64_t offset);

/* The regular file whose inode follows that of a regular file, or SQFS_NO_REF. Images hold the
 * files of a directory in a row. */
uint64_t sqfs_image_next(struct sqfs_image *image, uint64_t ref);

struct sqfs_xattr {
    const char *name; /* with its prefix ("user."); NUL-terminated, no NUL inside */
    const void *value;
    size_t name_len, value_size;
};

/* One file's extended attributes, in the order of the image. */
struct sqfs_xattrs {
    struct sqfs_xattr *entries;
    size_t count;
    void *bytes; /* what names and values point into */
};

/* Whether any file of the image has extended attributes. */
bool sqfs_image_has_xattrs(const struct sqfs_image *image);

/* All extended attributes of the file; most have none. The caller releases them. */
[[nodiscard]] bool sqfs_image_xattrs(struct sqfs_image *image, uint64_t ref,
                                     struct sqfs_xattrs *ret, struct err *err);
void sqfs_xattrs_release(struct sqfs_xattrs *xattrs);

/* The attribute of that name, or NULL. */
const struct sqfs_xattr *sqfs_xattrs_find(const struct sqfs_xattrs *xattrs, const char *name);

/* A symlink's target, on the heap: never empty, no NUL inside. */
[[nodiscard]] bool sqfs_image_target(struct sqfs_image *image, uint64_t ref, char **ret,
                                     struct err *err);
