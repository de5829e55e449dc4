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
    struct image_filler *filler;
    atomic_bool is_over;
};

static void *compress(void *context)
{
    struct ahead *ahead = context;

    for (size_t i = 0; i < ahead->count && !atomic_load(&ahead->is_over); i++)
        image_filler_take(ahead->filler, ahead->files[i], &ahead->is_over);
    return NULL;
}

static void release(struct ahead *ahead)
{
    for (size_t i = 0; i < ahead->count; i++)
        free(ahead->files[i]);
    free(ahead->files);
    image_filler_free(ahead->filler);
    free(ahead);
}

struct ahead *ahead_begin(const struct plan *plan, int level)
{
    struct image_filler *filler =
        sysconf(_SC_NPROCESSORS_ONLN) < 2 ? NULL : image_filler_new(level);
    struct ahead *ahead;

    if (filler == NULL)
        return NULL;
    ahead = xcalloc(1, sizeof(*ahead));
    ahead->filler = filler;
    ahead->files = xcalloc(plan->count + 1, sizeof(*ahead->files));
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
