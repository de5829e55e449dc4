/* SPDX-License-Identifier: MIT */
#include "bundler/image.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqfs/block.h>
#include <sqfs/block_processor.h>
#include <sqfs/block_writer.h>
#include <sqfs/compressor.h>
#include <sqfs/data_reader.h>
#include <sqfs/dir.h>
#include <sqfs/dir_reader.h>
#include <sqfs/dir_writer.h>
#include <sqfs/error.h>
#include <sqfs/frag_table.h>
#include <sqfs/id_table.h>
#include <sqfs/inode.h>
#include <sqfs/io.h>
#include <sqfs/meta_writer.h>
#include <sqfs/super.h>
#include <sqfs/xattr_writer.h>

#include "bundler/blockcache.h"
#include "bundler/nametable.h"
#include "bundler/plan.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/format.h"
#include "common/fs.h"
#include "common/path.h"
#include "common/xalloc.h"

enum {
    BLOCK_SIZE = 256 << 10,
    DEVICE_BLOCK = 4096,
    CHUNK_SIZE = 1 << 20,
    CACHED_LEVEL_MIN = 10,   /* a lower one takes less time than the look-up */
    BACKLOG_PER_WORKER = 64, /* blocks in flight: bounds the memory, not the image */
    BACKLOG_MAX = 512,
    BACKLOG_PER_WORKER_MIN = 10,
    DEPTH_MAX = 128,
    NAME_MAX_BYTES = 256,          /* SQUASHFS_NAME_LEN */
    NAMES_MAX = 1024 * 1024,       /* of an image with hard links */
    INODES_MAX = 16 * 1024 * 1024, /* a visited mark for each directory must fit into memory */
    DIR_INDEX_MAX_BYTES = 1 << 20,
    NO_XATTR = -1,
};

static const uint32_t NO_FRAGMENT = UINT32_MAX;

/* Of all files of an image together. A few kilobytes of image can claim petabytes. */
static const uint64_t CONTENT_MAX_BYTES = (uint64_t)1 << 40;

static const char *reason(int code)
{
    switch (code) {
    case SQFS_ERROR_ALLOC:
        return "out of memory, or a size that no honest image has";
    case SQFS_ERROR_IO:
        return "input/output error";
    case SQFS_ERROR_COMPRESSOR:
        return "a block does not decompress";
    case SQFS_ERROR_CORRUPTED:
        return "its structure is damaged";
    case SQFS_ERROR_UNSUPPORTED:
        return "it uses something that is not supported";
    case SQFS_ERROR_OUT_OF_BOUNDS:
        return "it points outside of itself";
    case SQFS_ERROR_OVERFLOW:
        return "it claims to hold more than it can";
    case SFQS_ERROR_SUPER_MAGIC:
        return "it is no squashfs";
    case SFQS_ERROR_SUPER_VERSION:
        return "it is a squashfs of another version";
    case SQFS_ERROR_SUPER_BLOCK_SIZE:
        return "its superblock is damaged";
    case SQFS_ERROR_NO_ENTRY:
        return "there is no such file";
    default:
        return "it cannot be read";
    }
}

static bool bad_image(struct err *err, int code, const char *what)
{
    (void)err_set(err, ERR_INPUT, "'%s': %s", what, reason(code));
    return err_id(err, "E-IMAGE");
}

/* A part of a file, as libsquashfs wants to see files. */
struct window {
    sqfs_file_t base;
    int fd;
    uint64_t offset;
    uint64_t size;
    int sys_errno; /* of the last failure; libsquashfs only says that there was one */
};

static int window_read(sqfs_file_t *base, sqfs_u64 offset, void *buffer, size_t size)
{
    struct window *window = (struct window *)base;
    char *to = buffer;

    if (offset > window->size || size > window->size - offset)
        return SQFS_ERROR_OUT_OF_BOUNDS;
    while (size > 0) {
        ssize_t length = pread(window->fd, to, size, (off_t)(window->offset + offset));

        if (length < 0 && errno == EINTR)
            continue;
        if (length <= 0) {
            window->sys_errno = length < 0 ? errno : 0;
            return length < 0 ? SQFS_ERROR_IO : SQFS_ERROR_OUT_OF_BOUNDS;
        }
        to += length;
        offset += (sqfs_u64)length;
        size -= (size_t)length;
    }
    return 0;
}

static int window_write(sqfs_file_t *base, sqfs_u64 offset, const void *buffer, size_t size)
{
    struct window *window = (struct window *)base;
    const char *from = buffer;

    while (size > 0) {
        ssize_t length = pwrite(window->fd, from, size, (off_t)(window->offset + offset));

        if (length < 0 && errno == EINTR)
            continue;
        if (length < 0) {
            window->sys_errno = errno;
            return SQFS_ERROR_IO;
        }
        from += length;
        offset += (sqfs_u64)length;
        size -= (size_t)length;
    }
    if (offset > window->size)
        window->size = offset;
    return 0;
}

static sqfs_u64 window_size(const sqfs_file_t *base)
{
    return ((const struct window *)base)->size;
}

static int window_truncate(sqfs_file_t *base, sqfs_u64 size)
{
    struct window *window = (struct window *)base;

    if (ftruncate(window->fd, (off_t)(window->offset + size)) != 0) {
        window->sys_errno = errno;
        return SQFS_ERROR_IO;
    }
    window->size = size;
    return 0;
}

/* The window belongs to a writer or an image; libsquashfs only borrows it. */
static void window_destroy(sqfs_object_t *object)
{
    (void)object;
}

static void window_init(struct window *window, int fd, uint64_t offset, uint64_t size)
{
    *window = (struct window){
        .base = {.base = {.destroy = window_destroy},
                 .read_at = window_read,
                 .write_at = window_write,
                 .get_size = window_size,
                 .truncate = window_truncate},
        .fd = fd,
        .offset = offset,
        .size = size,
    };
}

/* ---- writing ---- */

/*
 * Compresses by another one, unless the cache has the block. One for each thread (copy).
 *
 * Never fails: libsquashfs 1.2 waits for ever for the blocks that a worker who failed has not
 * taken. What finds no memory stays as it is, and who waits for the workers looks at is_short.
 */
struct cached {
    sqfs_compressor_t base;
    sqfs_compressor_t *inner;
    const struct blockcache *cache; /* NULL: none */
    atomic_bool *is_short;          /* of memory */
};

static void cached_destroy(sqfs_object_t *object)
{
    struct cached *cached = (struct cached *)object;

    sqfs_destroy(cached->inner);
    free(cached);
}

static sqfs_compressor_t *cached_new(sqfs_compressor_t *inner, const struct blockcache *cache,
                                     atomic_bool *is_short);

