/* SPDX-License-Identifier: MIT */
#include "runtime/stub/fuse.h"

#include <errno.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/fuse.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "runtime/stub/sqfs.h"

enum {
    REQUEST_SIZE = FUSE_MIN_READ_BUFFER, /* we take no data, so the smallest is enough */
    PAGES_MAX = 256,
    READ_MAX = 1 << 20,
    LIST_CACHE = 32,
    LIST_CACHE_BYTES = 4 << 20,
    OLD_INIT_MINOR = 23, /* before it the reply to INIT was shorter */
    OLD_INIT_SIZE = 24,
};

/* Any value that the kernel turns into "never" (it clamps seconds to its largest time). */
static const uint64_t FOREVER = UINT64_C(1) << 40;

struct kept_list {
    bool used;
    uint64_t ref;
    uint64_t stamp;
    struct sqfs_list list;
};

struct fuse {
    int fd;
    struct sqfs_image *image;
    bool own_ids;
    uid_t uid;
    gid_t gid;
    bool no_open, no_opendir; /* what the kernel allows us to refuse */
    uint64_t clock;
    size_t list_bytes;
    struct kept_list lists[LIST_CACHE];
    uint8_t *reply; /* READ_MAX bytes */
    alignas(8) uint8_t request[REQUEST_SIZE];
};

bool fuse_new(struct fuse **ret, int fd, struct sqfs_image *image, bool own_ids, uid_t uid,
              gid_t gid, struct err *err)
{
    struct fuse *fuse = calloc(1, sizeof(*fuse));

    if (fuse == NULL || (fuse->reply = malloc(READ_MAX)) == NULL) {
        free(fuse);
        return err_sys(err, "starting the server");
    }
    fuse->fd = fd;
    fuse->image = image;
    fuse->own_ids = own_ids;
    fuse->uid = uid;
    fuse->gid = gid;
    *ret = fuse;
    return true;
}

void fuse_free(struct fuse *fuse)
{
    if (fuse == NULL)
        return;
    for (size_t i = 0; i < LIST_CACHE; i++)
        sqfs_list_release(&fuse->lists[i].list);
    free(fuse->reply);
    free(fuse);
}

static uint64_t node_of(const struct fuse *fuse, uint64_t ref)
{
    return ref == sqfs_image_root(fuse->image) ? FUSE_ROOT_ID : ref + 2;
}

static uint64_t ref_of(const struct fuse *fuse, uint64_t node)
{
    return node == FUSE_ROOT_ID ? sqfs_image_root(fuse->image) : node - 2;
}

/* A reply that fails finds the request interrupted or the mount gone; the next read tells. */
static void reply(struct fuse *fuse, const struct fuse_in_header *in, int error, const void *data,
                  size_t size)
{
    struct fuse_out_header out = {
        .len = (uint32_t)(sizeof(out) + size), .error = -error, .unique = in->unique};
    struct iovec parts[2] = {{&out, sizeof(out)}, {(void *)(uintptr_t)data, size}};
    ssize_t written = writev(fuse->fd, parts, size > 0 ? 2 : 1);

    (void)written;
}

static void reply_error(struct fuse *fuse, const struct fuse_in_header *in, int error)
{
    reply(fuse, in, error, NULL, 0);
}

static void fill_attributes(const struct fuse *fuse, const struct sqfs_node *node,
                            struct fuse_attr *ret)
{
    *ret = (struct fuse_attr){
        .ino = node->ino,
        .size = node->size,
        .blocks = (node->size + 511) / 512,
        .atime = node->mtime,
        .mtime = node->mtime,
        .ctime = node->mtime,
        .mode = node->mode,
        .nlink = node->nlink,
        .uid = fuse->own_ids ? fuse->uid : node->uid,
        .gid = fuse->own_ids ? fuse->gid : node->gid,
        .rdev = (uint32_t)makedev(node->major, node->minor),
        .blksize = sqfs_image_block_size(fuse->image),
    };
}

