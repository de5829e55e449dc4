/* SPDX-License-Identifier: MIT */
#include "runtime/stub/fusermount.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "runtime/stub/message.h"

enum { NOT_FOUND = 127 };

#define SYSTEM_PATH "/run/wrappers/bin:/usr/bin:/bin:/usr/local/bin"
#define OPTIONS "ro,nosuid,nodev,fsname=rucksack,subtype=rucksack"

/* A setuid program with a standard descriptor closed is aborted by its C library. */
static void null_standard_fds(int errors)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        int source = fd == STDERR_FILENO && errors >= 0 ? errors : null;

        if (source == fd)
            (void)fcntl(fd, F_SETFD, 0);
        else if (source >= 0)
            (void)dup2(source, fd);
    }
}

/* Tries the names in turn; only a name that does not exist leads to the next. A start with more
 * rights than its caller has must not run the caller's programs. */
[[gnu::noreturn]] static void exec_helper(const char *program, char **args)
{
    const char *const names[] = {program != NULL ? program : "fusermount3",
                                 program != NULL ? NULL : "fusermount"};

    if (getauxval(AT_SECURE) != 0 && setenv("PATH", SYSTEM_PATH, 1) != 0)
        _exit(NOT_FOUND);
    for (size_t i = 0; i < 2 && names[i] != NULL; i++) {
        args[0] = (char *)(uintptr_t)names[i];
        (void)execvp(names[i], args);
        if (errno != ENOENT)
            break;
    }
    _exit(NOT_FOUND);
}

[[gnu::noreturn]] static void child_mount(const char *program, const char *root, int socket,
                                          int errors)
{
    char number[16];
    char *args[] = {NULL, "-o", OPTIONS, "--", (char *)(uintptr_t)root, NULL};

    (void)snprintf(number, sizeof(number), "%d", socket);
    null_standard_fds(errors);
    /* When we are gone it must live to take its mount down again. */
    (void)signal(SIGPIPE, SIG_IGN);
    if (setenv("_FUSE_COMMFD", number, 1) != 0 || fcntl(socket, F_SETFD, 0) != 0)
        _exit(NOT_FOUND);
    exec_helper(program, args);
}

/* The helper's last words, as one line of at most size - 1 bytes. */
static void read_words(int fd, char *ret, size_t size)
{
    size_t used = 0;
    ssize_t got;

    while (used < size - 1 && (got = read(fd, ret + used, size - 1 - used)) > 0)
        used += (size_t)got;
    while (used > 0 && ret[used - 1] == '\n')
        used--;
    ret[used] = '\0';
    for (size_t i = 0; i < used; i++)
        if ((unsigned char)ret[i] < ' ')
            ret[i] = ' ';
}

static int wait_for(pid_t pid)
{
    int status;

    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool spawn_mount(const char *program, const char *root, int *ret_socket, int *ret_errors,
                        pid_t *ret_pid, struct err *err)
{
    int sockets[2], pipes[2];
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0)
        return err_sys(err, "socket pair");
    if (pipe2(pipes, O_CLOEXEC) != 0) {
        (void)close(sockets[0]);
        (void)close(sockets[1]);
        return err_sys(err, "pipe");
    }
    pid = fork();
    if (pid == 0)
        child_mount(program, root, sockets[1], pipes[1]);
    (void)close(sockets[1]);
    (void)close(pipes[1]);
    *ret_socket = sockets[0];
    *ret_errors = pipes[0];
    *ret_pid = pid;
    return pid > 0 || err_sys(err, "cannot start a process");
}

bool fusermount_mount(const char *program, const char *root, int *ret_fd, struct err *err)
{
    cleanup_fd int socket = -1, errors = -1;
    char words[256];
    pid_t pid = -1;
    int fd, status;

    if (!spawn_mount(program, root, &socket, &errors, &pid, err))
        return false;
    fd = message_receive_fd(socket);
    read_words(errors, words, sizeof(words));
    status = wait_for(pid);
    if (fd >= 0) {
        *ret_fd = fd;
        return true;
    }
    if (status == NOT_FOUND)
        return err_set(err, ERR_INPUT, "'%s' cannot be run",
                       program != NULL ? program : "fusermount3");
    return err_set(err, ERR_INPUT, "%s", words[0] != '\0' ? words : "the helper failed");
}

/* Starts the helper on a directory where nothing is mounted, for what it says. */
static bool knows_user(const char *program, const char *dir)
{
    char *args[] = {NULL, "-u", "--", (char *)(uintptr_t)dir, NULL};
    char words[256];
    int pipes[2];
    pid_t pid;

    if (pipe2(pipes, O_CLOEXEC) != 0)
        return true;
    pid = fork();
    if (pid == 0) {
        null_standard_fds(pipes[1]);
        exec_helper(program, args);
    }
    (void)close(pipes[1]);
    read_words(pipes[0], words, sizeof(words));
    (void)close(pipes[0]);
    (void)wait_for(pid);
    return strstr(words, "username") == NULL;
}

static bool is_in_passwd(uid_t uid)
{
    FILE *file = fopen("/etc/passwd", "re");
    const struct passwd *user = NULL;

    if (file == NULL)
        return false;
    while ((user = fgetpwent(file)) != NULL && user->pw_uid != uid)
        continue;
    (void)fclose(file);
    return user != NULL;
}

bool fusermount_check(const char *program, const char *dir, struct err *err)
{
    if (geteuid() == 0)
        return true;
    if (access("/etc/mtab", R_OK) != 0)
        return err_set(err, ERR_SYSTEM, "it could not unmount again: there is no /etc/mtab");
    /* Other sources of names than the file are the helper's C library's to know. */
    if (!is_in_passwd(getuid()) && !knows_user(program, dir))
        return err_set(err, ERR_SYSTEM, "it could not unmount again: user %u has no name here",
                       (unsigned int)getuid());
    return true;
}

pid_t fusermount_start_unmount(const char *program, const char *root, bool lazy)
{
    char *args[] = {NULL,
                    "-u",
                    "-q",
                    lazy ? "-z" : "--",
                    lazy ? "--" : (char *)(uintptr_t)root,
                    lazy ? (char *)(uintptr_t)root : NULL,
                    NULL};
    pid_t pid = fork();

    if (pid == 0) {
        null_standard_fds(-1);
        exec_helper(program, args);
    }
    return pid;
}

bool fusermount_detach(const char *program, const char *root, struct err *err)
{
    pid_t pid = fusermount_start_unmount(program, root, true);

    if (pid < 0)
        return err_sys(err, "cannot start a process");
    if (wait_for(pid) != 0)
        return err_set(err, ERR_INPUT, "cannot detach the dead mount at '%s'", root);
    return true;
}