static sqfs_object_t *cached_copy(const sqfs_object_t *object)
{
    const struct cached *cached = (const struct cached *)object;
    sqfs_compressor_t *inner = sqfs_copy(cached->inner);

    return inner != NULL ? (sqfs_object_t *)cached_new(inner, cached->cache, cached->is_short)
                         : NULL;
}

static void cached_configuration(const sqfs_compressor_t *base, sqfs_compressor_config_t *config)
{
    const struct cached *cached = (const struct cached *)base;

    cached->inner->get_configuration(cached->inner, config);
}

static int cached_write_options(sqfs_compressor_t *base, sqfs_file_t *file)
{
    struct cached *cached = (struct cached *)base;

    return cached->inner->write_options(cached->inner, file);
}

static int cached_read_options(sqfs_compressor_t *base, sqfs_file_t *file)
{
    struct cached *cached = (struct cached *)base;

    return cached->inner->read_options(cached->inner, file);
}

static sqfs_s32 cached_do_block(sqfs_compressor_t *base, const sqfs_u8 *in, sqfs_u32 size,
                                sqfs_u8 *out, sqfs_u32 room)
{
    struct cached *cached = (struct cached *)base;
    int64_t known = cached->cache != NULL ? blockcache_get(cached->cache, in, size, out, room) : -1;
    sqfs_s32 made;

    if (known >= 0)
        return (sqfs_s32)known;
    made = cached->inner->do_block(cached->inner, in, size, out, room);
    if (made < 0) {
        atomic_store(cached->is_short, true);
        return 0;
    }
    if (cached->cache != NULL)
        blockcache_put(cached->cache, in, size, out, (size_t)made);
    return made;
}

/* Takes the inner one. */
static sqfs_compressor_t *cached_new(sqfs_compressor_t *inner, const struct blockcache *cache,
                                     atomic_bool *is_short)
{
    struct cached *cached = xcalloc(1, sizeof(*cached));

    cached->base = (sqfs_compressor_t){
        .base = {.destroy = cached_destroy, .copy = cached_copy},
        .get_configuration = cached_configuration,
        .write_options = cached_write_options,
        .read_options = cached_read_options,
        .do_block = cached_do_block,
    };
    cached->inner = inner;
    cached->cache = cache;
    cached->is_short = is_short;
    return &cached->base;
}

struct writer {
    const struct plan *plan;
    const struct image_options *options;
    struct window window;
    sqfs_super_t super;
    sqfs_compressor_t *compressor;
    sqfs_compressor_t *uncompressor;
    struct blockcache *cache;
    sqfs_compressor_t *data; /* of the blocks of files: struct cached */
    atomic_bool is_short;    /* of memory: a block could not be compressed */
    sqfs_block_writer_t *blocks;
    sqfs_frag_table_t *fragments;
    sqfs_block_processor_t *processor;
    sqfs_id_table_t *ids;
    sqfs_meta_writer_t *inodes;
    sqfs_meta_writer_t *dirs;
    sqfs_dir_writer_t *dir;
    const struct plan_entry **entries; /* the plan's, in the order of plan_path_compare() */
    sqfs_inode_generic_t **nodes;      /* one for each of them; directories later */
    sqfs_u64 *references;              /* where its inode is */
    struct nametable names;
    uint64_t done_bytes;
};

static void destroy(void *object)
{
    if (object != NULL)
        sqfs_destroy(object);
}

static void drop_tables(struct writer *writer)
{
    destroy(writer->dir);
    destroy(writer->dirs);
    destroy(writer->inodes);
    writer->dir = NULL;
    writer->dirs = NULL;
    writer->inodes = NULL;
}

static void writer_release(struct writer *writer)
{
    drop_tables(writer);
    destroy(writer->ids);
    destroy(writer->processor);
    destroy(writer->fragments);
    destroy(writer->blocks);
    destroy(writer->uncompressor);
    destroy(writer->data);
    destroy(writer->compressor);
    blockcache_close(writer->cache);
    for (size_t i = 0; writer->nodes != NULL && i < writer->plan->count; i++)
        sqfs_free(writer->nodes[i]);
    free(writer->nodes);
    free(writer->references);
    free(writer->entries);
    nametable_release(&writer->names);
}

static bool write_failed(const struct writer *writer, int code, const char *what, struct err *err)
{
    /* To compress fails for nothing else. */
    if (code == SQFS_ERROR_ALLOC || code == SQFS_ERROR_COMPRESSOR)
        xdie();
    if (code == SQFS_ERROR_IO && writer->window.sys_errno != 0) {
        errno = writer->window.sys_errno;
        return err_sys(err, "%s", what);
    }
    return err_set(err, ERR_INPUT, "%s: libsquashfs error %d", what, code);
}

static int make_compressor(sqfs_compressor_config_t *config, int level, sqfs_compressor_t **ret)
{
    int code = sqfs_compressor_config_init(config, SQFS_COMP_ZSTD, BLOCK_SIZE, 0);

    config->level = (sqfs_u32)level;
    return code == 0 ? sqfs_compressor_create(config, ret) : code;
}

static bool make_compressors(struct writer *writer, struct err *err)
{
    sqfs_compressor_config_t config;
    int code = make_compressor(&config, writer->options->level, &writer->compressor);

    if (code == 0) {
        config.flags |= SQFS_COMP_FLAG_UNCOMPRESS;
        code = sqfs_compressor_create(&config, &writer->uncompressor);
    }
    if (code == 0) {
        writer->data = sqfs_copy(writer->compressor);
        code = writer->data != NULL ? 0 : SQFS_ERROR_ALLOC;
    }
    if (code != 0)
        return write_failed(writer, code, "zstd", err);
    if (writer->options->level >= CACHED_LEVEL_MIN && !writer->options->no_cache)
        writer->cache = blockcache_open(writer->options->level);
    writer->data = cached_new(writer->data, writer->cache, &writer->is_short);
    return true;
}

static unsigned int worker_count(const struct image_options *options)
{
    long online = sysconf(_SC_NPROCESSORS_ONLN);

    if (options->workers > 0)
        return options->workers;
    return online > 0 ? (unsigned int)online : 1;
}

/* libsquashfs takes blocks back in the order in which they went out, and a small file is one, too,
 * until it is in a fragment. So the small files behind a fragment that is being compressed must be
 * enough for another fragment, or all workers but one have nothing to do. */
static unsigned int backlog(unsigned int workers)
{
    unsigned int wanted = workers * BACKLOG_PER_WORKER;
    unsigned int least = workers * BACKLOG_PER_WORKER_MIN;

    if (wanted > BACKLOG_MAX)
        wanted = BACKLOG_MAX;
    return wanted > least ? wanted : least;
}

