/* SPDX-License-Identifier: MIT */
#include "runtime/stub/sqfs.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <squashfuse/squashfuse.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "runtime/stub/block.h"
#include "runtime/stub/codec.h"

enum {
    META_CACHE_BLOCKS = 64, /* of at most 8 KiB */
    NODE_CACHE = 128,
    WINDOW = 256,           /* block sizes that are read at a time */
    LIBRARY_NAME = 1 << 16, /* the longest name the library may write: a 16-bit length plus one */
};

/* Where a file's block list continues, every WINDOW blocks: finding a block of a huge file must
 * neither start at the first one nor keep them all. */
struct mark {
    sqfs_md_cursor cursor;
    uint64_t position; /* of the data, from the start of the image */
};

struct cached_node {
    bool used;
    uint64_t ref;
    sqfs_inode inode;
    struct mark *marks;
    size_t mark_count;
    size_t window; /* which one is loaded, or SIZE_MAX */
    uint32_t headers[WINDOW];
};

struct sqfs_image {
    struct block_cache *blocks;
    pthread_mutex_t lock; /* of all that follows: the library has caches without any */
    sqfs fs;
    struct codec *codec; /* for metadata */
    struct cached_node nodes[NODE_CACHE];
    char *name; /* LIBRARY_NAME + 1 bytes */
};

/* The library hands its decompressor no context: this is the lock holder's. */
static _Thread_local struct codec *metadata_codec;

static void lock_metadata(struct sqfs_image *image)
{
    (void)pthread_mutex_lock(&image->lock);
    metadata_codec = image->codec;
}

static void unlock_metadata(struct sqfs_image *image)
{
    metadata_codec = NULL;
    (void)pthread_mutex_unlock(&image->lock);
}

/* The library's own makes a decoder for every block. */
static sqfs_err decompress_metadata(void *in, size_t in_size, void *out, size_t *out_size)
{
    return codec_decode(metadata_codec, in, in_size, out, *out_size, out_size) ? SQFS_OK : SQFS_ERR;
}

static bool no_memory(struct err *err)
{
    errno = ENOMEM;
    return err_sys(err, "reading the image");
}

/* The library does not tell damage from a read that failed and from want of memory; errno does. */
static bool damaged(struct err *err, const char *what)
{
    if (errno == ENOMEM || errno == EIO)
        return err_sys(err, "reading the image");
    (void)err_set(err, ERR_INPUT, "the image is damaged: %s", what);
    (void)err_id(err, "E-IMAGE");
    return err_hint(err, "the file may be cut off or changed: download or build it again");
}

/* True if a table may start there: inside the image, behind the superblock. */
static bool inside(const struct squashfs_super_block *super, uint64_t position)
{
    return position >= SQFS_SUPERBLOCK_SIZE && position < super->bytes_used;
}

static bool check_geometry(const struct squashfs_super_block *super, uint64_t available,
                           struct err *err)
{
    if (super->s_magic != SQUASHFS_MAGIC)
        return damaged(err, "no squashfs superblock");
    if (super->s_major != SQUASHFS_MAJOR || super->s_minor != SQUASHFS_MINOR)
        return damaged(err, "not squashfs version 4.0");
    if (super->block_log < 12 || super->block_log > SQUASHFS_FILE_MAX_LOG ||
        super->block_size != UINT32_C(1) << super->block_log)
        return damaged(err, "impossible block size");
    if (super->bytes_used < SQFS_SUPERBLOCK_SIZE)
        return damaged(err, "impossible image size");
    if (super->bytes_used > available)
        return damaged(err, "the file is shorter than the image in it");
    if (!codec_supported(super->compression)) {
        (void)err_set(err, ERR_INPUT, "the image is compressed with %s, which is unsupported",
                      codec_name(super->compression));
        (void)err_id(err, "E-IMAGE");
        return err_hint(err, "gzip, lz4, xz and zstd are supported");
    }
    return true;
}

/* The library allocates tables by the superblock's counts; none may exceed what the image can
 * hold. Tables are lists of 8-byte pointers to blocks of 8 KiB. */
