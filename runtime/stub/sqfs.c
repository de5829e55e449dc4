/* SPDX-License-Identifier: MIT */
#include "sqfs.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "common/cleanup.h"
#include "common/err.h"

enum {
    SUPERBLOCK_SIZE = 96,
    SUPERBLOCK_MAGIC = 0x73717368,
    COMPRESSION_GZIP = 1,
    COMPRESSION_ZSTD = 6,
    BLOCK_MIN = 4 << 10,
    BLOCK_MAX = 1 << 20,
    INODES_MAX = 1 << 24,

    META_SIZE = 8192,
    META_RAW = 1 << 15, /* in the block's header: stored, not compressed */
    META_SLOTS = 64,

    DATA_RAW = 1 << 24, /* the same for data and fragment blocks */
    DATA_SLOTS = 8,
    PLACES = 8, /* files whose block list position is remembered */
    NO_FRAGMENT = -1,

    DIR_HEADER_SIZE = 12,
    DIR_ENTRY_SIZE = 8,
    DIR_SIZE_BIAS = 3, /* "." and ".." as squashfs counts them */
};

enum inode_type {
    TYPE_DIR = 1,
    TYPE_FILE,
    TYPE_SYMLINK,
    TYPE_BLOCK,
    TYPE_CHAR,
    TYPE_FIFO,
    TYPE_SOCKET,
    TYPE_EXTENDED, /* the same seven again, with more fields: 8 to 14 */
};

struct meta {
    uint64_t block, next; /* where it is in the image, and the one behind it; block 0: empty slot */
    uint32_t size;
    uint8_t data[META_SIZE];
};

struct data {
    uint64_t block; /* 0: empty slot */
    uint64_t used;  /* time of last use */
    uint32_t size;
    uint8_t *bytes;
};

/* The block list of a file has lengths only: the place of block n is the sum of those before. */
struct place {
    uint64_t ref;
    uint64_t index; /* of the block that cursor is at */
    uint64_t data;  /* where that block is in the image */
    struct sqfs_cursor cursor;
};

struct sqfs {
    int fd;
    uint64_t offset, used;
    uint32_t inodes, block_size, fragments, ids;
    unsigned compression;
    uint64_t root, id_table, inode_table, dir_table, fragment_table;
    uint64_t clock;
    z_stream inflate;
    ZSTD_DCtx *zstd;
    uint8_t *packed; /* block_size bytes, at least META_SIZE */
    struct meta *meta[META_SLOTS];
    struct data data[DATA_SLOTS];
    struct place places[PLACES];
    unsigned next_place;
};

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)get16(p) | (uint32_t)get16(p + 2) << 16;
}

static uint64_t get64(const uint8_t *p)
{
    return (uint64_t)get32(p) | (uint64_t)get32(p + 4) << 32;
}

static bool damaged(struct err *err, const char *what)
{
    return err_set(err, ERR_INPUT, "the image is damaged: %s", what);
}

/* ------------------------------------------------------------------ blocks */

static bool read_image(struct sqfs *fs, void *data, size_t size, uint64_t at, struct err *err)
{
    size_t done = 0;

    if (at > fs->used || size > fs->used - at)
        return damaged(err, "a block lies behind its end");
    while (done < size) {
        ssize_t n =
            pread(fs->fd, (uint8_t *)data + done, size - done, (off_t)(fs->offset + at + done));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, "cannot read the image");
        if (n == 0)
            return err_set(err, ERR_INPUT, "the image is truncated");
        done += (size_t)n;
    }
    return true;
}

