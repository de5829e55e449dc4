/* SPDX-License-Identifier: MIT */
#include "runtime/stub/ahead.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/err.h"
#include "runtime/stub/process.h"
#include "runtime/stub/sqfs.h"

enum {
    STREAMS = 4, /* readers told apart */
    JOBS = 4,    /* what is not reached in time is not worth doing */
};

/* One reader's last request. */
struct stream {
    uint64_t ref;
    uint64_t end;
    uint64_t stamp;
    bool in_order; /* this file followed the one before in the image */
};

struct job {
    uint64_t ref;
    uint64_t offset;
};

struct ahead {
    struct sqfs_image *image;
    pthread_mutex_t lock; /* of all that follows */
    pthread_cond_t wanted;
    uint64_t clock;
    struct stream streams[STREAMS];
    struct job jobs[JOBS]; /* a stack: the newest is the most urgent */
    size_t job_count;
};

static void *work(void *arg)
{
    struct ahead *ahead = arg;

    (void)pthread_mutex_lock(&ahead->lock);
    for (;;) {
        struct job job;

        while (ahead->job_count == 0)
            (void)pthread_cond_wait(&ahead->wanted, &ahead->lock);
        job = ahead->jobs[--ahead->job_count];
        (void)pthread_mutex_unlock(&ahead->lock);
        sqfs_image_prefetch(ahead->image, job.ref, job.offset);
        (void)pthread_mutex_lock(&ahead->lock);
    }
    return NULL;
}

struct ahead *ahead_start(struct sqfs_image *image)
{
    struct ahead *ahead = process_cpus() > 1 ? calloc(1, sizeof(*ahead)) : NULL;
    pthread_t thread;

    if (ahead == NULL)
        return NULL;
    ahead->image = image;
    (void)pthread_mutex_init(&ahead->lock, NULL);
    (void)pthread_cond_init(&ahead->wanted, NULL);
    for (size_t i = 0; i < STREAMS; i++)
        ahead->streams[i].ref = SQFS_NO_REF;
    if (pthread_create(&thread, NULL, work, ahead) != 0) {
        free(ahead);
        return NULL;
    }
    (void)pthread_detach(thread);
    return ahead;
}

/* The stream that this request continues, or else the oldest, made anew for it. *ret_sequential
 * tells whether it is continued inside of one file. */
static struct stream *find_stream(struct ahead *ahead, uint64_t ref, uint64_t offset,
                                  bool *ret_sequential)
{
    struct stream *oldest = &ahead->streams[0];

    *ret_sequential = false;
    for (size_t i = 0; i < STREAMS; i++) {
        struct stream *stream = &ahead->streams[i];

        if (stream->ref == ref) {
            *ret_sequential = offset > 0 && stream->end == offset;
            return stream;
        }
        if (offset == 0 && stream->ref != SQFS_NO_REF &&
            sqfs_image_next(ahead->image, stream->ref) == ref) {
            *stream = (struct stream){.ref = ref, .in_order = true};
            return stream;
        }
        if (stream->stamp < oldest->stamp)
            oldest = stream;
    }
    *oldest = (struct stream){.ref = ref};
    return oldest;
}

static void add_job(struct ahead *ahead, uint64_t ref, uint64_t offset)
{
    if (ref == SQFS_NO_REF)
        return;
    if (ahead->job_count == JOBS) {
        for (size_t i = 1; i < JOBS; i++)
            ahead->jobs[i - 1] = ahead->jobs[i];
        ahead->job_count--;
    }
    ahead->jobs[ahead->job_count++] = (struct job){ref, offset};
    (void)pthread_cond_signal(&ahead->wanted);
}

void ahead_note(struct ahead *ahead, uint64_t ref, uint64_t offset, size_t size)
{
    struct sqfs_node node;
    struct stream *stream;
    struct err err;
    bool sequential;

    if (ahead == NULL || !sqfs_image_node(ahead->image, ref, &node, &err))
        return;
    (void)pthread_mutex_lock(&ahead->lock);
    stream = find_stream(ahead, ref, offset, &sequential);
    stream->end = offset + size;
    stream->stamp = ++ahead->clock;
    if (stream->end < node.size) {
        if (sequential)
            add_job(ahead, ref, stream->end);
    } else if (stream->in_order) {
        add_job(ahead, sqfs_image_next(ahead->image, ref), 0);
    }
    (void)pthread_mutex_unlock(&ahead->lock);
}