static bool check_tables(const struct squashfs_super_block *super, struct err *err)
{
    uint64_t fragment_blocks = ((uint64_t)super->fragments * 16 + 8191) / 8192;
    uint64_t export_blocks = ((uint64_t)super->inodes * 8 + 8191) / 8192;

    if (super->inodes == 0 || super->no_ids == 0)
        return damaged(err, "no inodes");
    if (!inside(super, super->inode_table_start) || !inside(super, super->directory_table_start) ||
        super->inode_table_start >= super->directory_table_start ||
        !inside(super, super->id_table_start))
        return damaged(err, "table outside the image");
    if (super->fragments > 0 &&
        (!inside(super, super->fragment_table_start) ||
         fragment_blocks * 8 > super->bytes_used - super->fragment_table_start))
        return damaged(err, "fragment table outside the image");
    if (super->lookup_table_start != (uint64_t)SQUASHFS_INVALID_BLK &&
        (!inside(super, super->lookup_table_start) ||
         export_blocks * 8 > super->bytes_used - super->lookup_table_start))
        return damaged(err, "export table outside the image");
    return true;
}

/* The same for extended attributes, whose count stands in a table of its own. */
static bool check_xattrs(const struct squashfs_super_block *super, int fd, uint64_t offset,
                         struct err *err)
{
    struct squashfs_xattr_id_table table;
    uint64_t start = super->xattr_id_table_start;
    uint64_t blocks;

    if (start == (uint64_t)SQUASHFS_INVALID_BLK)
        return true;
    if (!inside(super, start) || super->bytes_used - start < sizeof(table) ||
        pread(fd, &table, sizeof(table), (off_t)(offset + start)) != (ssize_t)sizeof(table))
        return damaged(err, "attribute table outside the image");
    blocks = ((uint64_t)le32toh(table.xattr_ids) * sizeof(struct squashfs_xattr_id) + 8191) / 8192;
    if (blocks * 8 > super->bytes_used - start - sizeof(table) ||
        !inside(super, le64toh(table.xattr_table_start)))
        return damaged(err, "attribute table outside the image");
    return true;
}

bool sqfs_check_superblock(int fd, uint64_t offset, uint64_t file_size, uint64_t *ret_bytes,
                           struct err *err)
{
    struct squashfs_super_block super;

    static_assert(sizeof(super) == SQFS_SUPERBLOCK_SIZE);
    if (offset > file_size || file_size - offset < sizeof(super) ||
        pread(fd, &super, sizeof(super), (off_t)offset) != (ssize_t)sizeof(super))
        return damaged(err, "the file ends before the image");
    if (!check_geometry(&super, file_size - offset, err) || !check_tables(&super, err) ||
        !check_xattrs(&super, fd, offset, err))
        return false;
    *ret_bytes = super.bytes_used;
    return true;
}

static bool make_caches(struct sqfs_image *image, int fd, uint64_t offset, struct err *err)
{
    unsigned int kind = image->fs.sb.compression;

    image->name = malloc(LIBRARY_NAME + 1);
    /* The library's own eight blocks are too few for a walk through the tree. */
    if (sqfs_block_cache_init(&image->fs.md_cache, META_CACHE_BLOCKS) != SQFS_OK) {
        image->fs.md_cache = (sqfs_cache){0}; /* it is released already */
        return no_memory(err);
    }
    if (image->name == NULL)
        return no_memory(err);
    image->fs.decompressor = decompress_metadata;
    return codec_new(&image->codec, kind, err) &&
           block_cache_new(&image->blocks, fd, offset, kind, image->fs.sb.block_size, err);
}

/* As sqfs_init(), which makes caches that nobody uses here, and releases them twice for want of
 * memory. */
static bool open_tables(sqfs *fs, int fd, uint64_t offset, struct err *err)
{
    fs->fd = fd;
    fs->offset = offset;
    errno = 0;
    if (pread(fd, &fs->sb, sizeof(fs->sb), (off_t)offset) != (ssize_t)sizeof(fs->sb) ||
        sqfs_table_init(&fs->id_table, fd, (sqfs_off_t)(fs->sb.id_table_start + offset),
                        sizeof(uint32_t), fs->sb.no_ids) != SQFS_OK ||
        sqfs_table_init(&fs->frag_table, fd, (sqfs_off_t)(fs->sb.fragment_table_start + offset),
                        sizeof(struct squashfs_fragment_entry), fs->sb.fragments) != SQFS_OK ||
        sqfs_xattr_init(fs) != SQFS_OK)
        return damaged(err, "its tables cannot be read");
    return true;
}

bool sqfs_image_open(struct sqfs_image **ret, int fd, uint64_t offset, uint64_t file_size,
                     struct err *err)
{
    struct sqfs_image *image;
    struct sqfs_node root;
    uint64_t bytes;