static bool make_processor(struct writer *writer, struct err *err)
{
    unsigned int workers = worker_count(writer->options);
    sqfs_block_processor_desc_t desc = {
        .size = sizeof(desc),
        .max_block_size = BLOCK_SIZE,
        .num_workers = workers,
        .max_backlog = backlog(workers),
        .cmp = writer->data,
        .file = &writer->window.base,
        .uncmp = writer->uncompressor,
    };
    int code;

    writer->blocks = sqfs_block_writer_create(&writer->window.base, DEVICE_BLOCK, 0);
    writer->fragments = sqfs_frag_table_create(0);
    if (writer->blocks == NULL || writer->fragments == NULL)
        return write_failed(writer, SQFS_ERROR_ALLOC, "image", err);
    desc.wr = writer->blocks;
    desc.tbl = writer->fragments;
    code = sqfs_block_processor_create_ex(&desc, &writer->processor);
    return code == 0 || write_failed(writer, code, "image", err);
}

/* Of inodes and directories; flags are of the former. */
static bool make_tables(struct writer *writer, sqfs_compressor_t *compressor, sqfs_u32 flags,
                        struct err *err)
{
    if (writer->ids == NULL)
        writer->ids = sqfs_id_table_create(0);
    writer->inodes = sqfs_meta_writer_create(&writer->window.base, compressor, flags);
    writer->dirs =
        sqfs_meta_writer_create(&writer->window.base, compressor, SQFS_META_WRITER_KEEP_IN_MEMORY);
    if (writer->dirs != NULL)
        writer->dir = sqfs_dir_writer_create(writer->dirs, 0);
    if (writer->ids == NULL || writer->inodes == NULL || writer->dir == NULL)
        return write_failed(writer, SQFS_ERROR_ALLOC, "image", err);
    return true;
}

/* The superblock is written again at the end, when it is known what it says. */
static bool begin_image(struct writer *writer, struct err *err)
{
    int code = sqfs_super_init(&writer->super, BLOCK_SIZE, writer->options->mtime, SQFS_COMP_ZSTD);

    if (code == 0)
        code = sqfs_super_write(&writer->super, &writer->window.base);
    if (code == 0)
        code = writer->compressor->write_options(writer->compressor, &writer->window.base);
    if (code > 0)
        writer->super.flags |= SQFS_FLAG_COMPRESSOR_OPTIONS;
    return code >= 0 || write_failed(writer, code, "superblock", err);
}

static bool append(struct writer *writer, const void *data, size_t size, const char *what,
                   struct err *err)
{
    int code;

    /* libsquashfs 1.2 follows a null pointer when nothing is appended to an empty file. */
    if (size == 0)
        return true;
    code = sqfs_block_processor_append(writer->processor, data, size);
    writer->done_bytes += size;
    if (writer->options->progress != NULL)
        writer->options->progress(writer->done_bytes, writer->options->context);
    return code == 0 || write_failed(writer, code, what, err);
}

static bool append_source(struct writer *writer, const struct plan_entry *entry, struct err *err)
{
    cleanup_fd int fd = open(entry->source, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    /* One byte more tells a file that grows. */
    size_t room = entry->size_bytes < CHUNK_SIZE ? (size_t)entry->size_bytes + 1 : CHUNK_SIZE;
    cleanup_free char *chunk = xcalloc(room, 1);
    uint64_t size = 0;
    ssize_t length;

    if (fd < 0)
        return err_sys(err, "'%s'", entry->source);
    while ((length = read(fd, chunk, room)) != 0) {
        if (length < 0 && errno == EINTR)
            continue;
        if (length < 0)
            return err_sys(err, "'%s'", entry->source);
        size += (uint64_t)length;
        if (size > entry->size_bytes)
            break;
        if (!append(writer, chunk, (size_t)length, entry->source, err))
            return false;
    }
    if (size == entry->size_bytes)
        return true;
    (void)err_set(err, ERR_INPUT, "'%s' changed while it was being packed", entry->source);
    (void)err_id(err, "E-READ");
    return err_hint(err, "build again when nothing writes to it");
}

static int by_path(const void *a, const void *b)
{
    const struct plan_entry *const *left = a;
    const struct plan_entry *const *right = b;

    return plan_path_compare((*left)->path, (*right)->path);
}

/* Files are written in the plan's order, inodes in that of the tree. */
static size_t place_of(const struct writer *writer, const struct plan_entry *entry)
{
    const struct plan_entry **found =
        bsearch(&entry, writer->entries, writer->plan->count, sizeof(*writer->entries), by_path);

    assert(found != NULL);
    return (size_t)(found - writer->entries);
}

static bool is_names(const struct writer *writer, const struct plan_entry *entry)
{
    return writer->options->names != NULL && strcmp(entry->path, writer->options->names) == 0;
}

static bool write_file(struct writer *writer, const struct plan_entry *entry, struct err *err)
{
    size_t index = place_of(writer, entry);
    int code = sqfs_block_processor_begin_file(writer->processor, &writer->nodes[index], NULL, 0);

    if (code != 0)
        return write_failed(writer, code, entry->path, err);
    if (entry->type == PLAN_FILE && !append_source(writer, entry, err))
        return false;
    if (entry->type == PLAN_DATA &&
        !append(writer, is_names(writer, entry) ? writer->names.bytes : entry->data,
                is_names(writer, entry) ? writer->names.size_bytes : entry->size_bytes, entry->path,
                err))
        return false;
    code = sqfs_block_processor_end_file(writer->processor);
    return code == 0 || write_failed(writer, code, entry->path, err);
}

/* All but the name table, which needs to know them. */
static bool write_files(struct writer *writer, struct err *err)
{
    int code;

    for (size_t i = 0; i < writer->plan->count; i++) {
        const struct plan_entry *entry = writer->plan->entries[i];

        if ((entry->type == PLAN_FILE || entry->type == PLAN_DATA) && !is_names(writer, entry) &&
            !write_file(writer, entry, err))
            return false;
    }
    code = sqfs_block_processor_sync(writer->processor);
    return code == 0 || write_failed(writer, code, "data blocks", err);
}

static bool finish_files(struct writer *writer, struct err *err)
{
    int code = sqfs_block_processor_finish(writer->processor);

    if (atomic_load(&writer->is_short))
        xdie();
    return code == 0 || write_failed(writer, code, "data blocks", err);
}

static sqfs_inode_generic_t *make_symlink(const char *target)
{
    size_t len = strlen(target);
    sqfs_inode_generic_t *node = calloc(1, sizeof(*node) + len + 1);

    if (node == NULL)
        return NULL;
    node->base.type = SQFS_INODE_SLINK;
    node->data.slink.nlink = 1;
    node->data.slink.target_size = (sqfs_u32)len;
    memcpy(node->extra, target, len);
    return node;
}

static uint16_t type_bits(enum plan_type type)
{
    switch (type) {
    case PLAN_DIR:
        return SQFS_INODE_MODE_DIR;
    case PLAN_SYMLINK:
        return SQFS_INODE_MODE_LNK;
    default:
        return SQFS_INODE_MODE_REG;
    }
}

/* Numbers are the entries' places in the tree, from 1: known before anything is written. */
static bool write_node(struct writer *writer, size_t index, struct err *err)
{
    const struct plan_entry *entry = writer->entries[index];
    sqfs_inode_generic_t *node = writer->nodes[index];
    sqfs_u64 block;
    sqfs_u32 offset;
    int code;

    node->base.mode = (sqfs_u16)(type_bits(entry->type) | entry->mode);
    node->base.mod_time = writer->options->mtime;
    node->base.inode_number = (sqfs_u32)(index + 1);
    code = sqfs_id_table_id_to_index(writer->ids, 0, &node->base.uid_idx);
    node->base.gid_idx = node->base.uid_idx;
    sqfs_meta_writer_get_position(writer->inodes, &block, &offset);
    writer->references[index] = block << 16 | offset;
    if (code == 0)
        code = sqfs_meta_writer_write_inode(writer->inodes, node);
    return code == 0 || write_failed(writer, code, entry->path, err);
}

static bool is_below(const char *path, const char *dir)
{
    size_t len = strlen(dir);

    return len == 0 ? path[0] != '\0' : strncmp(path, dir, len) == 0 && path[len] == '/';
}

static bool write_dir(struct writer *writer, size_t index, size_t parent, size_t *ret_next,
                      int depth, struct err *err);

/* An entry and all that is below it; *ret_next is the first entry behind them. */
static bool write_entry(struct writer *writer, size_t index, size_t parent, size_t *ret_next,
                        int depth, struct err *err)
{
    const struct plan_entry *entry = writer->entries[index];

    if (entry->type == PLAN_DIR)
        return write_dir(writer, index, parent, ret_next, depth + 1, err);
    *ret_next = index + 1;
    if (entry->type == PLAN_SYMLINK) {
        writer->nodes[index] = make_symlink(entry->target);
        if (writer->nodes[index] == NULL)
            return write_failed(writer, SQFS_ERROR_ALLOC, entry->path, err);
    }
    return write_node(writer, index, err);
}

/* squashfs wants a directory's names in byte order; the plan's order puts '/' first, so "a/" comes
 * before "a-b": the children are collected and sorted by name. */
struct child {
    const char *name;
    size_t index;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct child *)a)->name, ((const struct child *)b)->name);
}

