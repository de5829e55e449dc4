/* SPDX-License-Identifier: MIT */
#include "runtime/stub/fusermount.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
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
#include "runtime/stub/process.h"

enum {
    NOT_FOUND = 127,
    PATIENCE_MS = 10000, /* for one that hangs */
    CANDIDATE_MAX = 64,
};

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

/* A start with more rights than its caller has must not run the caller's programs. */
static void exec_name(const char *name, char **args)
{
    static const char *const dirs[] = {"/run/wrappers/bin", "/usr/bin", "/bin", "/usr/local/bin"};
    char candidate[CANDIDATE_MAX];

    if (getauxval(AT_SECURE) == 0) {
        (void)execvp(name, args);
        return;
    }
    for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
        (void)snprintf(candidate, sizeof(candidate), "%s/%s", dirs[i], name);
        (void)execv(candidate, args);
        if (errno != ENOENT)
            return;
    }
}

/* Tries the names in turn; only a name that does not exist leads to the next. In a child of vfork()
 * like what calls it: nothing may be allocated or set here. */
[[gnu::noreturn]] static void exec_helper(const char *program, char **args)
{
    const char *const names[] = {program != NULL ? program : "fusermount3",
                                 program != NULL ? NULL : "fusermount"};

    for (size_t i = 0; i < 2 && names[i] != NULL; i++) {
        args[0] = (char *)(uintptr_t)names[i];
        exec_name(names[i], args);
        if (errno != ENOENT)
            break;
    }
    _exit(NOT_FOUND);
}

[[gnu::noreturn]] static void child_mount(const char *program, const char *root, int socket,
                                          int errors)
{
    char *args[] = {NULL, "-o", OPTIONS, "--", (char *)(uintptr_t)root, NULL};

    null_standard_fds(errors);
    /* When we are gone it must live to take its mount down again. */
    (void)signal(SIGPIPE, SIG_IGN);
    if (fcntl(socket, F_SETFD, 0) != 0)
        _exit(NOT_FOUND);
    exec_helper(program, args);
}

/* True when the descriptor has something to read, or its end, before the helper's time is over. */
static bool await(int fd, uint64_t deadline_ms)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    int got;

    do {
        uint64_t now = process_now_ms();

        got = poll(&wait, 1, now < deadline_ms ? (int)(deadline_ms - now) : 0);
    } while (got < 0 && errno == EINTR);
    return got > 0;
}

/* The helper's last words, as one line of at most size - 1 bytes. */
static void read_words(int fd, uint64_t deadline_ms, char *ret, size_t size)
{
    size_t used = 0;
    ssize_t got;

    while (used < size - 1 && await(fd, deadline_ms) &&
           (got = read(fd, ret + used, size - 1 - used)) > 0)
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
    char number[16];
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0)
        return err_sys(err, "socket pair");
    if (pipe2(pipes, O_CLOEXEC) != 0) {
        (void)close(sockets[0]);
        (void)close(sockets[1]);
        return err_sys(err, "pipe");
    }
    (void)snprintf(number, sizeof(number), "%d", sockets[1]);
    pid = setenv("_FUSE_COMMFD", number, 1) == 0 ? vfork() : -1;
    if (pid == 0)
        child_mount(program, root, sockets[1], pipes[1]);
    (void)unsetenv("_FUSE_COMMFD");
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
    uint64_t deadline_ms = process_now_ms() + PATIENCE_MS;
    pid_t pid = -1;
    int fd, status;

    if (!spawn_mount(program, root, &socket, &errors, &pid, err))
        return false;
    fd = await(socket, deadline_ms) ? message_receive_fd(socket) : -1;
    read_words(errors, deadline_ms, words, sizeof(words));
    if (process_now_ms() >= deadline_ms)
        (void)kill(pid, SIGKILL);
    status = wait_for(pid);
    if (fd < 0 && process_now_ms() >= deadline_ms)
        return err_set(err, ERR_SYSTEM, "the helper hangs");
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
    uint64_t deadline_ms = process_now_ms() + PATIENCE_MS;
    char words[256];
    int pipes[2];
    pid_t pid;

    if (pipe2(pipes, O_CLOEXEC) != 0)
        return true;
    pid = vfork();
    if (pid == 0) {
        null_standard_fds(pipes[1]);
        exec_helper(program, args);
    }
    (void)close(pipes[1]);
    read_words(pipes[0], deadline_ms, words, sizeof(words));
    (void)close(pipes[0]);
    if (pid > 0 && process_now_ms() >= deadline_ms)
        (void)kill(pid, SIGKILL);
    if (pid > 0)
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
    pid_t pid = vfork();

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
