/* SPDX-License-Identifier: MIT */
#include "common/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"

extern char **environ;

enum { READ_CHUNK = 1 << 16 };

struct stream {
    int fd;
    char *data;
    size_t size;
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

static bool collect(struct stream streams[2], const struct proc_request *request, struct err *err)
{
    while (streams[0].fd >= 0 || streams[1].fd >= 0) {
        struct pollfd fds[2] = {{streams[0].fd, POLLIN, 0}, {streams[1].fd, POLLIN, 0}};

        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return err_sys(err, "poll");
        for (size_t i = 0; i < 2; i++) {
            if (streams[i].fd >= 0 && fds[i].revents != 0 && !take(&streams[i], request, err))
                return false;
        }
    }
    return true;
}

static bool start(const struct proc_request *request, const int out[2], const int errors[2],
                  pid_t *ret_pid, struct err *err)
{
    posix_spawn_file_actions_t actions;
    char *const *envp = request->envp != NULL ? (char *const *)request->envp : environ;
    int failed;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, errors[1], STDERR_FILENO);
    if (request->cwd != NULL)
        posix_spawn_file_actions_addchdir_np(&actions, request->cwd);
    failed =
        posix_spawnp(ret_pid, request->argv[0], &actions, NULL, (char *const *)request->argv, envp);
    posix_spawn_file_actions_destroy(&actions);
    errno = failed;
    return failed == 0 || err_sys(err, "'%s'", request->argv[0]);
}

static int wait_for(pid_t pid)
{
    int status = 0;

    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

bool proc_capture(const struct proc_request *request, struct proc_output *ret, struct err *err)
{
    int out[2] = {-1, -1};
    int errors[2] = {-1, -1};
    struct stream streams[2] = {{-1, NULL, 0}, {-1, NULL, 0}};
    pid_t pid = -1;
    bool ok = false;

    if (pipe2(out, O_CLOEXEC) != 0 || pipe2(errors, O_CLOEXEC) != 0)
        (void)err_sys(err, "pipe");
    else
        ok = start(request, out, errors, &pid, err);
    cleanup_fd_value(&out[1]);
    cleanup_fd_value(&errors[1]);
    streams[0].fd = out[0];
    streams[1].fd = errors[0];
    if (ok) {
        ok = collect(streams, request, err);
        if (!ok)
            kill(pid, SIGKILL);
        ret->exit_code = wait_for(pid);
    }
    cleanup_fd_value(&streams[0].fd);
    cleanup_fd_value(&streams[1].fd);
    ret->out = streams[0].data;
    ret->out_size = streams[0].size;
    ret->errors = streams[1].data;
    ret->errors_size = streams[1].size;
    if (!ok)
        proc_output_release(ret);
    return ok;
}

void proc_output_release(struct proc_output *output)
{
    free(output->out);
    free(output->errors);
    *output = (struct proc_output){0};
}
