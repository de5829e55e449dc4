/* SPDX-License-Identifier: MIT */
#include "fuse.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdalign.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "sqfs.h"

enum {
    REQUEST_SIZE = FUSE_MIN_READ_BUFFER + 4096,
    REPLY_SIZE = 1 << 20,
    PAGES_MAX = REPLY_SIZE / 4096,
    DOT_ENTRIES = 2, /* "." and "..", which squashfs does not store */
};

static const uint64_t forever_s = 1000000000;

/* Where a directory listing stopped, so that the next READDIR need not start over. */
struct listing {
    uint64_t node;
    uint64_t index; /* of the next entry; 0: no listing */
    struct sqfs_dir dir;
};

struct fuse {
    int fd;
    struct sqfs *fs;
    bool own_ids;
    bool no_open, no_opendir;
    uint32_t uid, gid;
    struct listing listing;
    struct sqfs_inode inode; /* of the node last asked for */
    uint64_t inode_node;
    alignas(8) uint8_t request[REQUEST_SIZE];
    alignas(8) uint8_t reply[REPLY_SIZE];
};

bool fuse_new(struct fuse **ret, int fd, struct sqfs *fs, bool own_ids, struct err *err)
{
    struct fuse *fuse = calloc(1, sizeof(*fuse));

    if (fuse == NULL)
        return err_sys(err, "cannot serve the image");
    fuse->fd = fd;
    fuse->fs = fs;
    fuse->own_ids = own_ids;
    fuse->uid = geteuid();
    fuse->gid = getegid();
    if (fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) != 0) {
        free(fuse);
        return err_sys(err, "cannot serve the image");
    }
    *ret = fuse;
    return true;
}

void fuse_free(struct fuse *fuse)
{
    free(fuse);
}

static void send_reply(struct fuse *fuse, uint64_t unique, int error, const void *data, size_t size)
{
    struct fuse_out_header header = {
        .len = (uint32_t)(sizeof(header) + size), .error = -error, .unique = unique};
    struct iovec parts[] = {{&header, sizeof(header)}, {(void *)(uintptr_t)data, size}};

    /* ENOENT: the asker was interrupted and is gone. Nothing else can be done about others. */
    while (writev(fuse->fd, parts, size > 0 ? 2 : 1) < 0 && errno == EINTR)
        continue;
}

/* ---------------------------------------------------------------- node ids */

static uint64_t node_of(const struct fuse *fuse, uint64_t ref)
{
    return ref == sqfs_root(fuse->fs) ? FUSE_ROOT_ID : ref + FUSE_ROOT_ID + 1;
}

static bool inode_of(struct fuse *fuse, uint64_t node, struct sqfs_inode *ret)
{
    uint64_t ref = node == FUSE_ROOT_ID ? sqfs_root(fuse->fs) : node - FUSE_ROOT_ID - 1;
    struct err err = {0};

    if (node == 0 || (fuse->inode_node != node && !sqfs_inode(fuse->fs, ref, &fuse->inode, &err)))
        return false;
    fuse->inode_node = node;
    *ret = fuse->inode;
    return true;
}

static void fill_attr(const struct fuse *fuse, const struct sqfs_inode *inode,
                      struct fuse_attr *attr)
{
    *attr = (struct fuse_attr){
        .ino = inode->number,
        .size = inode->size,
        .blocks = (inode->size + 511) / 512,
        .atime = (uint64_t)inode->mtime,
        .mtime = (uint64_t)inode->mtime,
        .ctime = (uint64_t)inode->mtime,
        .mode = inode->mode,
        .nlink = inode->nlink,
        .uid = fuse->own_ids ? fuse->uid : inode->uid,
        .gid = fuse->own_ids ? fuse->gid : inode->gid,
        .rdev = inode->rdev,
        .blksize = sqfs_block_size(fuse->fs),
    };
}

