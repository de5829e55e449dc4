/* SPDX-License-Identifier: MIT */
#include "bundler/progress.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bundler/report.h"
#include "bundler/terminal.h"
#include "common/cleanup.h"
#include "common/proc.h"
#include "common/xalloc.h"

/* Rates are of all the time: what comes from the cache is done at once, and the rest is not. */
enum { DRAW_US = 100 * 1000, FIRST_US = 300 * 1000, BAR = 22, LINE_BYTES = 1024 };

struct progress {
    const char *phase;
    const char *what;
    uint64_t total_bytes;
    uint64_t began_us;
    uint64_t drawn_us;
    bool has_thread;
    bool is_over;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t over;
};

/* By write(2): a process that is forked meanwhile must not find the stream locked. By threads, too,
 * so without xalloc.h. */
static void draw(const char *line)
{
    char all[LINE_BYTES];

    (void)snprintf(all, sizeof(all), TERMINAL_CLEAR "%.*s",
                   (int)terminal_columns(STDERR_FILENO) - 1, line);
    (void)!write(STDERR_FILENO, all, strlen(all));
}

static char *left_text(const struct progress *progress, uint64_t done_bytes, uint64_t used_us)
{
    uint64_t left_bytes = progress->total_bytes - done_bytes;
    double seconds = (double)used_us / 1e6 * (double)left_bytes / (double)done_bytes;

    if (seconds < 1)
        return xstrdup("");
    return seconds < 100 ? xasprintf("   %.0f s left", seconds)
                         : xasprintf("   %.0f min left", seconds / 60);
}

static void draw_bytes(const struct progress *progress, uint64_t done_bytes, uint64_t used_us)
{
    cleanup_free char *done = report_size(done_bytes);
    cleanup_free char *total = report_size(progress->total_bytes);
    cleanup_free char *rate = report_size((uint64_t)((double)done_bytes / ((double)used_us / 1e6)));
    cleanup_free char *left = left_text(progress, done_bytes, used_us);
    double share = (double)done_bytes / (double)progress->total_bytes;
    char bar[BAR + 1];
    cleanup_free char *line = NULL;

    memset(bar, '-', BAR);
    bar[BAR] = '\0';
    memset(bar, '#', (size_t)(share * BAR));
    line = xasprintf("%-8s %s %3.0f %%   %s of %s   %s/s%s", progress->phase, bar, share * 100,
                     done, total, rate, left);
    draw(line);
}

void progress_step(uint64_t done_bytes, void *context)
{
    struct progress *progress = context;
    uint64_t now = proc_clock_us();

    if (progress == NULL || now - progress->drawn_us < DRAW_US ||
        now - progress->began_us < FIRST_US || done_bytes == 0)
        return;
    progress->drawn_us = now;
    if (done_bytes > progress->total_bytes)
        done_bytes = progress->total_bytes;
    draw_bytes(progress, done_bytes, now - progress->began_us);
}

static void draw_time(const struct progress *progress)
{
    uint64_t used_us = proc_clock_us() - progress->began_us;
    char line[LINE_BYTES];

    if (used_us < FIRST_US)
        return;
    (void)snprintf(line, sizeof(line), "%-8s %s, %.0f s", progress->phase, progress->what,
                   (double)used_us / 1e6);
    draw(line);
}

static void *tick(void *context)
{
    struct progress *progress = context;
    struct timespec until;

    (void)pthread_mutex_lock(&progress->mutex);
    (void)clock_gettime(CLOCK_REALTIME, &until);
    while (!progress->is_over) {
        until.tv_nsec += (long)FIRST_US * 1000;
        if (until.tv_nsec >= 1000000000) {
            until.tv_nsec -= 1000000000;
            until.tv_sec++;
        }
        while (!progress->is_over &&
               pthread_cond_timedwait(&progress->over, &progress->mutex, &until) != ETIMEDOUT)
            continue;
        if (!progress->is_over)
            draw_time(progress);
    }
    (void)pthread_mutex_unlock(&progress->mutex);
    return NULL;
}

/* Signals are for the thread that works. */
static void start_thread(struct progress *progress)
{
    sigset_t all;
    sigset_t before;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, &before);
    (void)pthread_mutex_init(&progress->mutex, NULL);
    (void)pthread_cond_init(&progress->over, NULL);
    progress->has_thread = pthread_create(&progress->thread, NULL, tick, progress) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

struct progress *progress_begin(const struct report *report, const char *phase, const char *what,
                                uint64_t total_bytes)
{
    struct progress *progress;

    if (report->quiet || !terminal_is_live(STDERR_FILENO))
        return NULL;
    progress = xcalloc(1, sizeof(*progress));
    *progress = (struct progress){
        .phase = phase, .what = what, .total_bytes = total_bytes, .began_us = proc_clock_us()};
    if (total_bytes == 0)
        start_thread(progress);
    return progress;
}

void progress_end(struct progress *progress)
{
    if (progress == NULL)
        return;
    if (progress->has_thread) {
        (void)pthread_mutex_lock(&progress->mutex);
        progress->is_over = true;
        (void)pthread_cond_signal(&progress->over);
        (void)pthread_mutex_unlock(&progress->mutex);
        (void)pthread_join(progress->thread, NULL);
    }
    draw("");
    free(progress);
}
