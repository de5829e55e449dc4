/* SPDX-License-Identifier: MIT */
#include "common/unfinished.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/err.h"
#include "common/fs.h"

static const int ending_signals[] = {SIGINT, SIGTERM, SIGHUP};

enum { SIGNALS = sizeof(ending_signals) / sizeof(ending_signals[0]) };

/* A handler has nothing but globals; each slot changes in one store. */
static const char *volatile watched[UNFINISHED_MAX];
static struct sigaction before[SIGNALS];
static size_t watched_count;
static const char *volatile trees[UNFINISHED_MAX];
static pid_t owner; /* 0: nothing was watched yet */

static void remove_watched(void)
{
    for (size_t i = UNFINISHED_MAX; i-- > 0;) {
        const char *path = watched[i];

        if (path != NULL && unlink(path) != 0 && (errno == EISDIR || errno == EPERM))
            (void)rmdir(path);
    }
}

static void remove_at_signal(int signal_number)
{
    remove_watched();
    /* SA_RESETHAND has restored the default action; it waits until we return. */
    (void)raise(signal_number);
}

static void install(void)
{
    struct sigaction action = {.sa_handler = remove_at_signal, .sa_flags = (int)SA_RESETHAND};

    for (size_t i = 0; i < SIGNALS; i++) {
        (void)sigaction(ending_signals[i], NULL, &before[i]);
        if (before[i].sa_handler != SIG_IGN)
            (void)sigaction(ending_signals[i], &action, NULL);
    }
}

static void restore(void)
{
    for (size_t i = 0; i < SIGNALS; i++)
        (void)sigaction(ending_signals[i], &before[i], NULL);
}

static void remove_at_exit(void)
{
    struct err ignored = {0};

    if (getpid() != owner)
        return;
    remove_watched();
    for (size_t i = UNFINISHED_MAX; i-- > 0;)
        if (trees[i] != NULL)
            (void)!fs_remove_tree(AT_FDCWD, trees[i], &ignored);
}

static void own(void)
{
    if (owner != 0)
        return;
    owner = getpid();
    (void)atexit(remove_at_exit);
}

static void keep(const char *volatile slots[UNFINISHED_MAX], const char *path)
{
    size_t slot = 0;

    own();
    while (slot < UNFINISHED_MAX && slots[slot] != NULL)
        slot++;
    assert(slot < UNFINISHED_MAX);
    slots[slot] = path;
}

void unfinished_watch_tree(const char *path)
{
    keep(trees, path);
}

void unfinished_watch(const char *path)
{
    keep(watched, path);
    if (watched_count++ == 0)
        install();
}

void unfinished_forget(const char *path)
{
    for (size_t i = 0; path != NULL && i < UNFINISHED_MAX; i++) {
        if (trees[i] == path)
            trees[i] = NULL;
        if (watched[i] != path)
            continue;
        watched[i] = NULL;
        if (--watched_count == 0)
            restore();
        return;
    }
}