static bool list_dir(struct writer *writer, size_t index, struct child *children, size_t count,
                     struct err *err)
{
    int code = sqfs_dir_writer_begin(writer->dir, 0);

    if (count > 0)
        qsort(children, count, sizeof(*children), by_name);
    for (size_t i = 0; i < count && code == 0; i++) {
        size_t child = children[i].index;
        const sqfs_inode_generic_t *node = writer->nodes[child];

        code = sqfs_dir_writer_add_entry(writer->dir, children[i].name, (sqfs_u32)(child + 1),
                                         writer->references[child], node->base.mode);
    }
    if (code == 0)
        code = sqfs_dir_writer_end(writer->dir);
    return code == 0 || write_failed(writer, code, writer->entries[index]->path, err);
}

/* As POSIX file systems count: ".", the name in the parent, and ".." of each subdirectory. What
 * libsquashfs sets counts files, too, and misleads programs that spare a stat() by it (find -type
 * d, fts(3)). */
static void set_dir_links(sqfs_inode_generic_t *node, size_t subdirs)
{
    if (node->base.type == SQFS_INODE_DIR)
        node->data.dir.nlink = (sqfs_u32)subdirs + 2;
    else
        node->data.dir_ext.nlink = (sqfs_u32)subdirs + 2;
}

static bool write_dir(struct writer *writer, size_t index, size_t parent, size_t *ret_next,
                      int depth, struct err *err)
{
    size_t total = writer->plan->count;
    const char *path = writer->entries[index]->path;
    cleanup_free struct child *children = NULL;
    size_t count = 0;
    size_t capacity = 0;
    size_t subdirs = 0;
    size_t next = index + 1;

    if (depth > DEPTH_MAX)
        return err_set(err, ERR_INPUT, "'%s': more than %d directories deep", path, DEPTH_MAX);
    while (next < total && is_below(writer->entries[next]->path, path)) {
        const struct plan_entry *entry = writer->entries[next];
        const char *slash = strrchr(entry->path, '/');

        children = xgrow(children, &capacity, count, sizeof(*children));
        children[count++] = (struct child){slash != NULL ? slash + 1 : entry->path, next};
        subdirs += entry->type == PLAN_DIR;
        if (!write_entry(writer, next, index, &next, depth, err))
            return false;
    }
    *ret_next = next;
    if (!list_dir(writer, index, children, count, err))
        return false;
    writer->nodes[index] =
        sqfs_dir_writer_create_inode(writer->dir, 0, (sqfs_u32)NO_XATTR,
                                     index == 0 ? (sqfs_u32)total + 1 : (sqfs_u32)parent + 1);
    if (writer->nodes[index] == NULL)
        return write_failed(writer, SQFS_ERROR_ALLOC, path, err);
    set_dir_links(writer->nodes[index], subdirs);
    return write_node(writer, index, err);
}

static uint64_t dir_size(const sqfs_inode_generic_t *node)
{
    return node->base.type == SQFS_INODE_DIR ? node->data.dir.size : node->data.dir_ext.size;
}

/* The name table with what is known before the metadata is laid out. */
static bool make_names(struct writer *writer, size_t self, struct err *err)
{
    size_t count = writer->plan->count;
    cleanup_free struct nametable_node *nodes = xcalloc(count, sizeof(*nodes));

    for (size_t i = 0; i < count; i++) {
        const struct plan_entry *entry = writer->entries[i];

        nodes[i] = (struct nametable_node){
            .path = entry->path,
            .target = entry->type == PLAN_SYMLINK ? entry->target : NULL,
            .mode = (mode_t)(type_bits(entry->type) | entry->mode),
            .size_bytes = entry->size_bytes,
        };
    }
    return nametable_make(&writer->names, nodes, count, self, writer->options->mtime, err);
}

/* As libsquashfs will make it: what counts is its size. */
static sqfs_inode_generic_t *make_names_inode(const struct writer *writer)
{
    size_t blocks = writer->names.size_bytes / BLOCK_SIZE;
    sqfs_inode_generic_t *node = calloc(1, sizeof(*node) + blocks * sizeof(sqfs_u32));

    if (node == NULL)
        return NULL;
    node->base.type = SQFS_INODE_FILE;
    node->payload_bytes_used = (sqfs_u32)(blocks * sizeof(sqfs_u32));
    node->payload_bytes_available = node->payload_bytes_used;
    if (blocks > 0 && writer->window.size > UINT32_MAX)
        (void)sqfs_inode_make_extended(node);
    return node;
}