static bool fill_entry(struct fuse *fuse, uint64_t ref, struct fuse_entry_out *ret)
{
    struct sqfs_node node;
    struct err err;

    if (!sqfs_image_node(fuse->image, ref, &node, &err))
        return false;
    *ret = (struct fuse_entry_out){
        .nodeid = node_of(fuse, ref), .entry_valid = FOREVER, .attr_valid = FOREVER};
    fill_attributes(fuse, &node, &ret->attr);
    return true;
}

static void drop_list(struct fuse *fuse, struct kept_list *kept)
{
    if (!kept->used)
        return;
    fuse->list_bytes -= kept->list.memory_bytes;
    sqfs_list_release(&kept->list);
    *kept = (struct kept_list){0};
}

static struct kept_list *oldest_list(struct fuse *fuse, bool only_used)
{
    struct kept_list *oldest = NULL;

    for (size_t i = 0; i < LIST_CACHE; i++) {
        struct kept_list *kept = &fuse->lists[i];

        if (only_used && !kept->used)
            continue;
        if (oldest == NULL || kept->stamp < oldest->stamp)
            oldest = kept;
    }
    return oldest;
}

/* The entries of a directory; valid until the next call. */
static const struct sqfs_list *find_list(struct fuse *fuse, uint64_t ref)
{
    struct kept_list *kept;
    struct sqfs_list list;
    struct err err;

    for (size_t i = 0; i < LIST_CACHE; i++) {
        kept = &fuse->lists[i];
        if (kept->used && kept->ref == ref) {
            kept->stamp = ++fuse->clock;
            return &kept->list;
        }
    }
    if (!sqfs_image_list(fuse->image, ref, &list, &err))
        return NULL;
    drop_list(fuse, oldest_list(fuse, false));
    while (fuse->list_bytes > 0 && fuse->list_bytes + list.memory_bytes > LIST_CACHE_BYTES)
        drop_list(fuse, oldest_list(fuse, true));
    kept = oldest_list(fuse, false);
    *kept = (struct kept_list){true, ref, ++fuse->clock, list};
    fuse->list_bytes += list.memory_bytes;
    return &kept->list;
}

static void do_init(struct fuse *fuse, const struct fuse_in_header *in, const void *arg)
{
    const struct fuse_init_in *wish = arg;
    uint32_t want = FUSE_ASYNC_READ | FUSE_PARALLEL_DIROPS | FUSE_DO_READDIRPLUS |
                    FUSE_CACHE_SYMLINKS | FUSE_MAX_PAGES | FUSE_NO_OPEN_SUPPORT |
                    FUSE_NO_OPENDIR_SUPPORT;
    struct fuse_init_out out = {
        .major = FUSE_KERNEL_VERSION,
        .minor = FUSE_KERNEL_MINOR_VERSION,
        .max_readahead = wish->max_readahead,
        .flags = want & wish->flags,
        .max_background = 64,
        .congestion_threshold = 48,
        .max_write = FUSE_MIN_READ_BUFFER - 4096,
        .time_gran = 1000000000,
        .max_pages = PAGES_MAX,
    };

    if (wish->major != FUSE_KERNEL_VERSION) {
        /* A newer kernel asks again with our version; there is no older one left. */
        reply(fuse, in, wish->major < FUSE_KERNEL_VERSION ? EPROTO : 0, &out,
              wish->major < FUSE_KERNEL_VERSION ? 0 : sizeof(out));
        return;
    }
    if (wish->minor < out.minor)
        out.minor = wish->minor;
    fuse->no_open = (out.flags & FUSE_NO_OPEN_SUPPORT) != 0;
    fuse->no_opendir = (out.flags & FUSE_NO_OPENDIR_SUPPORT) != 0;
    reply(fuse, in, 0, &out, wish->minor < OLD_INIT_MINOR ? OLD_INIT_SIZE : sizeof(out));
}