/* Unpacks fs->packed. At most capacity bytes come out, whatever the block claims. */
static bool unpack(struct sqfs *fs, size_t packed_size, void *data, size_t capacity,
                   uint32_t *ret_size, struct err *err)
{
    if (fs->compression == COMPRESSION_ZSTD) {
        size_t n = ZSTD_decompressDCtx(fs->zstd, data, capacity, fs->packed, packed_size);

        if (ZSTD_isError(n))
            return damaged(err, "a block does not unpack");
        *ret_size = (uint32_t)n;
        return true;
    }
    if (inflateReset(&fs->inflate) != Z_OK)
        return damaged(err, "a block does not unpack");
    fs->inflate.next_in = fs->packed;
    fs->inflate.avail_in = (uInt)packed_size;
    fs->inflate.next_out = data;
    fs->inflate.avail_out = (uInt)capacity;
    if (inflate(&fs->inflate, Z_FINISH) != Z_STREAM_END)
        return damaged(err, "a block does not unpack");
    *ret_size = (uint32_t)(capacity - fs->inflate.avail_out);
    return true;
}

static bool read_data(struct sqfs *fs, uint64_t at, uint32_t header, void *data, size_t capacity,
                      uint32_t *ret_size, struct err *err)
{
    uint32_t size = header & (DATA_RAW - 1);

    if (size == 0 || size > fs->block_size || header > 2 * DATA_RAW)
        return damaged(err, "a data block has an impossible size");
    if ((header & DATA_RAW) == 0) {
        return read_image(fs, fs->packed, size, at, err) &&
               unpack(fs, size, data, capacity, ret_size, err);
    }
    if (size > capacity)
        return damaged(err, "a data block is longer than its file");
    *ret_size = size;
    return read_image(fs, data, size, at, err);
}

/* A data or fragment block through the cache; valid until the next call. */
static bool cached_data(struct sqfs *fs, uint64_t at, uint32_t header, const struct data **ret,
                        struct err *err)
{
    struct data *slot = &fs->data[0];

    for (size_t i = 0; i < DATA_SLOTS; i++) {
        if (fs->data[i].block == at && at != 0) {
            fs->data[i].used = ++fs->clock;
            *ret = &fs->data[i];
            return true;
        }
        if (fs->data[i].used < slot->used)
            slot = &fs->data[i];
    }
    if (slot->bytes == NULL)
        slot->bytes = malloc(fs->block_size);
    if (slot->bytes == NULL)
        return err_sys(err, "cannot read the image");
    slot->block = 0;
    if (!read_data(fs, at, header, slot->bytes, fs->block_size, &slot->size, err))
        return false;
    slot->block = at;
    slot->used = ++fs->clock;
    *ret = slot;
    return true;
}

static bool read_meta(struct sqfs *fs, struct meta *slot, uint64_t at, struct err *err)
{
    uint8_t header[2];
    uint32_t size;

    slot->block = 0;
    if (!read_image(fs, header, sizeof(header), at, err))
        return false;
    size = get16(header) & (META_RAW - 1);
    if (size == 0 || size > META_SIZE)
        return damaged(err, "a metadata block has an impossible size");
    if ((get16(header) & META_RAW) != 0) {
        slot->size = size;
        if (!read_image(fs, slot->data, size, at + 2, err))
            return false;
    } else if (!read_image(fs, fs->packed, size, at + 2, err) ||
               !unpack(fs, size, slot->data, META_SIZE, &slot->size, err)) {
        return false;
    }
    slot->next = at + 2 + size;
    slot->block = at;
    return true;
}

/* Reads metadata at the cursor and moves it on, over block borders. */
static bool meta_read(struct sqfs *fs, struct sqfs_cursor *at, void *data, size_t size,
                      struct err *err)
{
    uint8_t *to = data;

    while (size > 0) {
        size_t index = (size_t)((at->block * 0x9e3779b97f4a7c15u) >> 32) % META_SLOTS;
        struct meta *slot = fs->meta[index];
        size_t take;

        if (slot == NULL) {
            slot = fs->meta[index] = calloc(1, sizeof(*slot));
            if (slot == NULL)
                return err_sys(err, "cannot read the image");
        }
        if (at->block < SUPERBLOCK_SIZE)
            return damaged(err, "a metadata reference is wrong");
        if (slot->block != at->block && !read_meta(fs, slot, at->block, err))
            return false;
        if (at->offset > slot->size || (at->offset == slot->size && slot->size < META_SIZE))
            return damaged(err, "a metadata reference is wrong");
        take = slot->size - at->offset < size ? slot->size - at->offset : size;
        memcpy(to, slot->data + at->offset, take);
        to += take;
        size -= take;
        at->offset += (uint32_t)take;
        if (at->offset == slot->size) {
            at->block = slot->next;
            at->offset = 0;
        }
    }
    return true;
}