/* Lays out the metadata for nothing but the sizes of directories. */
static bool measure_dirs(struct writer *writer, struct err *err)
{
    sqfs_compressor_config_t config;
    sqfs_compressor_t *quick = NULL;
    size_t next = 0;
    int code = sqfs_compressor_config_init(&config, SQFS_COMP_ZSTD, BLOCK_SIZE, 0);
    bool ok;

    config.level = 1;
    if (code == 0)
        code = sqfs_compressor_create(&config, &quick);
    if (code != 0)
        return write_failed(writer, code, "zstd", err);
    ok = make_tables(writer, quick, SQFS_META_WRITER_KEEP_IN_MEMORY, err) &&
         write_dir(writer, 0, 0, &next, 0, err);
    drop_tables(writer);
    destroy(quick);
    for (size_t i = 0; i < writer->plan->count; i++) {
        enum plan_type type = writer->entries[i]->type;

        if (type != PLAN_DIR && type != PLAN_SYMLINK)
            continue;
        if (ok && type == PLAN_DIR)
            nametable_set_size(&writer->names, i, dir_size(writer->nodes[i]));
        sqfs_free(writer->nodes[i]);
        writer->nodes[i] = NULL;
    }
    return ok;
}

/*
 * The table holds the sizes of directories, which depend on where inodes lie; they lie where they
 * do because of the table's own size. So: first the table with sizes unknown, then those, then the
 * data.
 */
static bool write_names(struct writer *writer, struct err *err)
{
    const struct plan_entry *entry =
        writer->options->names != NULL ? plan_find(writer->plan, writer->options->names) : NULL;
    size_t self;

    if (entry == NULL)
        return true;
    self = place_of(writer, entry);
    if (!make_names(writer, self, err))
        return false;
    writer->nodes[self] = make_names_inode(writer);
    if (writer->nodes[self] == NULL)
        return write_failed(writer, SQFS_ERROR_ALLOC, entry->path, err);
    if (!measure_dirs(writer, err))
        return false;
    sqfs_free(writer->nodes[self]);
    writer->nodes[self] = NULL;
    return write_file(writer, entry, err);
}

static bool write_metadata(struct writer *writer, struct err *err)
{
    size_t next = 0;
    int code;

    writer->super.inode_table_start = writer->window.size;
    if (!write_dir(writer, 0, 0, &next, 0, err))
        return false;
    assert(next == writer->plan->count);
    code = sqfs_meta_writer_flush(writer->inodes);
    if (code == 0)
        code = sqfs_meta_writer_flush(writer->dirs);
    writer->super.root_inode_ref = writer->references[0];
    writer->super.inode_count = (sqfs_u32)writer->plan->count;
    writer->super.directory_table_start = writer->window.size;
    if (code == 0)
        code = sqfs_meta_write_write_to_file(writer->dirs);
    if (code == 0)
        code = sqfs_frag_table_write(writer->fragments, &writer->window.base, &writer->super,
                                     writer->compressor);
    if (code == 0)
        code = sqfs_id_table_write(writer->ids, &writer->window.base, &writer->super,
                                   writer->compressor);
    writer->super.bytes_used = writer->window.size;
    if (code == 0)
        code = sqfs_super_write(&writer->super, &writer->window.base);
    return code == 0 || write_failed(writer, code, "tables", err);
}

static bool pad(struct writer *writer, struct err *err)
{
    uint64_t size = (writer->window.size + FORMAT_ALIGN - 1) / FORMAT_ALIGN * FORMAT_ALIGN;
    int code = window_truncate(&writer->window.base, size);

    return code == 0 || write_failed(writer, code, "padding", err);
}

bool image_write(const struct plan *plan, int fd, uint64_t offset_bytes,
                 const struct image_options *options, uint64_t *ret_size_bytes, struct err *err)
{
    struct writer writer = {.plan = plan, .options = options};
    bool ok;

    if (plan_find(plan, "") == NULL)
        return err_set(err, ERR_INPUT, "there is nothing to pack");
    window_init(&writer.window, fd, offset_bytes, 0);
    writer.entries = xcalloc(plan->count, sizeof(*writer.entries));
    memcpy(writer.entries, plan->entries, plan->count * sizeof(*writer.entries));
    qsort(writer.entries, plan->count, sizeof(*writer.entries), by_path);
    writer.nodes = xcalloc(plan->count, sizeof(*writer.nodes));
    writer.references = xcalloc(plan->count, sizeof(*writer.references));
    ok = make_compressors(&writer, err) && begin_image(&writer, err) &&
         make_processor(&writer, err) && write_files(&writer, err) && write_names(&writer, err) &&
         finish_files(&writer, err) && make_tables(&writer, writer.compressor, 0, err) &&
         write_metadata(&writer, err) && pad(&writer, err);
    if (ok)
        *ret_size_bytes = writer.window.size;
    writer_release(&writer);
    return ok;
}

struct image_filler {
    struct blockcache *cache;
    sqfs_compressor_t *compressor;
    atomic_bool is_short;
    uint8_t in[BLOCK_SIZE];
    uint8_t out[BLOCK_SIZE];
};

struct image_filler *image_filler_new(int level)
{
    struct blockcache *cache = level >= CACHED_LEVEL_MIN ? blockcache_open(level) : NULL;
    sqfs_compressor_config_t config;
    sqfs_compressor_t *inner = NULL;
    struct image_filler *filler;

    if (cache == NULL || make_compressor(&config, level, &inner) != 0) {
        blockcache_close(cache);
        return NULL;
    }
    filler = xcalloc(1, sizeof(*filler));
    filler->cache = cache;
    filler->compressor = cached_new(inner, cache, &filler->is_short);
    return filler;
}

void image_filler_free(struct image_filler *filler)
{
    if (filler == NULL)
        return;
    destroy(filler->compressor);
    blockcache_close(filler->cache);
    free(filler);
}

/* One block at the file's position; false at its end, where libsquashfs makes a fragment. */
static bool fill_block(struct image_filler *filler, int fd)
{
    size_t used = 0;
    ssize_t length = 1;

    while (used < BLOCK_SIZE && length > 0) {
        length = read(fd, filler->in + used, BLOCK_SIZE - used);
        used += length > 0 ? (size_t)length : 0;
    }
    if (used < BLOCK_SIZE)
        return false;
    (void)filler->compressor->do_block(filler->compressor, filler->in, BLOCK_SIZE, filler->out,
                                       BLOCK_SIZE);
    return !atomic_load(&filler->is_short);
}

void image_filler_take(struct image_filler *filler, const char *file, const atomic_bool *is_over)
{
    cleanup_fd int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    while (fd >= 0 && !atomic_load(is_over) && fill_block(filler, fd))
        continue;
}

/* ---- reading ---- */

