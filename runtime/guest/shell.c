/* SPDX-License-Identifier: MIT */
/*
 * system(3) and popen(3): inside libc, whose own exec functions no preload object reaches. Their
 * shell is not ours, so it gets the user's environment as in exec.c; where that is ours as it is,
 * libc's functions are called. Otherwise they do what POSIX says of them, as glibc does it.
 *
 * Ruby calls neither; extensions in C and other programs do.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"

enum { STREAMS_MAX = 256, NOT_FOUND = 127 << 8 };

extern char **environ;

static struct {
    int (*system)(const char *command);
    FILE *(*popen)(const char *command, const char *mode);
    int (*pclose)(FILE *stream);
} libc;

void shell_init(void)
{
    libc.system = (int (*)(const char *))guest_next("system");
    libc.popen = (FILE * (*)(const char *, const char *)) guest_next("popen");
    libc.pclose = (int (*)(FILE *))guest_next("pclose");
}

/* The process that has it, or 0. A child that was forked meanwhile has its parent's: the thread
 * that would give it back is not in the child, so it is taken over. */
static _Atomic pid_t holder;

static void lock(void)
{
    pid_t self = getpid();

    for (;;) {
        pid_t found = 0;

        if (atomic_compare_exchange_strong(&holder, &found, self) ||
            (found != self && atomic_compare_exchange_strong(&holder, &found, self)))
            return;
        (void)sched_yield();
    }
}

static void unlock(void)
{
    atomic_store(&holder, 0);
}

static int start_shell(pid_t *pid, const char *command, const posix_spawn_file_actions_t *actions,
                       const posix_spawnattr_t *attributes)
{
    char *argv[] = {(char *)"sh", (char *)"-c", (char *)command, NULL};

    return exec_spawn(pid, "/bin/sh", actions, attributes, argv, environ);
}

static int wait_for(pid_t pid)
{
    int status;

    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return status;
}

/* While at least one thread is in system(), these signals are the shell's alone. */
static struct {
    int count;
    struct sigaction interrupt;
    struct sigaction quit;
} ignored;

static void ignore_signals(sigset_t *ret_defaults)
{
    struct sigaction ignore;

    memset(&ignore, 0, sizeof(ignore));
    ignore.sa_handler = SIG_IGN;
    (void)sigemptyset(&ignore.sa_mask);
    lock();
    if (ignored.count++ == 0) {
        (void)sigaction(SIGINT, &ignore, &ignored.interrupt);
        (void)sigaction(SIGQUIT, &ignore, &ignored.quit);
    }
    (void)sigemptyset(ret_defaults);
    if (ignored.interrupt.sa_handler != SIG_IGN)
        (void)sigaddset(ret_defaults, SIGINT);
    if (ignored.quit.sa_handler != SIG_IGN)
        (void)sigaddset(ret_defaults, SIGQUIT);
    unlock();
}

static void heed_signals(void)
{
    lock();
    if (--ignored.count == 0) {
        (void)sigaction(SIGINT, &ignored.interrupt, NULL);
        (void)sigaction(SIGQUIT, &ignored.quit, NULL);
    }
    unlock();
}

GUEST_EXPORT int system(const char *command)
{
    posix_spawnattr_t attributes;
    sigset_t defaults, child, before;
    pid_t pid;
    int result, status;

    guest_prepare();
    if (command == NULL || !exec_restores(environ))
        return libc.system(command);
    result = posix_spawnattr_init(&attributes);
    if (result != 0) {
        errno = result;
        return -1;
    }
    ignore_signals(&defaults);
    (void)sigemptyset(&child);
    (void)sigaddset(&child, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &child, &before);
    (void)posix_spawnattr_setsigmask(&attributes, &before);
    (void)posix_spawnattr_setsigdefault(&attributes, &defaults);
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    result = start_shell(&pid, command, NULL, &attributes);
    status = result == 0 ? wait_for(pid) : NOT_FOUND;
    if (result == 0)
        result = errno;
    (void)posix_spawnattr_destroy(&attributes);
    heed_signals();
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    errno = result;
    return status;
}

