/* SPDX-License-Identifier: MIT */
#include "runtime/keeper/progress.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { INTERVAL_MS = 100 };

static uint64_t now_ms(void)
{
    struct timespec now = {0};

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void progress_size(uint64_t bytes, char ret[PROGRESS_SIZE])
{
    (void)snprintf(ret, PROGRESS_SIZE, "%.1f %s",
                   (double)bytes / (bytes >= 1000000000 ? 1e9
                                    : bytes >= 1000000  ? 1e6
                                                        : 1e3),
                   bytes >= 1000000000 ? "GB"
                   : bytes >= 1000000  ? "MB"
                                       : "kB");
}

void progress_begin(struct progress *progress, const char *what, uint64_t total_bytes)
{
    *progress = (struct progress){
        .what = what, .total_bytes = total_bytes, .is_shown = isatty(STDERR_FILENO) == 1};
}

void progress_add(struct progress *progress, uint64_t bytes)
{
    char done[PROGRESS_SIZE];
    char total[PROGRESS_SIZE];
    uint64_t now;

    progress->done_bytes += bytes;
    if (!progress->is_shown)
        return;
    now = now_ms();
    if (now - progress->shown_ms < INTERVAL_MS)
        return;
    progress->shown_ms = now;
    progress_size(progress->done_bytes, done);
    progress_size(progress->total_bytes, total);
    fprintf(stderr, "\r%s   %s of %s \033[K", progress->what, done, total);
}

void progress_end(struct progress *progress)
{
    if (progress->is_shown && progress->shown_ms > 0)
        fputs("\r\033[K", stderr);
    progress->is_shown = false;
}