/* Decompresses by another one. A machine without memory says nothing of the image. */
struct candid {
    sqfs_compressor_t base;
    sqfs_compressor_t *inner;
};

/* The compressors of libsquashfs tell no reason, but malloc() does. What a block needs is bounded,
 * so no image is to blame. */
static void blame_memory(int code)
{
    if (code == SQFS_ERROR_ALLOC || (code == SQFS_ERROR_COMPRESSOR && errno == ENOMEM))
        xdie();
}

static sqfs_s32 candid_do_block(sqfs_compressor_t *base, const sqfs_u8 *in, sqfs_u32 size,
                                sqfs_u8 *out, sqfs_u32 room)
{
    struct candid *candid = (struct candid *)base;
    sqfs_s32 made;

    errno = 0;
    made = candid->inner->do_block(candid->inner, in, size, out, room);
    if (made < 0)
        blame_memory(made);
    return made;
}

static void candid_destroy(sqfs_object_t *object)
{
    struct candid *candid = (struct candid *)object;

    sqfs_destroy(candid->inner);
    free(candid);
}

/* For the readers, which only have blocks done. */
static int make_decompressor(const sqfs_super_t *super, sqfs_compressor_t **ret)
{
    sqfs_compressor_config_t config;
    sqfs_compressor_t *inner = NULL;
    struct candid *candid;
    int code = sqfs_compressor_config_init(&config, super->compression_id, super->block_size,
                                           SQFS_COMP_FLAG_UNCOMPRESS);

    errno = 0;
    if (code == 0)
        code = sqfs_compressor_create(&config, &inner);
    blame_memory(code);
    if (code != 0)
        return code;
    candid = xcalloc(1, sizeof(*candid));
    candid->base =
        (sqfs_compressor_t){.base = {.destroy = candid_destroy}, .do_block = candid_do_block};
    candid->inner = inner;
    *ret = &candid->base;
    return 0;
}

struct image {
    struct window window;
    sqfs_super_t super;
    sqfs_compressor_t *compressor;
    sqfs_dir_reader_t *dirs;
    sqfs_data_reader_t *data;
    sqfs_frag_table_t *fragments;
    bool has_links;
};

static int open_readers(struct image *image)
{
    int code = sqfs_super_read(&image->super, &image->window.base);

    if (code != 0)
        return code;
    /* A fragment holds the end of at least one file: so its table, too, has a bounded size. */
    if (image->super.bytes_used > image->window.size || image->super.inode_count > INODES_MAX ||
        image->super.fragment_entry_count > image->super.inode_count)
        return SQFS_ERROR_OUT_OF_BOUNDS;
    code = make_decompressor(&image->super, &image->compressor);
    if (code != 0)
        return code;
    image->dirs = sqfs_dir_reader_create(&image->super, image->compressor, &image->window.base, 0);
    image->data =
        sqfs_data_reader_create(&image->window.base, image->super.block_size, image->compressor, 0);
    image->fragments = sqfs_frag_table_create(0);
    if (image->dirs == NULL || image->data == NULL || image->fragments == NULL)
        return SQFS_ERROR_ALLOC;
    code = sqfs_frag_table_read(image->fragments, &image->window.base, &image->super,
                                image->compressor);
    return code != 0 ? code : sqfs_data_reader_load_fragment_table(image->data, &image->super);
}

/* What could not be read says nothing of the image. */
static bool not_read(const struct image *image, struct err *err, int code, const char *what)
{
    if (code != SQFS_ERROR_IO || image->window.sys_errno == 0)
        return bad_image(err, code, what);
    errno = image->window.sys_errno;
    (void)err_sys(err, "'%s'", what);
    return err_id(err, "E-READ");
}

bool image_open(struct image **ret, int fd, uint64_t offset_bytes, uint64_t size_bytes,
                struct err *err)
{
    struct image *image = xcalloc(1, sizeof(*image));
    struct stat st;
    int code;

    if (fstat(fd, &st) != 0) {
        free(image);
        return err_sys(err, "image");
    }
    if (offset_bytes > (uint64_t)st.st_size || size_bytes > (uint64_t)st.st_size - offset_bytes) {
        free(image);
        return bad_image(err, SQFS_ERROR_OUT_OF_BOUNDS, "image");
    }
    window_init(&image->window, fd, offset_bytes, size_bytes);
    code = open_readers(image);
    if (code != 0) {
        (void)not_read(image, err, code, "image");
        image_free(image);
        return false;
    }
    *ret = image;
    return true;
}

bool image_read_facts(int fd, uint64_t offset_bytes, uint64_t size_bytes, struct image_facts *ret,
                      struct err *err)
{
    static const char *const names[] = {
        "no compression", "gzip", "lzma", "lzo", "xz", "lz4", "zstd"};
    struct window window;
    sqfs_super_t super;
    int code;

    window_init(&window, fd, offset_bytes, size_bytes);
    code = sqfs_super_read(&super, &window.base);
    if (code != 0)
        return bad_image(err, code, "image");
    *ret = (struct image_facts){
        .used_bytes = super.bytes_used,
        .inodes = super.inode_count,
        .mtime = super.modification_time,
        .compression = super.compression_id < sizeof(names) / sizeof(names[0])
                           ? names[super.compression_id]
                           : "an unknown compression",
    };
    return true;
}

void image_allow_links(struct image *image)
{
    image->has_links = true;
}

void image_free(struct image *image)
{
    if (image == NULL)
        return;
    destroy(image->fragments);
    destroy(image->data);
    destroy(image->dirs);
    destroy(image->compressor);
    free(image);
}

size_t image_fragment_count(const struct image *image)
{
    return sqfs_frag_table_get_size(image->fragments);
}

uint64_t image_fragment_bytes(const struct image *image, size_t index)
{
    sqfs_fragment_t fragment;

    if (index >= image_fragment_count(image) ||
        sqfs_frag_table_lookup(image->fragments, (sqfs_u32)index, &fragment) != 0)
        return 0;
    return SQFS_ON_DISK_BLOCK_SIZE(fragment.size);
}

static uint64_t file_size(const sqfs_inode_generic_t *node)
{
    sqfs_u64 size = 0;

    return sqfs_inode_get_file_size(node, &size) == 0 ? size : 0;
}

static bool is_type(const sqfs_inode_generic_t *node, uint16_t type)
{
    return (node->base.mode & SQFS_INODE_MODE_MASK) == type;
}

bool image_has(struct image *image, const char *path)
{
    sqfs_inode_generic_t *node = NULL;
    int code = sqfs_dir_reader_find_by_path(image->dirs, NULL, path, &node);
    bool found = code == 0 ? is_type(node, SQFS_INODE_MODE_REG)
                           : code != SQFS_ERROR_NO_ENTRY && code != SQFS_ERROR_NOT_DIR;

    sqfs_free(node);
    return found;
}