static bool fill_entry(struct fuse *fuse, uint64_t ref, struct fuse_entry_out *out)
{
    struct sqfs_inode inode;
    struct err err = {0};

    if (!sqfs_inode(fuse->fs, ref, &inode, &err))
        return false;
    *out = (struct fuse_entry_out){
        .nodeid = node_of(fuse, ref), .entry_valid = forever_s, .attr_valid = forever_s};
    fill_attr(fuse, &inode, &out->attr);
    return true;
}

/* --------------------------------------------------------------- requests */

static int serve_init(struct fuse *fuse, const struct fuse_in_header *in, const void *arg,
                      size_t size)
{
    const struct fuse_init_in *wanted = arg;
    struct fuse_init_out out = {.major = FUSE_KERNEL_VERSION,
                                .minor = FUSE_KERNEL_MINOR_VERSION,
                                .max_background = 16,
                                .congestion_threshold = 12,
                                .max_write = 4096,
                                .time_gran = 1000000000,
                                .max_pages = PAGES_MAX};
    size_t length = sizeof(out);

    if (size < 16 || wanted->major < 7)
        return EPROTO;
    if (wanted->major == 7) {
        out.max_readahead = wanted->max_readahead;
        out.flags = wanted->flags & (FUSE_ASYNC_READ | FUSE_PARALLEL_DIROPS | FUSE_DO_READDIRPLUS |
                                     FUSE_READDIRPLUS_AUTO | FUSE_CACHE_SYMLINKS | FUSE_MAX_PAGES |
                                     FUSE_NO_OPEN_SUPPORT | FUSE_NO_OPENDIR_SUPPORT);
        if (wanted->minor < 5)
            length = FUSE_COMPAT_INIT_OUT_SIZE;
        else if (wanted->minor < 23)
            length = FUSE_COMPAT_22_INIT_OUT_SIZE;
        if (wanted->minor < out.minor)
            out.minor = wanted->minor;
        fuse->no_open = (out.flags & FUSE_NO_OPEN_SUPPORT) != 0;
        fuse->no_opendir = (out.flags & FUSE_NO_OPENDIR_SUPPORT) != 0;
    }
    send_reply(fuse, in->unique, 0, &out, length);
    return 0;
}

static int serve_lookup(struct fuse *fuse, const struct fuse_in_header *in, const char *name,
                        size_t size)
{
    struct fuse_entry_out out = {.entry_valid = forever_s};
    struct sqfs_inode dir;
    struct err err = {0};
    uint64_t ref;
    bool found;

    if (size == 0 || memchr(name, '\0', size) == NULL || name[0] == '\0')
        return EINVAL;
    if (!inode_of(fuse, in->nodeid, &dir) ||
        !sqfs_lookup(fuse->fs, &dir, name, strlen(name), &ref, &found, &err))
        return EIO;
    /* Node 0 with a timeout: the kernel also remembers that there is no such name. */
    if (found && !fill_entry(fuse, ref, &out))
        return EIO;
    send_reply(fuse, in->unique, 0, &out, sizeof(out));
    return 0;
}

static int serve_getattr(struct fuse *fuse, const struct fuse_in_header *in)
{
    struct fuse_attr_out out = {.attr_valid = forever_s};
    struct sqfs_inode inode;

    if (!inode_of(fuse, in->nodeid, &inode))
        return EIO;
    fill_attr(fuse, &inode, &out.attr);
    send_reply(fuse, in->unique, 0, &out, sizeof(out));
    return 0;
}

static int serve_readlink(struct fuse *fuse, const struct fuse_in_header *in)
{
    struct sqfs_inode inode;
    struct err err = {0};

    if (!inode_of(fuse, in->nodeid, &inode) ||
        !sqfs_readlink(fuse->fs, &inode, (char *)fuse->reply, &err))
        return EIO;
    send_reply(fuse, in->unique, 0, fuse->reply, inode.size);
    return 0;
}