/* Entry index of a table whose metadata blocks are listed at start. */
static bool table_read(struct sqfs *fs, uint64_t start, uint64_t index, size_t each, void *data,
                       struct err *err)
{
    uint64_t byte = index * each;
    struct sqfs_cursor at;
    uint8_t block[8];

    if (!read_image(fs, block, sizeof(block), start + byte / META_SIZE * sizeof(block), err))
        return false;
    at = (struct sqfs_cursor){.block = get64(block), .offset = (uint32_t)(byte % META_SIZE)};
    return meta_read(fs, &at, data, each, err);
}

/* -------------------------------------------------------------- superblock */

static bool read_superblock(struct sqfs *fs, uint64_t size_bytes, struct err *err)
{
    uint8_t sb[SUPERBLOCK_SIZE];

    fs->used = size_bytes;
    if (size_bytes < sizeof(sb))
        return err_set(err, ERR_INPUT, "there is no image in this file");
    if (!read_image(fs, sb, sizeof(sb), 0, err))
        return false;
    if (get32(sb) != SUPERBLOCK_MAGIC)
        return err_set(err, ERR_INPUT, "there is no squashfs image in this file");
    fs->inodes = get32(sb + 4);
    fs->block_size = get32(sb + 12);
    fs->fragments = get32(sb + 16);
    fs->compression = get16(sb + 20);
    fs->ids = get16(sb + 26);
    fs->root = get64(sb + 32);
    fs->used = get64(sb + 40);
    fs->id_table = get64(sb + 48);
    fs->inode_table = get64(sb + 64);
    fs->dir_table = get64(sb + 72);
    fs->fragment_table = get64(sb + 80);

    if (get16(sb + 28) != 4 || get16(sb + 30) != 0)
        return err_set(err, ERR_INPUT, "the image is squashfs %u.%u, not 4.0", get16(sb + 28),
                       get16(sb + 30));
    if (fs->compression != COMPRESSION_GZIP && fs->compression != COMPRESSION_ZSTD)
        return err_set(err, ERR_INPUT, "the image's compression (%u) is unsupported: gzip or zstd",
                       fs->compression);
    if (fs->used > size_bytes)
        return err_set(err, ERR_INPUT, "the image is truncated: %llu of %llu bytes are there",
                       (unsigned long long)size_bytes, (unsigned long long)fs->used);
    if (fs->block_size < BLOCK_MIN || fs->block_size > BLOCK_MAX ||
        (fs->block_size & (fs->block_size - 1)) != 0 || get16(sb + 22) > 20 ||
        1u << get16(sb + 22) != fs->block_size)
        return damaged(err, "impossible block size");
    if (fs->inodes == 0 || fs->inodes > INODES_MAX || fs->ids == 0 ||
        fs->inode_table < SUPERBLOCK_SIZE || fs->inode_table >= fs->dir_table ||
        fs->dir_table >= fs->used || fs->id_table >= fs->used ||
        (fs->fragments > 0 && fs->fragment_table >= fs->used))
        return damaged(err, "impossible superblock");
    return true;
}

bool sqfs_open(struct sqfs **ret, int fd, uint64_t offset_bytes, uint64_t size_bytes,
               struct err *err)
{
    struct sqfs *fs = calloc(1, sizeof(*fs));
    struct sqfs_inode root;
    bool ready;

