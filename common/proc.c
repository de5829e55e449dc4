/* SPDX-License-Identifier: MIT */
#include "common/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"

extern char **environ;

enum { READ_CHUNK = 1 << 16, WAIT_MS = 1 };

struct stream {
    int fd;
    char *data;
    size_t size;
};

/* A program that runs. */
struct proc_run {
    struct proc_request request;
    pid_t pid;
    uint64_t started_us;
    uint64_t line_us; /* when the first line was there; 0: not yet */
    bool timed_out;
    struct stream streams[2];
};

static bool grow(struct stream *stream, struct err *err)
{
    char *larger = realloc(stream->data, stream->size + READ_CHUNK + 1);

    if (larger == NULL)
        return err_sys(err, "sub-process output");
    stream->data = larger;
    return true;
}

static bool take(struct stream *stream, const struct proc_request *request, struct err *err)
{
    ssize_t length;

    if (!grow(stream, err))
        return false;
    length = read(stream->fd, stream->data + stream->size, READ_CHUNK);
    if (length < 0 && errno != EINTR)
        return err_sys(err, "'%s': read", request->argv[0]);
    if (length == 0) {
        close(steal_fd(&stream->fd));
    } else if (length > 0) {
        stream->size += (size_t)length;
        if (stream->size > request->output_max_bytes)
            return err_set(err, ERR_INPUT, "'%s' printed more than %zu bytes", request->argv[0],
                           request->output_max_bytes);
    }
    stream->data[stream->size] = '\0';
    return true;
}

uint64_t proc_clock_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Milliseconds that are left, as for poll(2): -1 is no limit, 0 is too late. */
static int time_left(const struct proc_run *run)
{
    uint64_t used_ms = (proc_clock_us() - run->started_us) / 1000;
    unsigned int limit_ms = run->request.timeout_ms;

    if (limit_ms == 0)
        return -1;
    return used_ms < limit_ms ? (int)(limit_ms - used_ms) : 0;
}

static void stop_at_line(struct proc_run *run)
{
    const struct stream *out = &run->streams[0];

    if (run->line_us != 0 || out->size == 0 || memchr(out->data, '\n', out->size) == NULL)
        return;
    run->line_us = proc_clock_us();
    kill(run->pid, SIGTERM);
}

/* A stream that nothing was read from has no text yet. */
static bool ensure_text(struct stream *stream, struct err *err)
{
    if (stream->data != NULL)
        return true;
    if (!grow(stream, err))
        return false;
    stream->data[0] = '\0';
    return true;
}

static bool collect(struct proc_run *run, struct err *err)
{
    struct stream *streams = run->streams;

    while (streams[0].fd >= 0 || streams[1].fd >= 0) {
        struct pollfd fds[2] = {{streams[0].fd, POLLIN, 0}, {streams[1].fd, POLLIN, 0}};
        int ready = poll(fds, 2, time_left(run));

        if (ready < 0 && errno != EINTR)
            return err_sys(err, "poll");
        run->timed_out = time_left(run) == 0;
        if (run->timed_out)
            return ensure_text(&streams[0], err) && ensure_text(&streams[1], err);
        for (size_t i = 0; ready > 0 && i < 2; i++) {
            if (streams[i].fd >= 0 && fds[i].revents != 0 && !take(&streams[i], &run->request, err))
                return false;
        }
        if (run->request.stops_at_line)
            stop_at_line(run);
    }
    return true;
}

static bool start(struct proc_run *run, const int out[2], const int errors[2], struct err *err)
{
    const struct proc_request *request = &run->request;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    char *const *envp = request->envp != NULL ? (char *const *)request->envp : environ;
    int failed;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, errors[1], STDERR_FILENO);
    if (request->cwd != NULL)
        posix_spawn_file_actions_addchdir_np(&actions, request->cwd);
    posix_spawnattr_init(&attributes);
    if (request->timeout_ms > 0)
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    run->started_us = proc_clock_us();
    failed = posix_spawnp(&run->pid, request->argv[0], &actions, &attributes,
                          (char *const *)request->argv, envp);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    errno = failed;
    return failed == 0 || err_sys(err, "'%s'", request->argv[0]);
}

/* With the streams closed a program can still be running. */
static int wait_for(struct proc_run *run)
{
    int status = 0;
    int flags = run->request.timeout_ms > 0 ? WNOHANG : 0;
    pid_t ended;

    while (!run->timed_out && (ended = waitpid(run->pid, &status, flags)) <= 0) {
        if (ended < 0 && errno != EINTR)
            break;
        run->timed_out = time_left(run) == 0;
        if (ended == 0)
            (void)poll(NULL, 0, WAIT_MS);
    }
    if (run->timed_out) {
        kill(-run->pid, SIGKILL);
        while (waitpid(run->pid, &status, 0) < 0 && errno == EINTR)
            continue;
    }
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

struct proc_run *proc_start(const struct proc_request *request, struct err *err)
{
    int out[2] = {-1, -1};
    int errors[2] = {-1, -1};
    struct proc_run *run = calloc(1, sizeof(*run));
    bool ok = false;

    if (run == NULL) {
        (void)err_sys(err, "'%s'", request->argv[0]);
        return NULL;
    }
    *run = (struct proc_run){.request = *request, .pid = -1};
    if (pipe2(out, O_CLOEXEC) != 0 || pipe2(errors, O_CLOEXEC) != 0)
        (void)err_sys(err, "pipe");
    else
        ok = start(run, out, errors, err);
    cleanup_fd_value(&out[1]);
    cleanup_fd_value(&errors[1]);
    run->streams[0].fd = out[0];
    run->streams[1].fd = errors[0];
    if (ok)
        return run;
    cleanup_fd_value(&out[0]);
    cleanup_fd_value(&errors[0]);
    free(run);
    return NULL;
}

bool proc_finish(struct proc_run *run, struct proc_output *ret, struct err *err)
{
    bool ok = collect(run, err);

    ret->elapsed_us = (run->line_us != 0 ? run->line_us : proc_clock_us()) - run->started_us;
    if (!ok)
        kill(run->pid, SIGKILL);
    ret->exit_code = wait_for(run);
    ret->timed_out = run->timed_out;
    cleanup_fd_value(&run->streams[0].fd);
    cleanup_fd_value(&run->streams[1].fd);
    ret->out = run->streams[0].data;
    ret->out_size = run->streams[0].size;
    ret->errors = run->streams[1].data;
    ret->errors_size = run->streams[1].size;
    free(run);
    if (!ok)
        proc_output_release(ret);
    return ok;
}

bool proc_capture(const struct proc_request *request, struct proc_output *ret, struct err *err)
{
    struct proc_run *run = proc_start(request, err);

    return run != NULL && proc_finish(run, ret, err);
}

void proc_output_release(struct proc_output *output)
{
    free(output->out);
    free(output->errors);
    *output = (struct proc_output){0};
}
