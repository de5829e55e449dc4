/* SPDX-License-Identifier: MIT */
#include "runtime/stub/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "runtime/stub/process.h"
#include "runtime/stub/sqfs.h"

enum {
    CHUNK = 1 << 20,  /* a multiple of every block size */
    PIECE = 16 << 20, /* bytes of one job; a multiple of CHUNK */
    JOBS = 64,        /* waiting; each may keep a directory open */
    THREADS_MAX = 8,
    DESCRIPTORS_MIN = 512, /* with fewer everything is done by the walking thread */
};

struct writer_dir {
    struct writer_dir *parent; /* one of whose refs is ours */
    int fd;
    char *name, *path;
    struct sqfs_node node;
    bool has_node, keep;
    size_t refs; /* the walk, directories in it, files in it that are not complete */
};

struct file {
    struct writer_dir *dir;
    char *name, *path;
    struct sqfs_node node;
    int fd;
    size_t refs; /* jobs */
    bool hole_at_end;
};

struct job {
    struct file *file;
    uint64_t offset, end;
};

struct writer {
    struct sqfs_image *image;
    const struct writer_options *options;
    pthread_t threads[THREADS_MAX];
    size_t thread_count;
    char *chunk; /* of the walking thread */

    pthread_mutex_t lock; /* of all below, and of all refs */
    pthread_cond_t filled, emptied;
    struct job jobs[JOBS]; /* a ring */
    size_t first, waiting;
    bool ended, failed;
    struct err err; /* of the first failure */
};

static void lock(struct writer *writer)
{
    (void)pthread_mutex_lock(&writer->lock);
}

static void unlock(struct writer *writer)
{
    (void)pthread_mutex_unlock(&writer->lock);
}

static void fail(struct writer *writer, const struct err *err)
{
    lock(writer);
    if (!writer->failed)
        writer->err = *err;
    writer->failed = true;
    unlock(writer);
}

/* False with the first error; and when a signal wants us to stop. */
static bool check(struct writer *writer, struct err *err)
{
    bool ok;

    if (writer->options->stop != NULL && *writer->options->stop != 0) {
        errno = EINTR;
        return err_sys(err, "unpacking");
    }
    lock(writer);
    ok = !writer->failed;
    if (!ok)
        *err = writer->err;
    unlock(writer);
    return ok;
}