    if (fs == NULL)
        return err_sys(err, "cannot read the image");
    fs->fd = fd;
    fs->offset = offset_bytes;
    if (!read_superblock(fs, size_bytes, err))
        goto fail;
    fs->packed = malloc(fs->block_size < META_SIZE ? META_SIZE : fs->block_size);
    if (fs->compression == COMPRESSION_ZSTD)
        ready = (fs->zstd = ZSTD_createDCtx()) != NULL;
    else
        ready = inflateInit(&fs->inflate) == Z_OK;
    if (!ready || fs->packed == NULL) {
        err_set(err, ERR_INPUT, "out of memory");
        goto fail;
    }
    if (!sqfs_inode(fs, fs->root, &root, err))
        goto fail;
    if (!S_ISDIR(root.mode)) {
        damaged(err, "its root is no directory");
        goto fail;
    }
    *ret = fs;
    return true;
fail:
    sqfs_free(fs);
    return false;
}

void sqfs_free(struct sqfs *fs)
{
    if (fs == NULL)
        return;
    ZSTD_freeDCtx(fs->zstd);
    if (fs->inflate.state != NULL)
        inflateEnd(&fs->inflate);
    for (size_t i = 0; i < META_SLOTS; i++)
        free(fs->meta[i]);
    for (size_t i = 0; i < DATA_SLOTS; i++)
        free(fs->data[i].bytes);
    free(fs->packed);
    free(fs);
}

uint64_t sqfs_root(const struct sqfs *fs)
{
    return fs->root;
}

uint32_t sqfs_inode_count(const struct sqfs *fs)
{
    return fs->inodes;
}

uint32_t sqfs_block_size(const struct sqfs *fs)
{
    return fs->block_size;
}

uint64_t sqfs_used(const struct sqfs *fs)
{
    return fs->used;
}

/* ------------------------------------------------------------------ inodes */

static bool inode_dir(struct sqfs *fs, bool extended, struct sqfs_cursor *at,
                      struct sqfs_inode *inode, struct err *err)
{
    uint8_t raw[24];

    if (!meta_read(fs, at, raw, extended ? 24 : 16, err))
        return false;
    if (extended) {
        inode->nlink = get32(raw);
        inode->directory_size = get32(raw + 4);
        inode->directory_block = get32(raw + 8);
        inode->directory_offset = get16(raw + 18);
    } else {
        inode->directory_block = get32(raw);
        inode->nlink = get32(raw + 4);
        inode->directory_size = get16(raw + 8);
        inode->directory_offset = get16(raw + 10);
    }
    inode->size = inode->directory_size;
    return true;
}

static bool inode_file(struct sqfs *fs, bool extended, struct sqfs_cursor *at,
                       struct sqfs_inode *inode, struct err *err)
{
    uint8_t raw[40];

    if (!meta_read(fs, at, raw, extended ? 40 : 16, err))
        return false;
    if (extended) {
        inode->data_start = get64(raw);
        inode->size = get64(raw + 8);
        inode->nlink = get32(raw + 24);
        inode->fragment = get32(raw + 28);
        inode->fragment_offset = get32(raw + 32);
    } else {
        inode->data_start = get32(raw);
        inode->fragment = get32(raw + 4);
        inode->fragment_offset = get32(raw + 8);
        inode->size = get32(raw + 12);
        inode->nlink = 1;
    }
    inode->tail = *at;
    if (inode->size > INT64_MAX)
        return damaged(err, "a file has an impossible size");
    return true;
}

static bool inode_other(struct sqfs *fs, enum inode_type type, struct sqfs_cursor *at,
                        struct sqfs_inode *inode, struct err *err)
{
    uint8_t raw[8];
    bool two = type == TYPE_SYMLINK || type == TYPE_BLOCK || type == TYPE_CHAR;