bool image_read(struct image *image, const char *path, size_t max_bytes, char **ret_data,
                size_t *ret_size, struct err *err)
{
    sqfs_inode_generic_t *node = NULL;
    cleanup_free char *data = NULL;
    uint64_t size = 0;
    size_t done = 0;
    int code = sqfs_dir_reader_find_by_path(image->dirs, NULL, path, &node);

    if (code == 0) {
        size = file_size(node);
        if (!is_type(node, SQFS_INODE_MODE_REG) || size > max_bytes)
            code = SQFS_ERROR_CORRUPTED;
    }
    if (code == 0) {
        data = calloc(size + 1, 1);
        if (data == NULL)
            code = SQFS_ERROR_ALLOC;
    }
    while (code == 0 && done < size) {
        size_t want = size - done < CHUNK_SIZE ? (size_t)size - done : CHUNK_SIZE;
        sqfs_s32 length =
            sqfs_data_reader_read(image->data, node, done, data + done, (sqfs_u32)want);

        if (length <= 0)
            code = length < 0 ? length : SQFS_ERROR_CORRUPTED;
        else
            done += (size_t)length;
    }
    sqfs_free(node);
    if (code != 0)
        return not_read(image, err, code, path);
    *ret_data = steal_ptr(&data);
    *ret_size = done;
    return true;
}

/* One walk over an image: what it is for, and the directories already seen. */
struct walker {
    struct image *image;
    /* Called for each node with its inode; dirfd is the open parent when extracting, else -1. */
    bool (*visit)(struct walker *walker, const char *path, const char *name, int dirfd,
                  const sqfs_inode_generic_t *node, struct err *err);
    int (*enter)(const char *name, int dirfd, struct err *err); /* NULL: no target */
    image_visit *callback;
    void *context;
    unsigned char *seen; /* a bit for each inode number: a directory that comes twice is a loop */
    char *buffer;
    uint64_t nodes; /* visited so far */
    uint64_t bytes; /* of the regular files among them */
};

static bool mark_seen(struct walker *walker, const sqfs_inode_generic_t *node)
{
    uint32_t number = node->base.inode_number;
    unsigned char bit = (unsigned char)(1 << (number % 8));

    if (number == 0 || number > walker->image->super.inode_count ||
        (walker->seen[number / 8] & bit) != 0)
        return false;
    walker->seen[number / 8] |= bit;
    return true;
}

/*
 * Whether the image may have this node, too. A directory can name one inode as often as it likes:
 * without hard links, which we never write, there are no more names than inodes. And what a reader
 * keeps in memory must not depend on numbers that cost an attacker nothing.
 */
static bool count_node(struct walker *walker, const sqfs_inode_generic_t *node)
{
    const struct image *image = walker->image;
    uint64_t size = is_type(node, SQFS_INODE_MODE_REG) ? file_size(node) : 0;
    uint64_t most = image->has_links ? NAMES_MAX : image->super.inode_count;

    if (is_type(node, SQFS_INODE_MODE_LNK) && node->payload_bytes_used > PATH_IMAGE_MAX)
        return false;
    if (is_type(node, SQFS_INODE_MODE_DIR) && node->payload_bytes_used > DIR_INDEX_MAX_BYTES)
        return false;
    if (++walker->nodes > most || size > CONTENT_MAX_BYTES - walker->bytes)
        return false;
    walker->bytes += size;
    return true;
}

