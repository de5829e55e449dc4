/* SPDX-License-Identifier: MIT */
#include "bundler/ahead.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "bundler/image.h"
#include "bundler/plan.h"
#include "common/xalloc.h"

struct ahead {
    pthread_t thread;
    char **files;
    size_t count;
    int level;
    atomic_bool is_over;
};

static void *compress(void *context)
{
    struct ahead *ahead = context;

    image_compress_ahead((const char *const *)ahead->files, ahead->count, ahead->level,
                         &ahead->is_over);
    return NULL;
}

static void release(struct ahead *ahead)
{
    for (size_t i = 0; i < ahead->count; i++)
        free(ahead->files[i]);
    free(ahead->files);
    free(ahead);
}

struct ahead *ahead_begin(const struct plan *plan, int level)
{
    struct ahead *ahead;

    if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
        return NULL;
    ahead = xcalloc(1, sizeof(*ahead));
    ahead->files = xcalloc(plan->count + 1, sizeof(*ahead->files));
    ahead->level = level;
    for (size_t i = 0; i < plan->count; i++)
        if (plan->entries[i]->type == PLAN_FILE)
            ahead->files[ahead->count++] = xstrdup(plan->entries[i]->source);
    if (pthread_create(&ahead->thread, NULL, compress, ahead) == 0)
        return ahead;
    release(ahead);
    return NULL;
}

void ahead_end(struct ahead *ahead)
{
    if (ahead == NULL)
        return;
    atomic_store(&ahead->is_over, true);
    (void)pthread_join(ahead->thread, NULL);
    release(ahead);
}