    if (!meta_read(fs, at, raw, two ? 8 : 4, err))
        return false;
    inode->nlink = get32(raw);
    if (type == TYPE_SYMLINK) {
        inode->size = get32(raw + 4);
        inode->tail = *at;
        if (inode->size == 0 || inode->size > SQFS_LINK_MAX)
            return damaged(err, "a symlink has an impossible length");
    } else if (two) {
        inode->rdev = get32(raw + 4);
    }
    return true;
}

bool sqfs_inode(struct sqfs *fs, uint64_t ref, struct sqfs_inode *ret, struct err *err)
{
    static const mode_t formats[] = {0,       S_IFDIR, S_IFREG, S_IFLNK,
                                     S_IFBLK, S_IFCHR, S_IFIFO, S_IFSOCK};
    struct sqfs_inode inode = {.ref = ref, .fragment = (uint32_t)NO_FRAGMENT};
    struct sqfs_cursor at = {.block = fs->inode_table + (ref >> 16), .offset = ref & 0xffff};
    uint8_t raw[16], uid[4], gid[4];
    unsigned type;
    bool extended, done;

    if (at.block >= fs->dir_table || !meta_read(fs, &at, raw, sizeof(raw), err))
        return err->kind != ERR_NONE ? false : damaged(err, "an inode reference is wrong");
    type = get16(raw);
    extended = type >= TYPE_EXTENDED;
    if (extended)
        type -= TYPE_SOCKET;
    if (type < TYPE_DIR || type > TYPE_SOCKET)
        return damaged(err, "an inode has an unknown type");
    inode.mode = formats[type] | (get16(raw + 2) & 07777);
    inode.mtime = get32(raw + 8);
    inode.number = get32(raw + 12);
    if (inode.number == 0 || inode.number > fs->inodes || get16(raw + 4) >= fs->ids ||
        get16(raw + 6) >= fs->ids)
        return damaged(err, "an inode has an impossible number or owner");
    if (!table_read(fs, fs->id_table, get16(raw + 4), 4, uid, err) ||
        !table_read(fs, fs->id_table, get16(raw + 6), 4, gid, err))
        return false;
    inode.uid = get32(uid);
    inode.gid = get32(gid);

    if (type == TYPE_DIR)
        done = inode_dir(fs, extended, &at, &inode, err);
    else if (type == TYPE_FILE)
        done = inode_file(fs, extended, &at, &inode, err);
    else
        done = inode_other(fs, type, &at, &inode, err);
    if (done)
        *ret = inode;
    return done;
}

bool sqfs_readlink(struct sqfs *fs, const struct sqfs_inode *inode, char *target, struct err *err)
{
    struct sqfs_cursor at = inode->tail;

    if (!S_ISLNK(inode->mode))
        return damaged(err, "a symlink is none");
    if (!meta_read(fs, &at, target, inode->size, err))
        return false;
    target[inode->size] = '\0';
    if (strlen(target) != inode->size)
        return damaged(err, "a symlink's target has a NUL");
    return true;
}

/* ------------------------------------------------------------- directories */

bool sqfs_dir_open(struct sqfs *fs, const struct sqfs_inode *inode, struct sqfs_dir *ret,
                   struct err *err)
{
    if (!S_ISDIR(inode->mode))
        return damaged(err, "a directory is none");
    *ret = (struct sqfs_dir){
        .at = {.block = fs->dir_table + inode->directory_block, .offset = inode->directory_offset},
        .left = inode->directory_size > DIR_SIZE_BIAS ? inode->directory_size - DIR_SIZE_BIAS : 0,
    };
    return true;
}

static bool dir_take(struct sqfs *fs, struct sqfs_dir *dir, void *data, size_t size,
                     struct err *err)
{
    if (dir->left < size)
        return damaged(err, "a directory ends in the middle of an entry");
    dir->left -= size;
    return meta_read(fs, &dir->at, data, size, err);
}

static bool name_is_component(const char *name, size_t length)
{
    return memchr(name, '/', length) == NULL && memchr(name, '\0', length) == NULL &&
           !(name[0] == '.' && (length == 1 || (length == 2 && name[1] == '.')));
}

