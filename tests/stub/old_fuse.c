/* SPDX-License-Identifier: MIT */
/*
 * The FUSE server against kernels that know less of the protocol: old_fuse IMAGE
 *
 * A socket pair stands for /dev/fuse, we for the kernel. Each age of the protocol is greeted with
 * its minor version and only the flags that it had; then "text", a file in the image's root, is
 * found and read as such a kernel would. The linked objects are the stub's own.
 *
 * Ages: linux/fuse.h, "Protocol changelog". Linux 4.18 has 7.27.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/fuse.h>

#include "common/err.h"
#include "runtime/stub/fuse.h"
#include "runtime/stub/sqfs.h"

#define NAME "text"
#define CONTENT "a file of the image\n"

enum { REPLY_MAX = 1 << 16, LIMIT_SECONDS = 20, SHORT_INIT = 24 };

static const struct age {
    uint32_t minor;
    uint32_t flags;
} ages[] = {
    {22, FUSE_ASYNC_READ},
    {23, FUSE_ASYNC_READ | FUSE_NO_OPEN_SUPPORT},
    {27, FUSE_ASYNC_READ | FUSE_DO_READDIRPLUS | FUSE_NO_OPEN_SUPPORT | FUSE_PARALLEL_DIROPS},
    {28, FUSE_ASYNC_READ | FUSE_DO_READDIRPLUS | FUSE_MAX_PAGES | FUSE_CACHE_SYMLINKS},
    {31, FUSE_ASYNC_READ | FUSE_DO_READDIRPLUS | FUSE_NO_OPEN_SUPPORT | FUSE_NO_OPENDIR_SUPPORT |
             FUSE_MAX_PAGES},
    {99, UINT32_MAX}, /* a kernel of the future, which has every flag */
};

struct kernel {
    int fd;
    uint64_t unique;
    const struct age *age;
    uint32_t granted; /* flags */
    struct {
        struct fuse_out_header header;
        uint8_t data[REPLY_MAX];
    } reply;
    size_t size; /* of the reply's data */
};

[[gnu::noreturn]] static void fail(const struct kernel *kernel, const char *what)
{
    fprintf(stderr, "old_fuse: minor %u: %s\n", kernel->age->minor, what);
    exit(1);
}

static void demand(const struct kernel *kernel, bool is_so, const char *what)
{
    if (!is_so)
        fail(kernel, what);
}

/* Returns the error, as a positive number. */
static int ask(struct kernel *kernel, uint32_t opcode, uint64_t node, const void *data, size_t size)
{
    struct {
        struct fuse_in_header header;
        uint8_t data[256];
    } request = {.header = {.len = (uint32_t)(sizeof(request.header) + size),
                            .opcode = opcode,
                            .unique = ++kernel->unique,
                            .nodeid = node}};
    ssize_t got;

    memcpy(request.data, data, size);
    demand(kernel, write(kernel->fd, &request, request.header.len) == (ssize_t)request.header.len,
           "cannot ask");
    got = read(kernel->fd, &kernel->reply, sizeof(kernel->reply));
    demand(kernel,
           got >= (ssize_t)sizeof(kernel->reply.header) &&
               kernel->reply.header.len == (size_t)got &&
               kernel->reply.header.unique == kernel->unique,
           "the reply is malformed");
    kernel->size = (size_t)got - sizeof(kernel->reply.header);
    return -kernel->reply.header.error;
}

static void greet(struct kernel *kernel)
{
    struct fuse_init_in wish = {.major = FUSE_KERNEL_VERSION,
                                .minor = kernel->age->minor,
                                .max_readahead = 128 << 10,
                                .flags = kernel->age->flags};
    struct fuse_init_out answer = {0};
    /* Flags in a second word came with 7.36; before, the request was shorter. */
    size_t size = kernel->age->minor < 36 ? 16 : sizeof(wish);

    demand(kernel, ask(kernel, FUSE_INIT, 0, &wish, size) == 0, "INIT is refused");
    demand(kernel,
           kernel->size == (kernel->age->minor < 23 ? SHORT_INIT : sizeof(struct fuse_init_out)),
           "the reply to INIT has another size");
    memcpy(&answer, kernel->reply.data, kernel->size);
    demand(kernel, answer.major == FUSE_KERNEL_VERSION, "major");
    demand(kernel, answer.minor <= kernel->age->minor, "the server believes itself ahead of us");
    demand(kernel, (answer.flags & ~kernel->age->flags) == 0, "flags that were not offered");
    kernel->granted = answer.flags;
}

