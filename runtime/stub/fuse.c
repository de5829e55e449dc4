/* SPDX-License-Identifier: MIT */
#include "runtime/stub/fuse.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/fuse.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "runtime/stub/ahead.h"
#include "runtime/stub/process.h"
#include "runtime/stub/sqfs.h"

enum {
    REQUEST_SIZE = FUSE_MIN_READ_BUFFER, /* we take no data, so the smallest is enough */
    PAGES_MAX = 256,
    READ_MAX = 1 << 20,
    LIST_CACHE = 32,
    LIST_CACHE_BYTES = 4 << 20,
    OLD_INIT_MINOR = 23, /* before it the reply to INIT was shorter */
    OLD_INIT_SIZE = 24,
    ALONE = 64, /* requests before there is more than one thread: a small program needs no more */
    WORKERS_MIN = 2, /* one decodes while another answers */
    WORKERS_MAX = 4,
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
    int gone_fd;
    struct sqfs_image *image;
    struct ahead *_Atomic ahead; /* or NULL */
    bool own_ids;
    uid_t uid;
    gid_t gid;
    /* What the kernel allows us to refuse. Written by the thread that meets INIT, before any other
     * request is sent. */
    _Atomic bool no_open, no_opendir;
    pthread_mutex_t lock; /* of the lists */
    uint64_t clock;
    size_t list_bytes;
    struct kept_list lists[LIST_CACHE];
};

/* One thread, and the request it is at. */
struct worker {
    struct fuse *fuse;
    int fd;
    bool is_first;
    uint8_t *reply; /* READ_MAX bytes */
    alignas(8) uint8_t request[REQUEST_SIZE];
};

static uint64_t node_of(const struct fuse *fuse, uint64_t ref)
{
    return ref == sqfs_image_root(fuse->image) ? FUSE_ROOT_ID : ref + 2;
}

static uint64_t ref_of(const struct fuse *fuse, uint64_t node)
{
    return node == FUSE_ROOT_ID ? sqfs_image_root(fuse->image) : node - 2;
}

/* A reply that fails finds the request interrupted or the mount gone; the next read tells. For want
 * of memory it can fail, too: then whoever asked gets an error rather than none for ever. */
static void reply(struct worker *worker, const struct fuse_in_header *in, int error,
                  const void *data, size_t size)
{
    struct fuse_out_header out = {
        .len = (uint32_t)(sizeof(out) + size), .error = -error, .unique = in->unique};
    struct iovec parts[2] = {{&out, sizeof(out)}, {(void *)(uintptr_t)data, size}};

    if (writev(worker->fd, parts, size > 0 ? 2 : 1) >= 0 || errno == ENOENT || errno == ENODEV)
        return;
    out.len = sizeof(out);
    out.error = error != 0 ? -error : -EIO;
    (void)!writev(worker->fd, parts, 1);
}

static void reply_error(struct worker *worker, const struct fuse_in_header *in, int error)
{
    reply(worker, in, error, NULL, 0);
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

static void do_init(struct worker *worker, const struct fuse_in_header *in, const void *arg)
{
    struct fuse *fuse = worker->fuse;
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
        reply(worker, in, wish->major < FUSE_KERNEL_VERSION ? EPROTO : 0, &out,
              wish->major < FUSE_KERNEL_VERSION ? 0 : sizeof(out));
        return;
    }
    if (wish->minor < out.minor)
        out.minor = wish->minor;
    fuse->no_open = (out.flags & FUSE_NO_OPEN_SUPPORT) != 0;
    fuse->no_opendir = (out.flags & FUSE_NO_OPENDIR_SUPPORT) != 0;
    reply(worker, in, 0, &out, wish->minor < OLD_INIT_MINOR ? OLD_INIT_SIZE : sizeof(out));
}

/* False when the directory cannot be read. *ret_ref: UINT64_MAX for a name that is absent. */
static bool look_up(struct fuse *fuse, uint64_t dir, const char *name, size_t len,
                    uint64_t *ret_ref)
{
    const struct sqfs_list *list;
    const struct sqfs_entry *entry;

    (void)pthread_mutex_lock(&fuse->lock);
    list = find_list(fuse, dir);
    entry = list == NULL ? NULL : sqfs_list_find(list, name, len);
    *ret_ref = entry == NULL ? UINT64_MAX : entry->ref;
    (void)pthread_mutex_unlock(&fuse->lock);
    return list != NULL;
}