static int serve_open(struct fuse *fuse, const struct fuse_in_header *in, const void *arg,
                      size_t size)
{
    const struct fuse_open_in *open_in = arg;
    bool dir = in->opcode == FUSE_OPENDIR;
    struct fuse_open_out out = {.open_flags =
                                    dir ? FOPEN_CACHE_DIR | FOPEN_KEEP_CACHE : FOPEN_KEEP_CACHE};

    if (size < sizeof(*open_in))
        return EINVAL;
    if ((open_in->flags & O_ACCMODE) != O_RDONLY)
        return EROFS;
    /* Once told so, the kernel opens everything itself, with these very flags. */
    if (dir ? fuse->no_opendir : fuse->no_open)
        return ENOSYS;
    send_reply(fuse, in->unique, 0, &out, sizeof(out));
    return 0;
}

static int serve_read(struct fuse *fuse, const struct fuse_in_header *in, const void *arg,
                      size_t size)
{
    const struct fuse_read_in *wanted = arg;
    struct sqfs_inode inode;
    struct err err = {0};
    size_t done;

    if (size < sizeof(*wanted))
        return EINVAL;
    if (!inode_of(fuse, in->nodeid, &inode) ||
        !sqfs_read(fuse->fs, &inode, fuse->reply,
                   wanted->size < REPLY_SIZE ? wanted->size : REPLY_SIZE, wanted->offset, &done,
                   &err))
        return EIO;
    send_reply(fuse, in->unique, 0, fuse->reply, done);
    return 0;
}

static int serve_statfs(struct fuse *fuse, const struct fuse_in_header *in)
{
    uint32_t block = sqfs_block_size(fuse->fs);
    struct fuse_statfs_out out = {.st = {.blocks = (sqfs_used(fuse->fs) + block - 1) / block,
                                         .files = sqfs_inode_count(fuse->fs),
                                         .bsize = block,
                                         .frsize = block,
                                         .namelen = SQFS_NAME_MAX}};

    send_reply(fuse, in->unique, 0, &out, sizeof(out));
    return 0;
}

/* ------------------------------------------------------------- directories */

/* Appends one entry to the reply. False: it does not fit any more. */
static bool add_entry(struct fuse *fuse, bool plus, size_t *length, size_t size, uint64_t next,
                      const struct sqfs_entry *entry)
{
    size_t head = plus ? FUSE_NAME_OFFSET_DIRENTPLUS : FUSE_NAME_OFFSET;
    size_t total = FUSE_DIRENT_ALIGN(head + entry->length);
    struct fuse_direntplus *at = (struct fuse_direntplus *)(void *)(fuse->reply + *length);
    struct fuse_dirent *dirent = plus ? &at->dirent : (struct fuse_dirent *)at;

    if (total > size - *length)
        return false;
    memset(at, 0, total);
    /* "." and ".." keep node 0: the kernel must not count a reference for them. */
    if (plus && next > DOT_ENTRIES && !fill_entry(fuse, entry->ref, &at->entry_out))
        memset(&at->entry_out, 0, sizeof(at->entry_out));
    dirent->ino = entry->number;
    dirent->off = next;
    dirent->namelen = (uint32_t)entry->length;
    dirent->type = entry->type;
    memcpy(dirent->name, entry->name, entry->length);
    *length += total;
    return true;
}

static bool seek_listing(struct fuse *fuse, uint64_t node, const struct sqfs_inode *inode,
                         uint64_t index)
{
    struct listing *listing = &fuse->listing;
    struct sqfs_entry entry;
    struct err err = {0};
    bool more = true;

    if (listing->node == node && listing->index == index && index >= DOT_ENTRIES)
        return true;
    listing->node = node;
    listing->index = DOT_ENTRIES;
    if (!sqfs_dir_open(fuse->fs, inode, &listing->dir, &err))
        return false;
    for (; more && listing->index < index; listing->index++) {
        if (!sqfs_dir_next(fuse->fs, &listing->dir, &entry, &more, &err))
            return false;
    }
    return true;
}