    if (!sqfs_check_superblock(fd, offset, file_size, &bytes, err))
        return false;
    image = calloc(1, sizeof(*image));
    if (image == NULL)
        return no_memory(err);
    (void)pthread_mutex_init(&image->lock, NULL);
    if (!open_tables(&image->fs, fd, offset, err) || !make_caches(image, fd, offset, err) ||
        !sqfs_image_node(image, sqfs_image_root(image), &root, err))
        goto fail;
    if (!S_ISDIR(root.mode)) {
        (void)damaged(err, "its root is not a directory");
        goto fail;
    }
    *ret = image;
    return true;
fail:
    sqfs_image_free(image);
    return false;
}

void sqfs_image_free(struct sqfs_image *image)
{
    if (image == NULL)
        return;
    for (size_t i = 0; i < NODE_CACHE; i++)
        free(image->nodes[i].marks);
    block_cache_free(image->blocks);
    codec_free(image->codec);
    free(image->name);
    sqfs_destroy(&image->fs);
    sqfs_table_destroy(&image->fs.xattr_table);
    (void)pthread_mutex_destroy(&image->lock);
    free(image);
}

uint64_t sqfs_image_root(const struct sqfs_image *image)
{
    return image->fs.sb.root_inode;
}

uint32_t sqfs_image_block_size(const struct sqfs_image *image)
{
    return image->fs.sb.block_size;
}

uint64_t sqfs_image_bytes(const struct sqfs_image *image)
{
    return image->fs.sb.bytes_used;
}

uint32_t sqfs_image_inodes(const struct sqfs_image *image)
{
    return image->fs.sb.inodes;
}

/*
 * The library subtracts a cursor's offset from the size of its block without looking, and takes
 * position 0 for an empty cache slot. Every cursor that comes from the image passes here once; the
 * library's own steps keep it valid from then on.
 */
static bool cursor_valid(struct sqfs_image *image, uint64_t position, size_t offset, size_t need)
{
    sqfs_off_t at = (sqfs_off_t)position;
    sqfs_block *block;

    if (!inside(&image->fs.sb, position) || sqfs_md_cache(&image->fs, &at, &block) != SQFS_OK)
        return false;
    return offset < block->size && need <= block->size - offset;
}

static bool table_get(struct sqfs_image *image, sqfs_table *table, size_t count, size_t index,
                      void *ret)
{
    size_t at = index * table->each;

    if (index >= count || table->blocks == NULL)
        return false;
    if (!cursor_valid(image, table->blocks[at / SQUASHFS_METADATA_SIZE],
                      at % SQUASHFS_METADATA_SIZE, table->each))
        return false;
    return sqfs_table_get(table, &image->fs, index, ret) == SQFS_OK;
}

static void forget_node(struct cached_node *node)
{
    free(node->marks);
    *node = (struct cached_node){.window = SIZE_MAX};
}

/* The decoded inode; valid until the next call for another ref. */
static struct cached_node *load_node(struct sqfs_image *image, uint64_t ref, struct err *err)
{
    struct cached_node *node = &image->nodes[(ref ^ ref >> 16) % NODE_CACHE];
    uint64_t position = (ref >> 16) + image->fs.sb.inode_table_start;

    if (node->used && node->ref == ref)
        return node;
    forget_node(node);
    if (ref >> 48 != 0 || !cursor_valid(image, position, ref & 0xffff, 1) ||
        sqfs_inode_get(&image->fs, &node->inode, ref) != SQFS_OK) {
        (void)damaged(err, "unreadable inode");
        return NULL;
    }
    node->inode.base.mode =
        (node->inode.base.mode & 07777U) | (uint16_t)sqfs_mode(node->inode.base.inode_type);
    node->ref = ref;
    node->used = true;
    return node;
}

static bool check_node(const struct sqfs_image *image, const sqfs_inode *inode, struct err *err)
{
    if (S_ISLNK(inode->base.mode) &&
        (inode->xtra.symlink_size == 0 || inode->xtra.symlink_size > SQFS_TARGET_MAX))
        return damaged(err, "impossible symlink");
    if (S_ISREG(inode->base.mode) &&
        inode->xtra.reg.file_size >> image->fs.sb.block_log >= SQFS_FILE_BLOCKS_MAX)
        return damaged(err, "impossible file size");
    return true;
}

static uint64_t node_size(const sqfs_inode *inode)
{
    if (S_ISREG(inode->base.mode))
        return inode->xtra.reg.file_size;
    if (S_ISLNK(inode->base.mode))
        return inode->xtra.symlink_size;
    return S_ISDIR(inode->base.mode) ? inode->xtra.dir.dir_size : 0;
}