static void do_lookup(struct fuse *fuse, const struct fuse_in_header *in, const void *arg,
                      size_t size)
{
    const char *name = arg;
    size_t len = strnlen(name, size);
    const struct sqfs_list *list = find_list(fuse, ref_of(fuse, in->nodeid));
    const struct sqfs_entry *entry;
    /* Node 0 with a lifetime is how an absent name is kept. */
    struct fuse_entry_out out = {.entry_valid = FOREVER};

    if (list == NULL || len == size) {
        reply_error(fuse, in, EIO);
        return;
    }
    entry = sqfs_list_find(list, name, len);
    if (entry != NULL && !fill_entry(fuse, entry->ref, &out)) {
        reply_error(fuse, in, EIO);
        return;
    }
    reply(fuse, in, 0, &out, sizeof(out));
}

static void do_getattr(struct fuse *fuse, const struct fuse_in_header *in)
{
    struct fuse_attr_out out = {.attr_valid = FOREVER};
    struct sqfs_node node;
    struct err err;

    if (!sqfs_image_node(fuse->image, ref_of(fuse, in->nodeid), &node, &err)) {
        reply_error(fuse, in, EIO);
        return;
    }
    fill_attributes(fuse, &node, &out.attr);
    reply(fuse, in, 0, &out, sizeof(out));
}

static void do_readlink(struct fuse *fuse, const struct fuse_in_header *in)
{
    cleanup_free char *target = NULL;
    struct err err;

    if (!sqfs_image_target(fuse->image, ref_of(fuse, in->nodeid), &target, &err))
        reply_error(fuse, in, EIO);
    else
        reply(fuse, in, 0, target, strlen(target));
}

static void do_open(struct fuse *fuse, const struct fuse_in_header *in, bool refused)
{
    struct fuse_open_out out = {.open_flags = FOPEN_KEEP_CACHE};

    if (in->opcode == FUSE_OPENDIR)
        out.open_flags |= FOPEN_CACHE_DIR;
    /* ENOSYS means: never ask again, every open succeeds. */
    if (refused)
        reply_error(fuse, in, ENOSYS);
    else
        reply(fuse, in, 0, &out, sizeof(out));
}

static void do_read(struct fuse *fuse, const struct fuse_in_header *in, const void *arg)
{
    const struct fuse_read_in *want = arg;
    size_t size = want->size < READ_MAX ? want->size : READ_MAX;
    struct err err;

    if (!sqfs_image_read(fuse->image, ref_of(fuse, in->nodeid), want->offset, fuse->reply, size,
                         &size, &err))
        reply_error(fuse, in, EIO);
    else
        reply(fuse, in, 0, fuse->reply, size);
}

/* One entry of a directory in the kernel's layout; 0 when it does not fit into size bytes. */
static size_t put_entry(struct fuse *fuse, uint8_t *at, size_t size, const struct sqfs_entry *entry,
                        uint64_t next, bool plus)
{
    size_t header = plus ? FUSE_NAME_OFFSET_DIRENTPLUS : FUSE_NAME_OFFSET;
    size_t need = FUSE_DIRENT_ALIGN(header + entry->name_len);
    struct fuse_dirent dirent = {.ino = entry->ino,
                                 .off = next,
                                 .namelen = (uint32_t)entry->name_len,
                                 .type = entry->type >> 12};
    struct fuse_entry_out out = {0};

    if (need > size)
        return 0;
    /* An entry of "." and ".." carries no node: the kernel does not look at it. A damaged inode
     * is shown by name and fails when it is used. */
    if (plus && entry->ref != UINT64_MAX && !fill_entry(fuse, entry->ref, &out))
        out = (struct fuse_entry_out){0};
    memset(at, 0, need);
    if (plus)
        memcpy(at, &out, sizeof(out));
    memcpy(at + header - FUSE_NAME_OFFSET, &dirent, FUSE_NAME_OFFSET);
    memcpy(at + header, entry->name, entry->name_len);
    return need;
}