/* What pclose() has to wait for. */
static struct {
    FILE *stream; /* NULL: free */
    pid_t pid;
    int fd;
} streams[STREAMS_MAX];

/* -1: all are taken. */
static int free_slot(void)
{
    for (int i = 0; i < STREAMS_MAX; i++)
        if (streams[i].stream == NULL)
            return i;
    return -1;
}

/* A new stream stands where one was that was closed by fclose(). Under the lock. */
static void forget_stream(const FILE *stream)
{
    for (int i = 0; i < STREAMS_MAX; i++)
        if (streams[i].stream == stream)
            streams[i].stream = NULL;
}

/* ours: the end that stays, theirs: the shell's, to become its descriptor `at`. Under the lock. */
static int start_piped(pid_t *pid, const char *command, int theirs, int at)
{
    posix_spawn_file_actions_t actions;
    int result = posix_spawn_file_actions_init(&actions);

    if (result != 0)
        return result;
    result = posix_spawn_file_actions_adddup2(&actions, theirs, at);
    /* POSIX: streams of earlier calls are closed in the new process. */
    for (int i = 0; result == 0 && i < STREAMS_MAX; i++)
        if (streams[i].stream != NULL && streams[i].fd != at)
            result = posix_spawn_file_actions_addclose(&actions, streams[i].fd);
    if (result == 0)
        result = start_shell(pid, command, &actions, NULL);
    (void)posix_spawn_file_actions_destroy(&actions);
    return result;
}

/* Under the lock. */
static FILE *open_stream(const char *command, bool reads, bool closes)
{
    int slot = free_slot();
    int ends[2];
    int ours, theirs, result;
    FILE *stream;
    pid_t pid;

    if (slot < 0) {
        errno = EMFILE;
        return NULL;
    }
    if (pipe2(ends, O_CLOEXEC) != 0)
        return NULL;
    ours = ends[reads ? 0 : 1];
    theirs = ends[reads ? 1 : 0];
    stream = fdopen(ours, reads ? "r" : "w");
    result = stream == NULL ? errno : start_piped(&pid, command, theirs, reads ? 1 : 0);
    (void)close(theirs);
    if (result != 0) {
        (void)(stream != NULL ? fclose(stream) : close(ours));
        errno = result;
        return NULL;
    }
    if (!closes)
        (void)fcntl(ours, F_SETFD, 0);
    forget_stream(stream);
    streams[slot].stream = stream;
    streams[slot].pid = pid;
    streams[slot].fd = ours;
    return stream;
}

/* One r or w, and perhaps an e: fopen()'s close-on-exec. */
GUEST_EXPORT FILE *popen(const char *command, const char *mode)
{
    bool closes = strchr(mode, 'e') != NULL;
    FILE *stream;

    guest_prepare();
    if (!exec_restores(environ) || (mode[0] != 'r' && mode[0] != 'w') ||
        strcmp(mode + 1, closes ? "e" : "") != 0) {
        stream = libc.popen(command, mode);
        lock();
        forget_stream(stream);
    } else {
        lock();
        stream = open_stream(command, mode[0] == 'r', closes);
    }
    unlock();
    return stream;
}

static pid_t take_stream(const FILE *stream)
{
    pid_t pid = 0;

    lock();
    for (int i = 0; i < STREAMS_MAX && pid == 0; i++) {
        if (streams[i].stream == stream && stream != NULL) {
            pid = streams[i].pid;
            streams[i].stream = NULL;
        }
    }
    unlock();
    return pid;
}

GUEST_EXPORT int pclose(FILE *stream)
{
    pid_t pid;

    guest_prepare();
    pid = take_stream(stream);
    if (pid == 0)
        return libc.pclose(stream);
    (void)fclose(stream);
    return wait_for(pid);
}