static bool get_node(struct sqfs_image *image, uint64_t ref, struct sqfs_node *ret, struct err *err)
{
    struct cached_node *node = load_node(image, ref, err);
    uint32_t uid, gid;
    const sqfs_inode *inode;

    if (node == NULL || !check_node(image, &node->inode, err))
        return false;
    inode = &node->inode;
    if (!table_get(image, &image->fs.id_table, image->fs.sb.no_ids, inode->base.uid, &uid) ||
        !table_get(image, &image->fs.id_table, image->fs.sb.no_ids, inode->base.guid, &gid))
        return damaged(err, "unknown owner");
    *ret = (struct sqfs_node){
        .ref = ref,
        .size = node_size(inode),
        .ino = inode->base.inode_number,
        .nlink = (uint32_t)inode->nlink,
        .mtime = inode->base.mtime,
        .uid = uid,
        .gid = gid,
        .mode = inode->base.mode,
    };
    if (S_ISDIR(ret->mode))
        ret->parent_ino = inode->xtra.dir.parent_inode;
    if (S_ISCHR(ret->mode) || S_ISBLK(ret->mode)) {
        ret->major = (uint32_t)inode->xtra.dev.major;
        ret->minor = (uint32_t)inode->xtra.dev.minor;
    }
    return true;
}

bool sqfs_image_node(struct sqfs_image *image, uint64_t ref, struct sqfs_node *ret, struct err *err)
{
    bool ok;

    lock_metadata(image);
    ok = get_node(image, ref, ret, err);
    unlock_metadata(image);
    return ok;
}