static void do_readdir(struct fuse *fuse, const struct fuse_in_header *in, const void *arg)
{
    const struct fuse_read_in *want = arg;
    size_t size = want->size < READ_MAX ? want->size : READ_MAX;
    bool plus = in->opcode == FUSE_READDIRPLUS;
    const struct sqfs_list *list = find_list(fuse, ref_of(fuse, in->nodeid));
    struct sqfs_entry dots[2] = {
        {.name = ".", .name_len = 1, .ref = UINT64_MAX, .type = S_IFDIR},
        {.name = "..", .name_len = 2, .ref = UINT64_MAX, .type = S_IFDIR},
    };
    struct sqfs_node node;
    size_t used = 0;
    struct err err;

    if (list == NULL || !sqfs_image_node(fuse->image, ref_of(fuse, in->nodeid), &node, &err)) {
        reply_error(fuse, in, EIO);
        return;
    }
    dots[0].ino = node.ino;
    dots[1].ino = node.parent_ino;
    for (uint64_t i = want->offset; i < list->count + 2; i++) {
        const struct sqfs_entry *entry = i < 2 ? &dots[i] : &list->entries[i - 2];
        size_t put = put_entry(fuse, fuse->reply + used, size - used, entry, i + 1, plus);

        if (put == 0)
            break;
        used += put;
    }
    reply(fuse, in, 0, fuse->reply, used);
}

static void do_statfs(struct fuse *fuse, const struct fuse_in_header *in)
{
    uint32_t block = sqfs_image_block_size(fuse->image);
    struct fuse_statfs_out out = {.st = {
                                      .blocks = (sqfs_image_bytes(fuse->image) + block - 1) / block,
                                      .files = sqfs_image_inodes(fuse->image),
                                      .bsize = block,
                                      .frsize = block,
                                      .namelen = SQFS_NAME_MAX,
                                  }};

    reply(fuse, in, 0, &out, sizeof(out));
}

/* How many bytes behind the header each request needs that we look into. */
static size_t argument_size(uint32_t opcode)
{
    switch (opcode) {
    case FUSE_INIT:
        return offsetof(struct fuse_init_in, flags) + sizeof(uint32_t);
    case FUSE_LOOKUP:
        return 1;
    case FUSE_READ:
    case FUSE_READDIR:
    case FUSE_READDIRPLUS:
        return sizeof(struct fuse_read_in);
    default:
        return 0;
    }
}

static void answer(struct fuse *fuse, const struct fuse_in_header *in, const void *arg, size_t size)
{
    switch (in->opcode) {
    case FUSE_INIT:
        return do_init(fuse, in, arg);
    case FUSE_LOOKUP:
        return do_lookup(fuse, in, arg, size);
    case FUSE_GETATTR:
        return do_getattr(fuse, in);
    case FUSE_READLINK:
        return do_readlink(fuse, in);
    case FUSE_OPEN:
        return do_open(fuse, in, fuse->no_open);
    case FUSE_OPENDIR:
        return do_open(fuse, in, fuse->no_opendir);
    case FUSE_READ:
        return do_read(fuse, in, arg);
    case FUSE_READDIR:
    case FUSE_READDIRPLUS:
        return do_readdir(fuse, in, arg);
    case FUSE_STATFS:
        return do_statfs(fuse, in);
    case FUSE_RELEASE:
    case FUSE_RELEASEDIR:
    case FUSE_DESTROY:
        return reply_error(fuse, in, 0);
    case FUSE_IOCTL:
        return reply_error(fuse, in, ENOTTY);
    case FUSE_FORGET:
    case FUSE_BATCH_FORGET:
    case FUSE_INTERRUPT:
        return; /* these have no reply */
    default:
        return reply_error(fuse, in, ENOSYS);
    }
}

enum fuse_state fuse_serve(struct fuse *fuse)
{
    for (;;) {
        const struct fuse_in_header *in = (const struct fuse_in_header *)fuse->request;
        ssize_t got = read(fuse->fd, fuse->request, sizeof(fuse->request));

        if (got < 0 && (errno == EINTR || errno == ENOENT))
            continue; /* ENOENT: the request was interrupted before we read it */
        if (got < 0 && errno == EAGAIN)
            return FUSE_IDLE;
        if (got < (ssize_t)sizeof(*in))
            return FUSE_GONE;
        if ((size_t)got - sizeof(*in) < argument_size(in->opcode))
            reply_error(fuse, in, EIO);
        else
            answer(fuse, in, in + 1, (size_t)got - sizeof(*in));
    }
}