static void do_lookup(struct worker *worker, const struct fuse_in_header *in, const void *arg,
                      size_t size)
{
    struct fuse *fuse = worker->fuse;
    const char *name = arg;
    size_t len = strnlen(name, size);
    /* Node 0 with a lifetime is how an absent name is kept. */
    struct fuse_entry_out out = {.entry_valid = FOREVER};
    uint64_t ref;

    if (len == size || !look_up(fuse, ref_of(fuse, in->nodeid), name, len, &ref) ||
        (ref != UINT64_MAX && !fill_entry(fuse, ref, &out)))
        reply_error(worker, in, EIO);
    else
        reply(worker, in, 0, &out, sizeof(out));
}

static void do_getattr(struct worker *worker, const struct fuse_in_header *in)
{
    const struct fuse *fuse = worker->fuse;
    struct fuse_attr_out out = {.attr_valid = FOREVER};
    struct sqfs_node node;
    struct err err;

    if (!sqfs_image_node(fuse->image, ref_of(fuse, in->nodeid), &node, &err)) {
        reply_error(worker, in, EIO);
        return;
    }
    fill_attributes(fuse, &node, &out.attr);
    reply(worker, in, 0, &out, sizeof(out));
}

/*
 * Without an answer the kernel takes every file for executable in access(2), where on other file
 * systems a file without such a bit is none, not even for root. All may read what we serve.
 */
static void do_access(struct worker *worker, const struct fuse_in_header *in,
                      const struct fuse_access_in *wanted)
{
    const struct fuse *fuse = worker->fuse;
    struct sqfs_node node;
    struct err err;

    if (!sqfs_image_node(fuse->image, ref_of(fuse, in->nodeid), &node, &err))
        reply_error(worker, in, EIO);
    else
        reply_error(worker, in,
                    (wanted->mask & X_OK) != 0 && S_ISREG(node.mode) && (node.mode & 0111) == 0
                        ? EACCES
                        : 0);
}

static void do_readlink(struct worker *worker, const struct fuse_in_header *in)
{
    const struct fuse *fuse = worker->fuse;
    cleanup_free char *target = NULL;
    struct err err;

    if (!sqfs_image_target(fuse->image, ref_of(fuse, in->nodeid), &target, &err))
        reply_error(worker, in, EIO);
    else
        reply(worker, in, 0, target, strlen(target));
}

/* Sends what was asked for, or, to a request with no room, how much room it needs. */
static void reply_sized(struct worker *worker, const struct fuse_in_header *in,
                        const struct fuse_getxattr_in *want, const void *data, size_t size)
{
    struct fuse_getxattr_out out = {.size = (uint32_t)size};

    if (want->size == 0)
        reply(worker, in, 0, &out, sizeof(out));
    else if (size > want->size)
        reply_error(worker, in, ERANGE);
    else
        reply(worker, in, 0, data, size);
}

static void do_getxattr(struct worker *worker, const struct fuse_in_header *in, const void *arg,
                        size_t size)
{
    const struct fuse *fuse = worker->fuse;
    const struct fuse_getxattr_in *want = arg;
    const char *name = (const char *)(want + 1);
    const struct sqfs_xattr *found;
    struct sqfs_xattrs xattrs;
    struct err err;

    if (!sqfs_image_has_xattrs(fuse->image)) {
        reply_error(worker, in, ENOSYS); /* never ask again */
        return;
    }
    if (strnlen(name, size - sizeof(*want)) == size - sizeof(*want) ||
        !sqfs_image_xattrs(fuse->image, ref_of(fuse, in->nodeid), &xattrs, &err)) {
        reply_error(worker, in, EIO);
        return;
    }
    found = sqfs_xattrs_find(&xattrs, name);
    if (found == NULL)
        reply_error(worker, in, ENODATA);
    else
        reply_sized(worker, in, want, found->value, found->value_size);
    sqfs_xattrs_release(&xattrs);
}

static void do_listxattr(struct worker *worker, const struct fuse_in_header *in, const void *arg)
{
    const struct fuse *fuse = worker->fuse;
    struct sqfs_xattrs xattrs;
    size_t used = 0;
    struct err err;

    if (!sqfs_image_has_xattrs(fuse->image)) {
        reply_error(worker, in, ENOSYS);
        return;
    }
    if (!sqfs_image_xattrs(fuse->image, ref_of(fuse, in->nodeid), &xattrs, &err)) {
        reply_error(worker, in, EIO);
        return;
    }
    /* SQFS_XATTR_NAMES_MAX is far below READ_MAX. */
    for (size_t i = 0; i < xattrs.count; i++) {
        memcpy(worker->reply + used, xattrs.entries[i].name, xattrs.entries[i].name_len + 1);
        used += xattrs.entries[i].name_len + 1;
    }
    sqfs_xattrs_release(&xattrs);
    reply_sized(worker, in, arg, worker->reply, used);
}

