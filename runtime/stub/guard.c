/* SPDX-License-Identifier: MIT */
#include "runtime/stub/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/err.h"
#include "runtime/stub/process.h"

enum { STACK_SIZE = 96 << 10 };

/* Of the one guard that a process has. Static: what started the guarded process goes on. */
static struct {
    struct guard_job job;
    int pipe; /* its end */
    atomic_int up;
    _Alignas(16) char stack[STACK_SIZE];
} guard;

/* Until the pipe ends the guarded process is alive, and with it the storage of its thread, errno
 * among it: nothing is called here but what succeeds. */
static int run(void *context)
{
    char byte;
    ssize_t got;

    (void)context;
    (void)prctl(PR_SET_NAME, "rucksack-guard");
    process_close_fds(guard.job.keep, guard.job.keep_count);
    process_tell(&guard.up, 1);
    do {
        got = syscall(SYS_read, guard.pipe, &byte, sizeof(byte));
    } while (got < 0);
    if (got == 0)
        guard.job.deputize(guard.job.context);
    _exit(0);
}

static pid_t start(const struct guard_job *job)
{
    pid_t pid;

    if (!job->shares_memory) {
        pid = fork();
        if (pid == 0)
            (void)run(NULL);
        return pid;
    }
    pid = clone(run, guard.stack + STACK_SIZE, CLONE_VM | SIGCHLD, NULL);
    /* It has our thread-local storage until it waits. */
    if (pid > 0 && !process_await(&guard.up, pid)) {
        errno = ECHILD;
        return -1;
    }
    return pid;
}

bool guard_start(struct guard *ret, const struct guard_job *job, struct err *err)
{
    int pipes[2];

    *ret = GUARD_NONE;
    if (pipe2(pipes, O_CLOEXEC) != 0)
        return err_sys(err, "pipe");
    guard.job = *job;
    guard.job.keep[guard.job.keep_count++] = pipes[0];
    guard.pipe = pipes[0];
    guard.up = 0;
    ret->pid = start(job);
    (void)close(pipes[0]);
    if (ret->pid > 0) {
        ret->fd = pipes[1];
        return true;
    }
    (void)err_sys(err, "cannot start a process");
    (void)close(pipes[1]);
    *ret = GUARD_NONE;
    return false;
}

void guard_dismiss(struct guard *guarded)
{
    char byte = 0;
    ssize_t put;

    if (guarded->fd < 0)
        return;
    put = write(guarded->fd, &byte, sizeof(byte));
    (void)put; /* it may have been killed */
    *guarded = GUARD_NONE;
}

void guard_stop(struct guard *guarded)
{
    if (guarded->fd < 0)
        return;
    (void)kill(guarded->pid, SIGKILL);
    while (waitpid(guarded->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    (void)close(guarded->fd);
    *guarded = GUARD_NONE;
}