bool sqfs_dir_next(struct sqfs *fs, struct sqfs_dir *dir, struct sqfs_entry *ret, bool *ret_more,
                   struct err *err)
{
    static const uint8_t hints[] = {DT_UNKNOWN, DT_DIR, DT_REG,  DT_LNK,
                                    DT_BLK,     DT_CHR, DT_FIFO, DT_SOCK};
    uint8_t raw[DIR_HEADER_SIZE];
    unsigned type;

    if (dir->count == 0) {
        if (dir->left == 0) {
            *ret_more = false;
            return true;
        }
        if (!dir_take(fs, dir, raw, DIR_HEADER_SIZE, err))
            return false;
        if (get32(raw) > 255)
            return damaged(err, "a directory header counts too many entries");
        dir->count = get32(raw) + 1;
        dir->start_block = get32(raw + 4);
        dir->base_number = get32(raw + 8);
    }
    if (!dir_take(fs, dir, raw, DIR_ENTRY_SIZE, err))
        return false;
    dir->count--;
    ret->ref = (uint64_t)dir->start_block << 16 | get16(raw);
    /* a signed distance */
    ret->number = dir->base_number + (get16(raw + 2) ^ 0x8000u) - 0x8000u;
    type = get16(raw + 4);
    ret->type = type < sizeof(hints) ? hints[type] : DT_UNKNOWN;
    ret->length = (size_t)get16(raw + 6) + 1;
    if (ret->length > SQFS_NAME_MAX)
        return damaged(err, "a name is too long");
    if (!dir_take(fs, dir, ret->name, ret->length, err))
        return false;
    ret->name[ret->length] = '\0';
    if (!name_is_component(ret->name, ret->length))
        return damaged(err, "a name in a directory is not a single component");
    *ret_more = true;
    return true;
}

bool sqfs_lookup(struct sqfs *fs, const struct sqfs_inode *inode, const char *name, size_t length,
                 uint64_t *ret_ref, bool *ret_found, struct err *err)
{
    struct sqfs_entry entry;
    struct sqfs_dir dir;
    bool more;

    if (!sqfs_dir_open(fs, inode, &dir, err))
        return false;
    for (;;) {
        if (!sqfs_dir_next(fs, &dir, &entry, &more, err))
            return false;
        /* Listings are sorted by byte values. */
        if (!more || (uint8_t)entry.name[0] > (uint8_t)name[0])
            break;
        if (entry.length == length && memcmp(entry.name, name, length) == 0) {
            *ret_ref = entry.ref;
            *ret_found = true;
            return true;
        }
    }
    *ret_found = false;
    return true;
}

/* ------------------------------------------------------------------- files */

static uint64_t block_count(const struct sqfs *fs, const struct sqfs_inode *inode)
{
    bool tail = inode->fragment == (uint32_t)NO_FRAGMENT && inode->size % fs->block_size != 0;

    return inode->size / fs->block_size + (tail ? 1 : 0);
}

static struct place *find_place(struct sqfs *fs, const struct sqfs_inode *inode, uint64_t index)
{
    struct place *place;

    for (size_t i = 0; i < PLACES; i++) {
        if (fs->places[i].ref == inode->ref && fs->places[i].cursor.block != 0 &&
            fs->places[i].index <= index)
            return &fs->places[i];
    }
    place = &fs->places[fs->next_place++ % PLACES];
    *place = (struct place){.ref = inode->ref, .data = inode->data_start, .cursor = inode->tail};
    return place;
}