static void do_open(struct worker *worker, const struct fuse_in_header *in, bool refused)
{
    struct fuse_open_out out = {.open_flags = FOPEN_KEEP_CACHE};

    if (in->opcode == FUSE_OPENDIR)
        out.open_flags |= FOPEN_CACHE_DIR;
    /* ENOSYS means: never ask again, every open succeeds. */
    if (refused)
        reply_error(worker, in, ENOSYS);
    else
        reply(worker, in, 0, &out, sizeof(out));
}

static void do_read(struct worker *worker, const struct fuse_in_header *in, const void *arg)
{
    const struct fuse *fuse = worker->fuse;
    const struct fuse_read_in *want = arg;
    size_t size = want->size < READ_MAX ? want->size : READ_MAX;
    struct err err;

    ahead_note(fuse->ahead, ref_of(fuse, in->nodeid), want->offset, size);
    if (!sqfs_image_read(fuse->image, ref_of(fuse, in->nodeid), want->offset, worker->reply, size,
                         &size, &err))
        reply_error(worker, in, EIO);
    else
        reply(worker, in, 0, worker->reply, size);
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

/* As many entries as fit, from the offset-th on. */
static bool fill_directory(struct fuse *fuse, uint64_t ref, uint64_t offset, bool plus,
                           uint8_t *ret, size_t size, size_t *ret_used)
{
    struct sqfs_entry dots[2] = {
        {.name = ".", .name_len = 1, .ref = UINT64_MAX, .type = S_IFDIR},
        {.name = "..", .name_len = 2, .ref = UINT64_MAX, .type = S_IFDIR},
    };
    const struct sqfs_list *list = find_list(fuse, ref);
    struct sqfs_node node;
    size_t used = 0;
    struct err err;

    if (list == NULL || !sqfs_image_node(fuse->image, ref, &node, &err))
        return false;
    dots[0].ino = node.ino;
    dots[1].ino = node.parent_ino;
    for (uint64_t i = offset; i < list->count + 2; i++) {
        const struct sqfs_entry *entry = i < 2 ? &dots[i] : &list->entries[i - 2];
        size_t put = put_entry(fuse, ret + used, size - used, entry, i + 1, plus);

        if (put == 0)
            break;
        used += put;
    }
    *ret_used = used;
    return true;
}

static void do_readdir(struct worker *worker, const struct fuse_in_header *in, const void *arg)
{
    struct fuse *fuse = worker->fuse;
    const struct fuse_read_in *want = arg;
    size_t size = want->size < READ_MAX ? want->size : READ_MAX;
    bool ok;

    (void)pthread_mutex_lock(&fuse->lock);
    ok = fill_directory(fuse, ref_of(fuse, in->nodeid), want->offset,
                        in->opcode == FUSE_READDIRPLUS, worker->reply, size, &size);
    (void)pthread_mutex_unlock(&fuse->lock);
    if (ok)
        reply(worker, in, 0, worker->reply, size);
    else
        reply_error(worker, in, EIO);
}

static void do_statfs(struct worker *worker, const struct fuse_in_header *in)
{
    const struct sqfs_image *image = worker->fuse->image;
    uint32_t block = sqfs_image_block_size(image);
    struct fuse_statfs_out out = {.st = {
                                      .blocks = (sqfs_image_bytes(image) + block - 1) / block,
                                      .files = sqfs_image_inodes(image),
                                      .bsize = block,
                                      .frsize = block,
                                      .namelen = SQFS_NAME_MAX,
                                  }};

    reply(worker, in, 0, &out, sizeof(out));
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
    case FUSE_ACCESS:
        return sizeof(struct fuse_access_in);
    case FUSE_GETXATTR:
    case FUSE_LISTXATTR:
        return sizeof(struct fuse_getxattr_in);
    default:
        return 0;
    }
}

