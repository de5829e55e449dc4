/* SPDX-License-Identifier: MIT */
/*
 * odd WAY ARGUMENT PROGRAM [ARG...]: starts a program in ways that a shell cannot.
 *
 *     argv0 N|null|empty   with a name of N bytes, with no argument at all, with an empty name
 *     deleted .            from a file that has no name any more
 *     environment N        with N bytes of environment more
 *     fexecve .            by descriptor
 *     listen FILE          with a listening socket as descriptor 3, as systemd does
 *     memory .             from memory, the AppImage magic zeroed, as AppImageLauncher does
 *     status .             and says how it ended: "exit 3", "signal 9"; stops are continued
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { FIRST_LISTEN_FD = 3, VARIABLE_BYTES = 100000 };

static int fail(const char *what)
{
    perror(what);
    return 120;
}

static char *repeat(char letter, size_t count)
{
    char *text = malloc(count + 1);

    if (text == NULL)
        exit(fail("memory"));
    memset(text, letter, count);
    text[count] = '\0';
    return text;
}

static int odd_name(const char *argument, char **args)
{
    char *none[] = {NULL};

    if (strcmp(argument, "null") == 0) {
        (void)execve(args[0], none, environ);
    } else {
        char *program = args[0];

        args[0] =
            strcmp(argument, "empty") == 0 ? "" : repeat('n', (size_t)strtoul(argument, NULL, 10));
        (void)execve(program, args, environ);
    }
    return fail("execve");
}

static int odd_environment(const char *argument, char **args)
{
    size_t bytes = (size_t)strtoul(argument, NULL, 10);

    for (size_t i = 0; i < bytes / VARIABLE_BYTES; i++) {
        char name[32];

        (void)snprintf(name, sizeof(name), "LARGE_%zu", i);
        if (setenv(name, repeat('v', VARIABLE_BYTES), 1) != 0)
            return fail("setenv");
    }
    (void)execv(args[0], args);
    return fail("execve");
}

static int odd_descriptor(const char *argument, char **args)
{
    int fd = open(args[0], O_RDONLY | O_CLOEXEC);

    (void)argument;
    if (fd < 0)
        return fail(args[0]);
    (void)fexecve(fd, args, environ);
    return fail("fexecve");
}

static int odd_deleted(const char *argument, char **args)
{
    int fd = open(args[0], O_RDONLY | O_CLOEXEC);

    (void)argument;
    if (fd < 0 || unlink(args[0]) != 0)
        return fail(args[0]);
    (void)fexecve(fd, args, environ);
    return fail("fexecve");
}

/* Without the magic the kernel's binfmt handler of AppImageLauncher does not take it again. */
static int odd_memory(const char *argument, char **args)
{
    int file = open(args[0], O_RDONLY | O_CLOEXEC);
    int memory = memfd_create("runtime", MFD_CLOEXEC);
    char path[64], bytes[65536];
    ssize_t got;

    (void)argument;
    if (file < 0 || memory < 0)
        return fail(args[0]);
    while ((got = read(file, bytes, sizeof(bytes))) > 0)
        if (write(memory, bytes, (size_t)got) != got)
            return fail("memory");
    if (pwrite(memory, "\0\0\0", 3, 8) != 3)
        return fail("memory");
    (void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)getpid(), memory);
    (void)execve(path, args, environ);
    return fail("execve");
}

static int odd_listen(const char *argument, char **args)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    char pid[16];

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", argument);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, 1) != 0)
        return fail(argument);
    if (fd != FIRST_LISTEN_FD && (dup2(fd, FIRST_LISTEN_FD) < 0 || close(fd) != 0))
        return fail("dup2");
    (void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
    if (setenv("LISTEN_FDS", "1", 1) != 0 || setenv("LISTEN_PID", pid, 1) != 0 ||
        setenv("NOTIFY_SOCKET", "@notify", 1) != 0)
        return fail("setenv");
    (void)execv(args[0], args);
    return fail("execve");
}

static int odd_status(const char *argument, char **args)
{
    int status;
    pid_t pid = fork();

    (void)argument;
    if (pid < 0)
        return fail("fork");
    if (pid == 0) {
        (void)execv(args[0], args);
        _exit(fail("execve"));
    }
    for (;;) {
        if (waitpid(pid, &status, WUNTRACED) < 0)
            return fail("waitpid");
        if (!WIFSTOPPED(status))
            break;
        printf("stopped\n");
        (void)kill(pid, SIGCONT);
    }
    if (WIFSIGNALED(status))
        printf("signal %d\n", WTERMSIG(status));
    else
        printf("exit %d\n", WEXITSTATUS(status));
    return 0;
}

static const struct {
    const char *name;
    int (*start)(const char *argument, char **args);
} ways[] = {
    {"argv0", odd_name},         {"deleted", odd_deleted}, {"environment", odd_environment},
    {"fexecve", odd_descriptor}, {"listen", odd_listen},   {"memory", odd_memory},
    {"status", odd_status},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 3 && i < sizeof(ways) / sizeof(ways[0]); i++)
        if (strcmp(argv[1], ways[i].name) == 0)
            return ways[i].start(argv[2], argv + 3);
    (void)fprintf(stderr, "usage: odd WAY ARGUMENT PROGRAM [ARG...]\n");
    return 2;
}