static bool all_zero(const char *bytes, size_t size)
{
    return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

static bool write_at(int fd, const char *bytes, size_t size, uint64_t offset)
{
    while (size > 0) {
        ssize_t put = pwrite(fd, bytes, size, (off_t)offset);

        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return false;
        bytes += put;
        size -= (size_t)put;
        offset += (uint64_t)put;
    }
    return true;
}

/* Not everybody may set these, nor does every file system have them: then they are left out. */
static bool set_xattrs(struct writer *writer, const struct sqfs_node *node, int fd, struct err *err)
{
    struct sqfs_xattrs xattrs;

    if (!sqfs_image_xattrs(writer->image, node->ref, &xattrs, err))
        return false;
    for (size_t i = 0; i < xattrs.count; i++) {
        const struct sqfs_xattr *xattr = &xattrs.entries[i];

        (void)fsetxattr(fd, xattr->name, xattr->value, xattr->value_size, 0);
    }
    sqfs_xattrs_release(&xattrs);
    return true;
}

static mode_t final_mode(const struct writer *writer, const struct sqfs_node *node)
{
    if (!writer->options->plain)
        return node->mode & 07777;
    return (node->mode & 0777) | (S_ISDIR(node->mode) ? 0700 : 0);
}

/* The mode comes after the attributes: without write permission, none could be set. */
static bool finish(struct writer *writer, const struct sqfs_node *node, int fd, const char *path,
                   struct err *err)
{
    const struct timespec times[2] = {{.tv_sec = node->mtime}, {.tv_sec = node->mtime}};

    if (!writer->options->plain && !set_xattrs(writer, node, fd, err))
        return err_wrap(err, "'%s'", path);
    if (fchmod(fd, final_mode(writer, node)) != 0 || futimens(fd, times) != 0)
        return err_sys(err, "'%s'", path);
    return true;
}

static void free_dir(struct writer_dir *dir)
{
    (void)close(dir->fd);
    free(dir->name);
    free(dir->path);
    free(dir);
}

/* The last one to leave completes the directory, and leaves its parent in turn. */
static void leave(struct writer *writer, struct writer_dir *dir)
{
    while (dir != NULL) {
        struct writer_dir *parent = dir->parent;
        struct err err;
        bool last;

        lock(writer);
        last = --dir->refs == 0;
        unlock(writer);
        if (!last)
            return;
        if (!dir->keep && parent != NULL)
            (void)unlinkat(parent->fd, dir->name, AT_REMOVEDIR);
        else if (dir->has_node && check(writer, &err) &&
                 !finish(writer, &dir->node, dir->fd, dir->path, &err))
            fail(writer, &err);
        free_dir(dir);
        dir = parent;
    }
}

static bool open_file(struct file *file, struct err *err)
{
    file->fd = openat(file->dir->fd, file->name,
                      O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    return file->fd >= 0 || err_sys(err, "cannot create '%s'", file->path);
}

/* Holes stay holes: an image may promise far more zeros than the disk holds. */
static bool copy(struct writer *writer, const struct job *job, char *chunk, struct err *err)
{
    struct file *file = job->file;
    uint64_t offset = job->offset;

    while (offset < job->end) {
        size_t want = job->end - offset < CHUNK ? (size_t)(job->end - offset) : CHUNK;
        uint64_t hole;
        size_t got;

        if (!check(writer, err))
            return false;
        if (!sqfs_image_hole(writer->image, file->node.ref, offset, job->end - offset, &hole, err))
            return err_wrap(err, "'%s'", file->path);
        if (hole == 0) {
            if (!sqfs_image_read(writer->image, file->node.ref, offset, chunk, want, &got, err))
                return err_wrap(err, "'%s'", file->path);
            if (all_zero(chunk, got))
                hole = got;
            else if (!write_at(file->fd, chunk, got, offset))
                return err_sys(err, "'%s'", file->path);
            else
                offset += got;
        }
        offset += hole;
        if (offset == file->node.size)
            file->hole_at_end = hole > 0;
    }
    return true;
}

static bool complete(struct writer *writer, struct file *file, struct err *err)
{
    if (file->hole_at_end && ftruncate(file->fd, (off_t)file->node.size) != 0)
        return err_sys(err, "'%s'", file->path);
    return finish(writer, &file->node, file->fd, file->path, err);
}

static void free_file(struct file *file)
{
    if (file->fd >= 0)
        (void)close(file->fd);
    free(file->name);
    free(file->path);
    free(file);
}

/* Does the job and gives up its part of the file. */
static void do_job(struct writer *writer, const struct job *job, char *chunk)
{
    struct file *file = job->file;
    struct err err = {0};
    bool last, ok;

    ok = check(writer, &err) && (file->fd >= 0 || open_file(file, &err)) &&
         copy(writer, job, chunk, &err);
    lock(writer);
    last = --file->refs == 0;
    ok = ok && !writer->failed;
    unlock(writer);
    if (last && ok)
        ok = complete(writer, file, &err);
    if (!ok)
        fail(writer, &err);
    if (last) {
        leave(writer, file->dir);
        free_file(file);
    }
}

static bool next_job(struct writer *writer, struct job *ret)
{
    bool found;

    lock(writer);
    while (writer->waiting == 0 && !writer->ended)
        (void)pthread_cond_wait(&writer->filled, &writer->lock);
    found = writer->waiting > 0;
    if (found) {
        *ret = writer->jobs[writer->first];
        writer->first = (writer->first + 1) % JOBS;
        writer->waiting--;
        (void)pthread_cond_signal(&writer->emptied);
    }
    unlock(writer);
    return found;
}

static void *work(void *argument)
{
    struct writer *writer = argument;
    cleanup_free char *chunk = malloc(CHUNK);
    struct err err;
    struct job job;

    if (chunk == NULL) {
        errno = ENOMEM;
        (void)err_sys(&err, "unpacking");
        fail(writer, &err);
    }
    while (next_job(writer, &job))
        do_job(writer, &job, chunk);
    return NULL;
}

static size_t count_threads(void)
{
    struct rlimit limit;
    size_t count = process_cpus();

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < DESCRIPTORS_MIN)
        return 0;
    if (count < 2)
        return 0;
    return count < THREADS_MAX ? count : THREADS_MAX;
}

bool writer_new(struct writer **ret, struct sqfs_image *image, const struct writer_options *options,
                struct err *err)
{
    struct writer *writer = calloc(1, sizeof(*writer));
    size_t wanted = count_threads();

    if (writer == NULL || (writer->chunk = malloc(CHUNK)) == NULL) {
        free(writer);
        errno = ENOMEM;
        return err_sys(err, "unpacking");
    }
    writer->image = image;
    writer->options = options;
    (void)pthread_mutex_init(&writer->lock, NULL);
    (void)pthread_cond_init(&writer->filled, NULL);
    (void)pthread_cond_init(&writer->emptied, NULL);
    while (writer->thread_count < wanted &&
           pthread_create(&writer->threads[writer->thread_count], NULL, work, writer) == 0)
        writer->thread_count++;
    *ret = writer;
    return true;
}

bool writer_end(struct writer *writer, struct err *err)
{
    bool ok;

    lock(writer);
    writer->ended = true;
    (void)pthread_cond_broadcast(&writer->filled);
    unlock(writer);
    for (size_t i = 0; i < writer->thread_count; i++)
        (void)pthread_join(writer->threads[i], NULL);
    ok = check(writer, err);
    (void)pthread_cond_destroy(&writer->filled);
    (void)pthread_cond_destroy(&writer->emptied);
    (void)pthread_mutex_destroy(&writer->lock);
    free(writer->chunk);
    free(writer);
    return ok;
}

bool writer_enter(struct writer *writer, struct writer_dir *parent, int fd, const char *name,
                  const struct sqfs_node *node, const char *path, struct writer_dir **ret,
                  struct err *err)
{
    struct writer_dir *dir = calloc(1, sizeof(*dir));

    if (dir == NULL) {
        (void)close(fd);
        return err_sys(err, "'%s'", path);
    }
    *dir = (struct writer_dir){.fd = fd, .keep = true, .refs = 1, .has_node = node != NULL};
    dir->name = strdup(name);
    dir->path = strdup(path);
    if (dir->name == NULL || dir->path == NULL) {
        free_dir(dir);
        return err_sys(err, "'%s'", path);
    }
    if (node != NULL)
        dir->node = *node;
    if (parent != NULL) {
        lock(writer);
        parent->refs++;
        unlock(writer);
        dir->parent = parent;
    }
    *ret = dir;
    return true;
}

void writer_leave(struct writer *writer, struct writer_dir *dir, bool keep)
{
    dir->keep = keep;
    leave(writer, dir);
}

int writer_dir_fd(const struct writer_dir *dir)
{
    return dir->fd;
}

static struct file *make_file(struct writer *writer, struct writer_dir *dir, const char *name,
                              const struct sqfs_node *node, const char *path)
{
    struct file *file = calloc(1, sizeof(*file));

    if (file == NULL)
        return NULL;
    *file = (struct file){.dir = dir, .fd = -1, .node = *node};
    file->name = strdup(name);
    file->path = strdup(path);
    if (file->name == NULL || file->path == NULL) {
        free_file(file);
        return NULL;
    }
    lock(writer);
    dir->refs++;
    unlock(writer);
    return file;
}

static void add_job(struct writer *writer, const struct job *job)
{
    lock(writer);
    while (writer->waiting == JOBS)
        (void)pthread_cond_wait(&writer->emptied, &writer->lock);
    writer->jobs[(writer->first + writer->waiting++) % JOBS] = *job;
    (void)pthread_cond_signal(&writer->filled);
    unlock(writer);
}

bool writer_add(struct writer *writer, struct writer_dir *dir, const char *name,
                const struct sqfs_node *node, const char *path, bool at_once, struct err *err)
{
    bool threads = writer->thread_count > 0 && !at_once;
    uint64_t size = node->size;
    struct file *file;

    if (!check(writer, err))
        return false;
    file = make_file(writer, dir, name, node, path);
    if (file == NULL)
        return err_sys(err, "'%s'", path);
    if (!threads) {
        file->refs = 1;
        do_job(writer, &(struct job){file, 0, size}, writer->chunk);
        return check(writer, err);
    }
    file->refs = size == 0 ? 1 : (size_t)((size - 1) / PIECE + 1);
    /* Pieces are written at once: one of them cannot be the one to open the file. */
    if (file->refs > 1 && !open_file(file, err)) {
        leave(writer, dir);
        free_file(file);
        return false;
    }
    for (uint64_t offset = 0; offset == 0 || offset < size; offset += PIECE)
        add_job(writer, &(struct job){file, offset, size - offset < PIECE ? size : offset + PIECE});
    return true;
}