static void answer(struct worker *worker, const struct fuse_in_header *in, const void *arg,
                   size_t size)
{
    switch (in->opcode) {
    case FUSE_INIT:
        return do_init(worker, in, arg);
    case FUSE_LOOKUP:
        return do_lookup(worker, in, arg, size);
    case FUSE_GETATTR:
        return do_getattr(worker, in);
    case FUSE_ACCESS:
        return do_access(worker, in, arg);
    case FUSE_READLINK:
        return do_readlink(worker, in);
    case FUSE_OPEN:
        return do_open(worker, in, worker->fuse->no_open);
    case FUSE_OPENDIR:
        return do_open(worker, in, worker->fuse->no_opendir);
    case FUSE_READ:
        return do_read(worker, in, arg);
    case FUSE_READDIR:
    case FUSE_READDIRPLUS:
        return do_readdir(worker, in, arg);
    case FUSE_GETXATTR:
        return do_getxattr(worker, in, arg, size);
    case FUSE_LISTXATTR:
        return do_listxattr(worker, in, arg);
    case FUSE_STATFS:
        return do_statfs(worker, in);
    case FUSE_RELEASE:
    case FUSE_RELEASEDIR:
    case FUSE_DESTROY:
        return reply_error(worker, in, 0);
    case FUSE_IOCTL:
        return reply_error(worker, in, ENOTTY);
    case FUSE_FORGET:
    case FUSE_BATCH_FORGET:
    case FUSE_INTERRUPT:
        return; /* these have no reply */
    default:
        return reply_error(worker, in, ENOSYS);
    }
}

static void tell_gone(const struct fuse *fuse)
{
    uint64_t one = 1;
    ssize_t put = write(fuse->gone_fd, &one, sizeof(one));

    (void)put; /* only a full counter can refuse: it is readable then */
}

static void start_others(struct fuse *fuse, int fd);

static void *work(void *arg)
{
    struct worker *worker = arg;
    unsigned int alone = worker->is_first ? ALONE : 0;

    for (;;) {
        const struct fuse_in_header *in = (const struct fuse_in_header *)worker->request;
        ssize_t got = read(worker->fd, worker->request, sizeof(worker->request));

        /* ENOENT: the request was interrupted before we read it. */
        if (got < 0 && (errno == EINTR || errno == ENOENT || errno == EAGAIN))
            continue;
        if (got < (ssize_t)sizeof(*in))
            break;
        if ((size_t)got - sizeof(*in) < argument_size(in->opcode))
            reply_error(worker, in, EIO);
        else
            answer(worker, in, in + 1, (size_t)got - sizeof(*in));
        if (alone > 0 && --alone == 0)
            start_others(worker->fuse, worker->fd);
    }
    tell_gone(worker->fuse);
    return NULL;
}

/* A descriptor of its own spares the threads a lock in the kernel; it is a luxury. */
static int clone_device(int fd)
{
    int clone = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    uint32_t source = (uint32_t)fd;

    /* The C libraries disagree about the type of ioctl's second argument. */
    if (clone >= 0 && syscall(SYS_ioctl, clone, FUSE_DEV_IOC_CLONE, &source) == 0)
        return clone;
    if (clone >= 0)
        (void)close(clone);
    return fd;
}

static bool start_worker(struct fuse *fuse, int fd, bool is_first)
{
    struct worker *worker = calloc(1, sizeof(*worker));
    pthread_t thread;

    if (worker != NULL && (worker->reply = malloc(READ_MAX)) != NULL) {
        worker->fuse = fuse;
        worker->fd = fd;
        worker->is_first = is_first;
        if (pthread_create(&thread, NULL, work, worker) == 0)
            return pthread_detach(thread) == 0;
        free(worker->reply);
    }
    free(worker);
    return false;
}

/* More threads than processors only take turns. */
static size_t count_workers(void)
{
    size_t count = process_cpus();

    return count < WORKERS_MIN ? WORKERS_MIN : count > WORKERS_MAX ? WORKERS_MAX : count;
}

/* One thread serves all; the others make it faster. */
static void start_others(struct fuse *fuse, int fd)
{
    size_t count = count_workers();

    fuse->ahead = ahead_start(fuse->image);
    for (size_t i = 1; i < count; i++)
        if (!start_worker(fuse, clone_device(fd), false))
            break;
}

bool fuse_start(struct fuse **ret, int fd, struct sqfs_image *image, bool own_ids, uid_t uid,
                gid_t gid, struct err *err)
{
    struct fuse *fuse = calloc(1, sizeof(*fuse));

    if (fuse == NULL || (fuse->gone_fd = eventfd(0, EFD_CLOEXEC)) < 0) {
        free(fuse);
        return err_sys(err, "starting the server");
    }
    fuse->image = image;
    fuse->own_ids = own_ids;
    fuse->uid = uid;
    fuse->gid = gid;
    (void)pthread_mutex_init(&fuse->lock, NULL);
    if (!start_worker(fuse, fd, true))
        return err_sys(err, "starting the server");
    *ret = fuse;
    return true;
}

int fuse_gone_fd(const struct fuse *fuse)
{
    return fuse->gone_fd;
}