static bool is_name(const char *name)
{
    size_t len = strlen(name);

    return len > 0 && len <= NAME_MAX_BYTES && strchr(name, '/') == NULL &&
           strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

/* All names of a directory with their inodes, before anything below it is opened: the reader has
 * one position. Names must rise: that is the format's order, and refuses duplicates. */
struct listing {
    char **names;
    sqfs_inode_generic_t **nodes;
    size_t count;
    size_t capacity;
};

static void listing_release(struct listing *listing)
{
    for (size_t i = 0; i < listing->count; i++) {
        free(listing->names[i]);
        sqfs_free(listing->nodes[i]);
    }
    free(listing->names);
    free(listing->nodes);
}

static int listing_fill(struct listing *listing, struct walker *walker,
                        const sqfs_inode_generic_t *dir)
{
    sqfs_dir_reader_t *reader = walker->image->dirs;
    int code = sqfs_dir_reader_open_dir(reader, dir, 0);

    while (code == 0) {
        sqfs_dir_entry_t *entry = NULL;
        size_t capacity = listing->capacity;

        code = sqfs_dir_reader_read(reader, &entry);
        if (code != 0)
            break;
        listing->names = xgrow(listing->names, &capacity, listing->count, sizeof(char *));
        listing->nodes =
            xgrow(listing->nodes, &listing->capacity, listing->count, sizeof(*listing->nodes));
        listing->names[listing->count] = xstrndup((const char *)entry->name, entry->size + 1u);
        sqfs_free(entry);
        listing->nodes[listing->count] = NULL;
        listing->count++;
        if (!is_name(listing->names[listing->count - 1]) ||
            (listing->count > 1 &&
             strcmp(listing->names[listing->count - 2], listing->names[listing->count - 1]) >= 0))
            return SQFS_ERROR_CORRUPTED;
        code = sqfs_dir_reader_get_inode(reader, &listing->nodes[listing->count - 1]);
        if (code == 0 && !count_node(walker, listing->nodes[listing->count - 1]))
            return SQFS_ERROR_OVERFLOW;
    }
    return code > 0 ? 0 : code;
}

static bool walk_dir(struct walker *walker, const char *path, int dirfd,
                     const sqfs_inode_generic_t *dir, int depth, struct err *err);

static bool walk_node(struct walker *walker, const char *dir_path, int dirfd, const char *name,
                      const sqfs_inode_generic_t *node, int depth, struct err *err)
{
    cleanup_free char *path = xasprintf("%s%s%s", dir_path, dir_path[0] != '\0' ? "/" : "", name);
    cleanup_fd int fd = -1;

    if (!walker->visit(walker, path, name, dirfd, node, err))
        return false;
    if (!is_type(node, SQFS_INODE_MODE_DIR))
        return true;
    if (walker->enter != NULL) {
        fd = walker->enter(name, dirfd, err);
        if (fd < 0)
            return false;
    }
    return walk_dir(walker, path, fd, node, depth + 1, err);
}

static bool walk_dir(struct walker *walker, const char *path, int dirfd,
                     const sqfs_inode_generic_t *dir, int depth, struct err *err)
{
    struct listing listing = {0};
    bool ok = true;
    int code;

    if (depth > DEPTH_MAX || !mark_seen(walker, dir)) {
        (void)err_set(err, ERR_INPUT, "'%s': a directory loop, or deeper than %d", path, DEPTH_MAX);
        return err_id(err, "E-IMAGE");
    }
    code = listing_fill(&listing, walker, dir);
    if (code != 0)
        ok = not_read(walker->image, err, code, path[0] != '\0' ? path : "/");
    for (size_t i = 0; ok && i < listing.count; i++)
        ok = walk_node(walker, path, dirfd, listing.names[i], listing.nodes[i], depth, err);
    listing_release(&listing);
    return ok;
}

static bool walk_image(struct walker *walker, int dirfd, struct err *err)
{
    sqfs_inode_generic_t *root = NULL;
    int code = sqfs_dir_reader_get_root_inode(walker->image->dirs, &root);
    bool ok;

    if (code != 0 || !is_type(root, SQFS_INODE_MODE_DIR)) {
        sqfs_free(root);
        return not_read(walker->image, err, code != 0 ? code : SQFS_ERROR_CORRUPTED, "/");
    }
    walker->seen = xcalloc(walker->image->super.inode_count / 8 + 1, 1);
    walker->buffer = xcalloc(CHUNK_SIZE, 1);
    ok = walk_dir(walker, "", dirfd, root, 0, err);
    free(walker->seen);
    free(walker->buffer);
    sqfs_free(root);
    return ok;
}

/* A symlink's target lies behind its inode; how much of it there is was checked by the reader. */
static char *target_of(const sqfs_inode_generic_t *node)
{
    size_t size = node->base.type == SQFS_INODE_SLINK ? node->data.slink.target_size
                                                      : node->data.slink_ext.target_size;

    if (!is_type(node, SQFS_INODE_MODE_LNK) || size > node->payload_bytes_used)
        return NULL;
    return xstrndup((const char *)node->extra, size);
}

struct image_cursor {
    struct walker *walker;
    const sqfs_inode_generic_t *node;
};

static struct image_place place_of_node(const sqfs_inode_generic_t *node, uint32_t block_size)
{
    struct image_place place = {0};
    sqfs_u64 start = 0;
    sqfs_u32 fragment = 0;
    sqfs_u32 offset = 0;

    if (!is_type(node, SQFS_INODE_MODE_REG))
        return place;
    (void)sqfs_inode_get_file_block_start(node, &start);
    (void)sqfs_inode_get_frag_location(node, &fragment, &offset);
    place.blocks_at = start;
    for (size_t i = 0; i < sqfs_inode_get_file_block_count(node); i++)
        place.blocks_bytes += SQFS_ON_DISK_BLOCK_SIZE(node->extra[i]);
    place.has_tail = fragment != NO_FRAGMENT;
    place.fragment = fragment;
    place.tail_at = offset;
    place.tail_bytes = place.has_tail ? (uint32_t)(file_size(node) % block_size) : 0;
    return place;
}

static bool visit_callback(struct walker *walker, const char *path, const char *name, int dirfd,
                           const sqfs_inode_generic_t *node, struct err *err)
{
    cleanup_free char *target = target_of(node);
    struct image_cursor cursor = {walker, node};
    struct image_node shown = {.path = path,
                               .mode = node->base.mode,
                               .size_bytes = file_size(node),
                               .mtime = node->base.mod_time,
                               .target = target,
                               .place = place_of_node(node, walker->image->super.block_size),
                               .cursor = &cursor};

    (void)name;
    (void)dirfd;
    return walker->callback(&shown, walker->context, err);
}

bool image_each(struct image *image, image_visit *visit, void *context, struct err *err)
{
    struct walker walker = {
        .image = image, .visit = visit_callback, .callback = visit, .context = context};

    return walk_image(&walker, -1, err);
}

/* Reads a file chunk by chunk and, with a sink, gives it away. */
static bool copy_file(struct walker *walker, const char *path, const sqfs_inode_generic_t *node,
                      image_sink *sink, void *context, struct err *err)
{
    uint64_t size = file_size(node);

    for (uint64_t done = 0; done < size;) {
        uint32_t want = size - done < CHUNK_SIZE ? (uint32_t)(size - done) : CHUNK_SIZE;
        sqfs_s32 length =
            sqfs_data_reader_read(walker->image->data, node, done, walker->buffer, want);

        if (length <= 0)
            return not_read(walker->image, err, length < 0 ? length : SQFS_ERROR_CORRUPTED, path);
        if (sink != NULL && !sink(context, walker->buffer, (size_t)length, err))
            return err_wrap(err, "'%s'", path);
        done += (uint64_t)length;
    }
    return true;
}

bool image_content(const struct image_node *node, image_sink *sink, void *context, struct err *err)
{
    return copy_file(node->cursor->walker, node->path, node->cursor->node, sink, context, err);
}

static bool write_to_fd(void *context, const void *data, size_t size, struct err *err)
{
    const int *fd = context;

    return fs_write_all(*fd, data, size, err);
}

static bool visit_check(struct walker *walker, const char *path, const char *name, int dirfd,
                        const sqfs_inode_generic_t *node, struct err *err)
{
    (void)name;
    (void)dirfd;
    return !is_type(node, SQFS_INODE_MODE_REG) || copy_file(walker, path, node, NULL, NULL, err);
}

bool image_check(struct image *image, struct err *err)
{
    struct walker walker = {.image = image, .visit = visit_check};

    return walk_image(&walker, -1, err);
}

static bool extract_link(const char *path, const char *name, int dirfd,
                         const sqfs_inode_generic_t *node, struct err *err)
{
    cleanup_free char *target = target_of(node);

    if (target == NULL || target[0] == '\0')
        return bad_image(err, SQFS_ERROR_CORRUPTED, path);
    return symlinkat(target, dirfd, name) == 0 || err_sys(err, "'%s'", path);
}

/* Each name is made in its open parent and must be new: no symlink is ever followed. */
static bool visit_extract(struct walker *walker, const char *path, const char *name, int dirfd,
                          const sqfs_inode_generic_t *node, struct err *err)
{
    mode_t mode = (node->base.mode & S_IXUSR) != 0 ? 0755 : 0644;
    cleanup_fd int fd = -1;

    if (is_type(node, SQFS_INODE_MODE_DIR))
        return mkdirat(dirfd, name, 0755) == 0 || err_sys(err, "'%s'", path);
    if (is_type(node, SQFS_INODE_MODE_LNK))
        return extract_link(path, name, dirfd, node, err);
    if (!is_type(node, SQFS_INODE_MODE_REG))
        return true;
    fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd < 0)
        return err_sys(err, "'%s'", path);
    return copy_file(walker, path, node, write_to_fd, &fd, err);
}

static int enter_dir(const char *name, int dirfd, struct err *err)
{
    int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0)
        (void)err_sys(err, "'%s'", name);
    return fd;
}

bool image_extract(struct image *image, int dirfd, struct err *err)
{
    struct walker walker = {.image = image, .visit = visit_extract, .enter = enter_dir};

    return walk_image(&walker, dirfd, err);
}