static bool name_valid(const char *name, size_t len)
{
    if (len == 0 || len > SQFS_NAME_MAX || memchr(name, '/', len) != NULL ||
        memchr(name, '\0', len) != NULL)
        return false;
    return !(name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.')));
}

static int compare_names(const char *a, size_t a_len, const char *b, size_t b_len)
{
    int order = memcmp(a, b, a_len < b_len ? a_len : b_len);

    if (order != 0)
        return order;
    return a_len < b_len ? -1 : a_len > b_len;
}

struct list_builder {
    struct sqfs_list list;
    size_t capacity;
    size_t names_size, names_capacity;
};

/* Names move while the pool grows, so entries hold offsets until the list is complete. */
static bool list_append(struct list_builder *builder, const sqfs_dir_entry *entry)
{
    if (builder->list.count == builder->capacity) {
        size_t capacity = builder->capacity == 0 ? 16 : builder->capacity * 2;
        void *grown = reallocarray(builder->list.entries, capacity, sizeof(struct sqfs_entry));

        if (grown == NULL)
            return false;
        builder->list.entries = grown;
        builder->capacity = capacity;
    }
    if (builder->names_capacity - builder->names_size <= entry->name_size) {
        size_t capacity = builder->names_capacity * 2 + 1024;
        char *grown = realloc(builder->list.names, capacity);

        if (grown == NULL)
            return false;
        builder->list.names = grown;
        builder->names_capacity = capacity;
    }
    memcpy(builder->list.names + builder->names_size, entry->name, entry->name_size);
    builder->list.names[builder->names_size + entry->name_size] = '\0';
    builder->list.entries[builder->list.count++] = (struct sqfs_entry){
        .name_len = entry->name_size,
        .ref = entry->inode,
        .ino = entry->inode_number,
        .type = sqfs_mode(entry->type),
    };
    builder->names_size += entry->name_size + 1;
    return true;
}

static void list_finish(struct list_builder *builder)
{
    char *name = builder->list.names;

    for (size_t i = 0; i < builder->list.count; i++) {
        builder->list.entries[i].name = name;
        name += builder->list.entries[i].name_len + 1;
    }
    builder->list.memory_bytes =
        builder->capacity * sizeof(struct sqfs_entry) + builder->names_capacity;
}

static bool list_read(struct sqfs_image *image, sqfs_dir *dir, struct list_builder *builder,
                      struct err *err)
{
    sqfs_dir_entry entry;
    size_t last = 0, last_len = 0;
    sqfs_err status;

    sqfs_dentry_init(&entry, image->name);
    while (sqfs_dir_next(&image->fs, dir, &entry, &status)) {
        /* A run's count is not bound by the directory's size in the library. */
        if (dir->offset > dir->total || !name_valid(entry.name, entry.name_size))
            return damaged(err, "impossible directory entry");
        if (builder->list.count > 0 &&
            compare_names(builder->list.names + last, last_len, entry.name, entry.name_size) >= 0)
            return damaged(err, "directory out of order");
        last = builder->names_size;
        last_len = entry.name_size;
        if (!list_append(builder, &entry))
            return no_memory(err);
    }
    if (status != SQFS_OK)
        return damaged(err, "unreadable directory");
    return true;
}

static bool get_list(struct sqfs_image *image, uint64_t ref, struct list_builder *builder,
                     struct err *err)
{
    struct cached_node *node = load_node(image, ref, err);
    sqfs_dir dir;

    if (node == NULL)
        return false;
    if (!S_ISDIR(node->inode.base.mode) || sqfs_dir_open(&image->fs, &node->inode, &dir, 0))
        return damaged(err, "not a directory");
    if (dir.total > SQFS_DIR_BYTES_MAX)
        return damaged(err, "impossible directory size");
    if (dir.total > 0 && !cursor_valid(image, (uint64_t)dir.cur.block, dir.cur.offset, 1))
        return damaged(err, "unreadable directory");
    return list_read(image, &dir, builder, err);
}

bool sqfs_image_list(struct sqfs_image *image, uint64_t ref, struct sqfs_list *ret, struct err *err)
{
    struct list_builder builder = {0};
    bool ok;

    lock_metadata(image);
    ok = get_list(image, ref, &builder, err);
    unlock_metadata(image);
    if (!ok) {
        sqfs_list_release(&builder.list);
        return false;
    }
    list_finish(&builder);
    *ret = builder.list;
    return true;
}

void sqfs_list_release(struct sqfs_list *list)
{
    if (list == NULL)
        return;
    free(list->entries);
    free(list->names);
    *list = (struct sqfs_list){0};
}

const struct sqfs_entry *sqfs_list_find(const struct sqfs_list *list, const char *name,
                                        size_t name_len)
{
    size_t low = 0, high = list->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct sqfs_entry *entry = &list->entries[middle];
        int order = compare_names(name, name_len, entry->name, entry->name_len);

        if (order == 0)
            return entry;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

static bool append_mark(struct cached_node *node, struct mark mark)
{
    struct mark *grown = reallocarray(node->marks, node->mark_count + 1, sizeof(mark));

    if (grown == NULL)
        return false;
    node->marks = grown;
    node->marks[node->mark_count++] = mark;
    return true;
}

/* Reads the window at a known mark into headers[]; that tells where the next one begins. */
static bool read_window(struct sqfs_image *image, struct cached_node *node, size_t window)
{
    size_t total = sqfs_blocklist_count(&image->fs, &node->inode);
    struct mark mark = node->marks[window];
    size_t count = total - window * WINDOW;

    if (count > WINDOW)
        count = WINDOW;
    node->window = SIZE_MAX;
    if (sqfs_md_read(&image->fs, &mark.cursor, node->headers, count * sizeof(node->headers[0])))
        return false;
    for (size_t i = 0; i < count; i++) {
        bool compressed;
        uint32_t size;

        node->headers[i] = le32toh(node->headers[i]);
        sqfs_data_header(node->headers[i], &compressed, &size);
        mark.position += size;
    }
    if (window + 1 == node->mark_count && !append_mark(node, mark))
        return false;
    node->window = window;
    return true;
}

static bool load_window(struct sqfs_image *image, struct cached_node *node, size_t window)
{
    struct mark first = {node->inode.next, node->inode.xtra.reg.start_block};

    if (node->mark_count == 0 && !append_mark(node, first))
        return false;
    while (node->mark_count <= window)
        if (!read_window(image, node, node->mark_count - 1))
            return false;
    return node->window == window || read_window(image, node, window);
}

/* A stretch of a file that lies in one block. */
struct piece {
    struct block block; /* size 0: a hole */
    size_t offset;      /* of the stretch in the decoded block */
    size_t size;
    size_t whole; /* decoded bytes of the block, 0 if unknown */
};

/* header is a squashfs data block header. */
static bool set_block(const struct sqfs_image *image, struct piece *piece, uint64_t position,
                      uint32_t header)
{
    const struct squashfs_super_block *super = &image->fs.sb;

    piece->block = (struct block){.position = position};
    if (header == 0)
        return true;
    sqfs_data_header(header, &piece->block.compressed, &piece->block.size);
    return inside(super, position) && piece->block.size > 0 &&
           piece->block.size <= super->block_size &&
           piece->block.size <= super->bytes_used - position;
}

static bool find_fragment(struct sqfs_image *image, const sqfs_inode *inode, struct piece *piece)
{
    struct squashfs_fragment_entry entry;

    piece->offset += inode->xtra.reg.frag_off;
    piece->whole = 0;
    return table_get(image, &image->fs.frag_table, image->fs.sb.fragments, inode->xtra.reg.frag_idx,
                     &entry) &&
           entry.size != 0 &&
           set_block(image, piece, le64toh(entry.start_block), le32toh(entry.size));
}

static bool find_block(struct sqfs_image *image, struct cached_node *node, size_t index,
                       struct piece *piece)
{
    uint64_t position;

    if (!load_window(image, node, index / WINDOW))
        return false;
    position = node->marks[index / WINDOW].position;
    for (size_t i = 0; i < index % WINDOW; i++) {
        bool compressed;
        uint32_t before;

        sqfs_data_header(node->headers[i], &compressed, &before);
        position += before;
    }
    return set_block(image, piece, position, node->headers[index % WINDOW]);
}

/* Where the file's bytes from offset on lie: at most size of them, fewer at the end of a block,
 * none at the end of the file. */
static bool find_piece(struct sqfs_image *image, uint64_t ref, uint64_t offset, size_t size,
                       struct piece *ret, struct err *err)
{
    struct cached_node *node = load_node(image, ref, err);
    size_t block_size = image->fs.sb.block_size;
    struct piece piece = {.offset = (size_t)(offset & (block_size - 1)), .whole = block_size};
    uint64_t left, index = offset >> image->fs.sb.block_log;
    bool ok;

    if (node == NULL || !check_node(image, &node->inode, err))
        return false;
    if (!S_ISREG(node->inode.base.mode))
        return damaged(err, "not a file");
    if (offset < node->inode.xtra.reg.file_size) {
        left = node->inode.xtra.reg.file_size - offset;
        if (left + piece.offset < piece.whole)
            piece.whole = (size_t)left + piece.offset;
        piece.size = piece.whole - piece.offset < size ? piece.whole - piece.offset : size;
        ok = index < sqfs_blocklist_count(&image->fs, &node->inode)
                 ? find_block(image, node, (size_t)index, &piece)
                 : find_fragment(image, &node->inode, &piece);
        if (!ok)
            return damaged(err, "impossible data block");
    }
    *ret = piece;
    return true;
}

static bool read_piece(struct sqfs_image *image, const struct piece *piece, void *buf)
{
    if (piece->block.size == 0) {
        memset(buf, 0, piece->size);
        return true;
    }
    if (piece->size == piece->whole)
        return block_read_whole(image->blocks, &piece->block, buf, piece->size);
    return block_read(image->blocks, &piece->block, piece->offset, buf, piece->size);
}

bool sqfs_image_read(struct sqfs_image *image, uint64_t ref, uint64_t offset, void *buf,
                     size_t size, size_t *ret_size, struct err *err)
{
    size_t done = 0;

    while (done < size) {
        struct piece piece;
        bool ok;

        lock_metadata(image);
        ok = find_piece(image, ref, offset + done, size - done, &piece, err);
        unlock_metadata(image);
        if (!ok)
            return false;
        if (piece.size == 0)
            break;
        if (!read_piece(image, &piece, (char *)buf + done))
            return damaged(err, "unreadable data block");
        done += piece.size;
    }
    *ret_size = done;
    return true;
}

bool sqfs_image_hole(struct sqfs_image *image, uint64_t ref, uint64_t offset, uint64_t size,
                     uint64_t *ret, struct err *err)
{
    size_t block_size = image->fs.sb.block_size;
    struct piece piece = {.size = 1};
    uint64_t found = 0;
    bool ok = true;

    lock_metadata(image);
    while (ok && found < size && piece.size > 0 && piece.block.size == 0) {
        size_t want = size - found < block_size ? (size_t)(size - found) : block_size;

        ok = find_piece(image, ref, offset + found, want, &piece, err);
        if (ok && piece.block.size == 0)
            found += piece.size;
    }
    unlock_metadata(image);
    *ret = found;
    return ok;
}

void sqfs_image_prefetch(struct sqfs_image *image, uint64_t ref, uint64_t offset)
{
    struct piece piece;
    struct err err;
    bool ok;

    lock_metadata(image);
    ok = find_piece(image, ref, offset, 1, &piece, &err);
    unlock_metadata(image);
    if (ok && piece.size > 0 && piece.block.size > 0)
        block_prefetch(image->blocks, &piece.block);
}

/* Behind a regular file's inode comes its block list, behind that the next inode. */
static uint64_t get_next(struct sqfs_image *image, uint64_t ref)
{
    struct err err;
    struct cached_node *node = load_node(image, ref, &err);
    sqfs_md_cursor cursor;
    uint64_t next;
    size_t blocks;

    if (node == NULL || !check_node(image, &node->inode, &err) || !S_ISREG(node->inode.base.mode))
        return SQFS_NO_REF;
    blocks = sqfs_blocklist_count(&image->fs, &node->inode);
    cursor = node->inode.next;
    if (blocks > 0) {
        if (!load_window(image, node, (blocks - 1) / WINDOW))
            return SQFS_NO_REF;
        cursor = node->marks[(blocks - 1) / WINDOW + 1].cursor;
    }
    next = ((uint64_t)cursor.block - image->fs.sb.inode_table_start) << 16 | cursor.offset;
    if ((uint64_t)cursor.block >= image->fs.sb.directory_table_start)
        return SQFS_NO_REF;
    node = load_node(image, next, &err);
    return node != NULL && S_ISREG(node->inode.base.mode) ? next : SQFS_NO_REF;
}

uint64_t sqfs_image_next(struct sqfs_image *image, uint64_t ref)
{
    uint64_t next;

    lock_metadata(image);
    next = get_next(image, ref);
    unlock_metadata(image);
    return next;
}

static bool get_target(struct sqfs_image *image, uint64_t ref, char **ret, struct err *err)
{
    struct cached_node *node = load_node(image, ref, err);
    cleanup_free char *target = NULL;
    size_t size;

    if (node == NULL || !check_node(image, &node->inode, err))
        return false;
    if (!S_ISLNK(node->inode.base.mode))
        return damaged(err, "not a symlink");
    size = node->inode.xtra.symlink_size + 1;
    target = malloc(size);
    if (target == NULL)
        return no_memory(err);
    if (sqfs_readlink(&image->fs, &node->inode, target, &size) != SQFS_OK ||
        strlen(target) != node->inode.xtra.symlink_size)
        return damaged(err, "unreadable symlink");
    *ret = steal_ptr(&target);
    return true;
}

bool sqfs_image_target(struct sqfs_image *image, uint64_t ref, char **ret, struct err *err)
{
    bool ok;

    lock_metadata(image);
    ok = get_target(image, ref, ret, err);
    unlock_metadata(image);
    return ok;
}

/*
 * Names and values of one file while they are read: they move while they grow, so their places are
 * known at the end only. The library's own reader of these believes every size, and takes the
 * prefixes for each other.
 */
struct xattr_builder {
    struct sqfs_image *image;
    sqfs_md_cursor cursor;
    struct sqfs_xattr *entries;
    size_t count;
    char *bytes;
    size_t size, names_size;
};

/* Room for size more bytes, which are part of the result; NULL when that is too much. */
static char *xattr_room(struct xattr_builder *builder, size_t size)
{
    char *grown = NULL;

    if (size <= SQFS_XATTR_BYTES_MAX - builder->size)
        grown = realloc(builder->bytes, builder->size + size);
    if (grown == NULL)
        return NULL;
    builder->bytes = grown;
    builder->size += size;
    return grown + builder->size - size;
}

static bool xattr_read(struct xattr_builder *builder, sqfs_md_cursor *cursor, void *buf,
                       size_t size)
{
    return sqfs_md_read(&builder->image->fs, cursor, buf, size) == SQFS_OK;
}

static bool xattr_name(struct xattr_builder *builder, const struct squashfs_xattr_entry *entry,
                       size_t *ret_len)
{
    static const char *const prefixes[] = {"user.", "trusted.", "security."};
    unsigned int prefix = le16toh(entry->type) & SQUASHFS_XATTR_PREFIX_MASK;
    size_t size = le16toh(entry->size);
    size_t prefix_len;
    char *name;

    if (prefix >= sizeof(prefixes) / sizeof(prefixes[0]) || size == 0)
        return false;
    prefix_len = strlen(prefixes[prefix]);
    if (prefix_len + size > SQFS_XATTR_NAME_MAX)
        return false;
    builder->names_size += prefix_len + size + 1;
    name = xattr_room(builder, prefix_len + size + 1);
    if (name == NULL || builder->names_size > SQFS_XATTR_NAMES_MAX)
        return false;
    memcpy(name, prefixes[prefix], prefix_len);
    name[prefix_len + size] = '\0';
    *ret_len = prefix_len + size;
    return xattr_read(builder, &builder->cursor, name + prefix_len, size) &&
           strlen(name) == *ret_len;
}

/* A value that several files share lies elsewhere ("out of line"); here is where. */
static bool xattr_value(struct xattr_builder *builder, bool elsewhere, size_t *ret_size)
{
    sqfs_off_t start = (sqfs_off_t)builder->image->fs.xattr_info.xattr_table_start;
    struct squashfs_xattr_val header;
    sqfs_md_cursor cursor;
    uint64_t at;
    char *value;

    if (!xattr_read(builder, &builder->cursor, &header, sizeof(header)))
        return false;
    if (elsewhere) {
        if (!xattr_read(builder, &builder->cursor, &at, sizeof(at)))
            return false;
        sqfs_md_cursor_inode(&cursor, le64toh(at), start);
        if (!cursor_valid(builder->image, (uint64_t)cursor.block, cursor.offset, 1) ||
            !xattr_read(builder, &cursor, &header, sizeof(header)))
            return false;
    }
    *ret_size = le32toh(header.vsize);
    if (*ret_size > SQFS_XATTR_VALUE_MAX || (value = xattr_room(builder, *ret_size)) == NULL)
        return false;
    return xattr_read(builder, elsewhere ? &cursor : &builder->cursor, value, *ret_size);
}

static bool xattr_append(struct xattr_builder *builder)
{
    struct squashfs_xattr_entry header;
    struct sqfs_xattr entry = {0};
    struct sqfs_xattr *grown;

    if (!xattr_read(builder, &builder->cursor, &header, sizeof(header)) ||
        !xattr_name(builder, &header, &entry.name_len) ||
        !xattr_value(builder, (le16toh(header.type) & SQUASHFS_XATTR_VALUE_OOL) != 0,
                     &entry.value_size))
        return false;
    grown = reallocarray(builder->entries, builder->count + 1, sizeof(*grown));
    if (grown == NULL)
        return false;
    builder->entries = grown;
    builder->entries[builder->count++] = entry;
    return true;
}

static void xattr_finish(struct xattr_builder *builder, struct sqfs_xattrs *ret)
{
    const char *at = builder->bytes;

    for (size_t i = 0; i < builder->count; i++) {
        struct sqfs_xattr *entry = &builder->entries[i];

        entry->name = at;
        entry->value = at + entry->name_len + 1;
        at += entry->name_len + 1 + entry->value_size;
    }
    *ret = (struct sqfs_xattrs){builder->entries, builder->count, builder->bytes};
}

bool sqfs_image_has_xattrs(const struct sqfs_image *image)
{
    return image->fs.xattr_info.xattr_ids > 0;
}

static bool get_xattrs(struct sqfs_image *image, uint64_t ref, struct sqfs_xattrs *ret,
                       struct err *err)
{
    struct cached_node *node = load_node(image, ref, err);
    struct xattr_builder builder = {.image = image};
    struct squashfs_xattr_id id;
    bool ok;

    if (node == NULL)
        return false;
    if (node->inode.xattr == SQUASHFS_INVALID_XATTR || !sqfs_image_has_xattrs(image)) {
        *ret = (struct sqfs_xattrs){0};
        return true;
    }
    ok = table_get(image, &image->fs.xattr_table, image->fs.xattr_info.xattr_ids, node->inode.xattr,
                   &id);
    if (ok) {
        sqfs_md_cursor_inode(&builder.cursor, le64toh(id.xattr),
                             (sqfs_off_t)image->fs.xattr_info.xattr_table_start);
        ok = cursor_valid(image, (uint64_t)builder.cursor.block, builder.cursor.offset, 1);
    }
    for (uint32_t i = 0; ok && i < le32toh(id.count); i++)
        ok = xattr_append(&builder);
    if (!ok) {
        free(builder.entries);
        free(builder.bytes);
        return damaged(err, "unreadable extended attributes");
    }
    xattr_finish(&builder, ret);
    return true;
}

bool sqfs_image_xattrs(struct sqfs_image *image, uint64_t ref, struct sqfs_xattrs *ret,
                       struct err *err)
{
    bool ok;

    lock_metadata(image);
    ok = get_xattrs(image, ref, ret, err);
    unlock_metadata(image);
    return ok;
}

void sqfs_xattrs_release(struct sqfs_xattrs *xattrs)
{
    if (xattrs == NULL)
        return;
    free(xattrs->entries);
    free(xattrs->bytes);
    *xattrs = (struct sqfs_xattrs){0};
}

const struct sqfs_xattr *sqfs_xattrs_find(const struct sqfs_xattrs *xattrs, const char *name)
{
    for (size_t i = 0; i < xattrs->count; i++)
        if (strcmp(xattrs->entries[i].name, name) == 0)
            return &xattrs->entries[i];
    return NULL;
}
