/* SPDX-License-Identifier: MIT */
#include "runtime/keeper/push.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/words.h"
#include "common/xalloc.h"
#include "runtime/keeper/interrupt.h"

enum { EXIT_NOT_FOUND = 127 };

static void become(const char *command)
{
    cleanup_with(words_release) struct words words = {0};
    struct err err = {0};

    if (words_need_shell(command)) {
        (void)execlp("sh", "sh", "-c", command, (char *)NULL);
        return;
    }
    if (!words_split(&words, command, getenv, &err))
        return;
    for (size_t i = 0; i < words.assignments; i++)
        if (putenv(words.items[i]) != 0)
            return;
    (void)execvp(words.items[words.assignments], words.items + words.assignments);
}

static bool explain(int status, const char *command, struct err *err)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    if (!interrupt_check(err))
        return false;
    if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_NOT_FOUND)
        (void)err_set(err, ERR_INPUT, "--push: '%.200s' cannot be run", command);
    else if (WIFEXITED(status))
        (void)err_set(err, ERR_INPUT, "--push: '%.200s' ended with exit code %d", command,
                      WEXITSTATUS(status));
    else
        (void)err_set(err, ERR_INPUT, "--push: '%.200s' was ended by signal %d", command,
                      WTERMSIG(status));
    (void)err_id(err, "E-PUSH");
    return err_hint(err, "try it by itself: FILE backup -o - | %.200s", command);
}

bool push_run(const char *command, int fd, const char *name, int output, struct err *err)
{
    cleanup_free char *self = xasprintf("/proc/self/fd/%d", fd);
    cleanup_fd int input = open(self, O_RDONLY | O_CLOEXEC); /* a position of its own */
    int status = 0;
    pid_t pid;

    if (input < 0)
        return err_sys(err, "'%s'", self);
    (void)fflush(NULL);
    pid = fork();
    if (pid < 0)
        return err_sys(err, "fork");
    if (pid == 0) {
        (void)signal(SIGPIPE, SIG_DFL);
        if (dup2(input, STDIN_FILENO) >= 0 && dup2(output, STDOUT_FILENO) >= 0 &&
            setenv("RUCKSACK_SNAPSHOT", name, 1) == 0)
            become(command);
        _exit(EXIT_NOT_FOUND);
    }
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return err_sys(err, "wait");
        if (interrupt_came())
            (void)kill(pid, SIGTERM);
    }
    return explain(status, command, err);
}