static int serve_readdir(struct fuse *fuse, const struct fuse_in_header *in, const void *arg,
                         size_t arg_size)
{
    const struct fuse_read_in *wanted = arg;
    bool plus = in->opcode == FUSE_READDIRPLUS;
    struct sqfs_inode inode;
    struct sqfs_entry entry;
    struct err err = {0};
    size_t size, length = 0;
    uint64_t index;
    bool more = true;

    if (arg_size < sizeof(*wanted))
        return EINVAL;
    size = wanted->size < REPLY_SIZE ? wanted->size : REPLY_SIZE;
    index = wanted->offset;
    if (!inode_of(fuse, in->nodeid, &inode) || !seek_listing(fuse, in->nodeid, &inode, index))
        return EIO;
    for (; index < DOT_ENTRIES; index++) {
        entry = (struct sqfs_entry){
            .name = "..", .length = (size_t)index + 1, .number = inode.number, .type = 4};
        if (!add_entry(fuse, plus, &length, size, index + 1, &entry))
            break;
    }
    while (index >= DOT_ENTRIES) {
        struct sqfs_dir before = fuse->listing.dir;

        if (!sqfs_dir_next(fuse->fs, &fuse->listing.dir, &entry, &more, &err)) {
            fuse->listing.index = 0;
            return EIO;
        }
        if (!more || !add_entry(fuse, plus, &length, size, index + 1, &entry)) {
            fuse->listing.dir = before;
            break;
        }
        fuse->listing.index = ++index;
    }
    send_reply(fuse, in->unique, 0, fuse->reply, length);
    return 0;
}

/* ------------------------------------------------------------------- loop */

/* 0: answered. Else the error to answer with. */
static int dispatch(struct fuse *fuse, const struct fuse_in_header *in, const void *arg,
                    size_t size)
{
    switch (in->opcode) {
    case FUSE_INIT:
        return serve_init(fuse, in, arg, size);
    case FUSE_LOOKUP:
        return serve_lookup(fuse, in, arg, size);
    case FUSE_GETATTR:
        return serve_getattr(fuse, in);
    case FUSE_READLINK:
        return serve_readlink(fuse, in);
    case FUSE_OPEN:
    case FUSE_OPENDIR:
        return serve_open(fuse, in, arg, size);
    case FUSE_READ:
        return serve_read(fuse, in, arg, size);
    case FUSE_READDIR:
    case FUSE_READDIRPLUS:
        return serve_readdir(fuse, in, arg, size);
    case FUSE_STATFS:
        return serve_statfs(fuse, in);
    case FUSE_RELEASE:
    case FUSE_RELEASEDIR:
    case FUSE_FLUSH:
    case FUSE_DESTROY:
        send_reply(fuse, in->unique, 0, NULL, 0);
        return 0;
    case FUSE_FORGET:
    case FUSE_BATCH_FORGET:
    case FUSE_INTERRUPT:
        return 0; /* these have no answer */
    case FUSE_IOCTL:
        return ENOTTY;
    default:
        return ENOSYS; /* the kernel does not ask again, or does it itself */
    }
}

enum fuse_event fuse_serve(struct fuse *fuse)
{
    struct fuse_in_header in;
    ssize_t n = read(fuse->fd, fuse->request, sizeof(fuse->request));
    int error;

    if (n < 0 && errno == EAGAIN)
        return FUSE_EVENT_IDLE;
    if (n < 0 && errno == ENODEV)
        return FUSE_EVENT_UNMOUNT;
    if (n < (ssize_t)sizeof(in))
        return FUSE_EVENT_SERVED; /* EINTR, or ENOENT: the asker went away */
    memcpy(&in, fuse->request, sizeof(in));
    error = dispatch(fuse, &in, fuse->request + sizeof(in), (size_t)n - sizeof(in));
    if (error != 0)
        send_reply(fuse, in.unique, error, NULL, 0);
    return FUSE_EVENT_SERVED;
}