/* Where block index of the file is, and its header (0: a hole). */
static bool find_block(struct sqfs *fs, const struct sqfs_inode *inode, uint64_t index,
                       uint64_t *ret_at, uint32_t *ret_header, struct err *err)
{
    struct place place = *find_place(fs, inode, index), *slot;
    struct sqfs_cursor ahead;
    uint8_t raw[4 * 128];

    while (place.index < index) {
        uint64_t steps = index - place.index < 128 ? index - place.index : 128;

        if (!meta_read(fs, &place.cursor, raw, (size_t)steps * 4, err))
            return false;
        for (size_t i = 0; i < steps; i++)
            place.data += get32(raw + 4 * i) & (DATA_RAW - 1);
        place.index += steps;
    }
    slot = find_place(fs, inode, index);
    *slot = place;
    ahead = place.cursor;
    if (!meta_read(fs, &ahead, raw, 4, err))
        return false;
    *ret_at = place.data;
    *ret_header = get32(raw);
    return true;
}

/* Bytes of the fragment at the file's end; offset counts from the fragment part's start. */
static bool read_tail(struct sqfs *fs, const struct sqfs_inode *inode, void *data, size_t size,
                      size_t offset, struct err *err)
{
    const struct data *block;
    uint8_t raw[16];

    if (inode->fragment >= fs->fragments)
        return damaged(err, "a fragment does not exist");
    if (!table_read(fs, fs->fragment_table, inode->fragment, sizeof(raw), raw, err) ||
        !cached_data(fs, get64(raw), get32(raw + 8), &block, err))
        return false;
    offset += inode->fragment_offset;
    if (offset > block->size || size > block->size - offset)
        return damaged(err, "a fragment is too short");
    memcpy(data, block->bytes + offset, size);
    return true;
}

/* size bytes at offset inside block index, which holds length bytes of the file. */
static bool read_block(struct sqfs *fs, const struct sqfs_inode *inode, uint64_t index,
                       size_t length, size_t offset, void *data, size_t size, struct err *err)
{
    const struct data *block;
    uint32_t header, got;
    uint64_t at;

    if (!find_block(fs, inode, index, &at, &header, err))
        return false;
    if (header == 0) {
        memset(data, 0, size);
        return true;
    }
    /* Whole blocks need no copy and would only push others out of the cache. */
    if (size == length) {
        if (!read_data(fs, at, header, data, length, &got, err))
            return false;
        return got == length || damaged(err, "a data block is too short");
    }
    if (!cached_data(fs, at, header, &block, err))
        return false;
    if (block->size < length)
        return damaged(err, "a data block is too short");
    memcpy(data, block->bytes + offset, size);
    return true;
}

bool sqfs_read(struct sqfs *fs, const struct sqfs_inode *inode, void *data, size_t size,
               uint64_t offset, size_t *ret_size, struct err *err)
{
    uint64_t blocks = block_count(fs, inode);
    size_t done = 0;

    if (!S_ISREG(inode->mode))
        return damaged(err, "a file is none");
    if (offset >= inode->size)
        size = 0;
    else if (size > inode->size - offset)
        size = (size_t)(inode->size - offset);
    while (done < size) {
        uint64_t index = (offset + done) / fs->block_size;
        size_t within = (offset + done) % fs->block_size;
        uint64_t rest = inode->size - index * fs->block_size;
        size_t length = rest < fs->block_size ? (size_t)rest : fs->block_size;
        size_t take = length - within < size - done ? length - within : size - done;
        bool good;

        if (index < blocks)
            good = read_block(fs, inode, index, length, within, (char *)data + done, take, err);
        else
            good = read_tail(fs, inode, (char *)data + done, take, within, err);
        if (!good)
            return false;
        done += take;
    }
    *ret_size = done;
    return true;
}

bool sqfs_hole(struct sqfs *fs, const struct sqfs_inode *inode, uint64_t offset, uint64_t *ret_end,
               bool *ret_hole, struct err *err)
{
    uint64_t index = offset / fs->block_size;
    uint64_t rest = inode->size - index * fs->block_size;
    uint32_t header = 1;
    uint64_t at;

    if (index < block_count(fs, inode) && !find_block(fs, inode, index, &at, &header, err))
        return false;
    *ret_end = index * fs->block_size + (rest < fs->block_size ? rest : fs->block_size);
    *ret_hole = header == 0;
    return true;
}