static uint64_t look_up(struct kernel *kernel)
{
    struct fuse_entry_out entry;

    demand(kernel, ask(kernel, FUSE_LOOKUP, FUSE_ROOT_ID, NAME, sizeof(NAME)) == 0, "LOOKUP");
    demand(kernel, kernel->size == sizeof(entry), "LOOKUP: size");
    memcpy(&entry, kernel->reply.data, sizeof(entry));
    demand(kernel, S_ISREG(entry.attr.mode) && entry.attr.size == strlen(CONTENT), "attributes");
    return entry.nodeid;
}

static void read_file(struct kernel *kernel, uint64_t node)
{
    struct fuse_open_in open = {0};
    struct fuse_read_in want = {.size = 4096};
    int error = ask(kernel, FUSE_OPEN, node, &open, sizeof(open));

    demand(kernel, error == 0 || (error == ENOSYS && (kernel->granted & FUSE_NO_OPEN_SUPPORT) != 0),
           "OPEN is refused, which this kernel takes for an error");
    demand(kernel, ask(kernel, FUSE_READ, node, &want, sizeof(want)) == 0, "READ");
    demand(kernel,
           kernel->size == strlen(CONTENT) &&
               memcmp(kernel->reply.data, CONTENT, kernel->size) == 0,
           "READ: content");
}

static void read_directory(struct kernel *kernel)
{
    struct fuse_open_in open = {0};
    struct fuse_read_in want = {.size = 4096};
    bool plus = (kernel->granted & FUSE_DO_READDIRPLUS) != 0;
    int error = ask(kernel, FUSE_OPENDIR, FUSE_ROOT_ID, &open, sizeof(open));

    demand(kernel,
           error == 0 || (error == ENOSYS && (kernel->granted & FUSE_NO_OPENDIR_SUPPORT) != 0),
           "OPENDIR is refused, which this kernel takes for an error");
    demand(kernel,
           ask(kernel, plus ? FUSE_READDIRPLUS : FUSE_READDIR, FUSE_ROOT_ID, &want, sizeof(want)) ==
               0,
           "READDIR");
    demand(kernel, memmem(kernel->reply.data, kernel->size, NAME, strlen(NAME)) != NULL,
           "READDIR: names");
}

static void live_through(const struct age *age, struct sqfs_image *image)
{
    static struct kernel kernel;
    struct fuse *fuse = NULL;
    struct err err = {0};
    int ends[2];

    kernel = (struct kernel){.age = age};
    demand(&kernel, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0, "sockets");
    kernel.fd = ends[0];
    demand(&kernel, fuse_start(&fuse, ends[1], image, false, 0, 0, &err), "the server");
    greet(&kernel);
    read_file(&kernel, look_up(&kernel));
    read_directory(&kernel);
    (void)close(kernel.fd); /* the server's threads end; its end of the pair stays theirs */
}

int main(int argc, char **argv)
{
    struct sqfs_image *image = NULL;
    struct err err = {0};
    struct stat st;
    int fd = argc == 2 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;

    (void)alarm(LIMIT_SECONDS);
    if (fd < 0 || fstat(fd, &st) != 0 ||
        !sqfs_image_open(&image, fd, 0, (uint64_t)st.st_size, &err)) {
        fprintf(stderr, "old_fuse: no image: %s\n", err.msg);
        return 1;
    }
    for (size_t i = 0; i < sizeof(ages) / sizeof(ages[0]); i++)
        live_through(&ages[i], image);
    printf("%zu ages\n", sizeof(ages) / sizeof(ages[0]));
    (void)fflush(stdout);
    _exit(0); /* what the servers hold is theirs to the end: nothing to be searched for leaks */
}
