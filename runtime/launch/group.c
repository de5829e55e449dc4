/* SPDX-License-Identifier: MIT */
#include "group.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bundle.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "process.h"
#include "state.h"

enum { CHILDREN_MAX = 64, LINE_MAX_BYTES = 4096, PATIENCE_MS = 10 * 1000, NOT_STARTED = 125 };

struct child {
    const char *name;
    const char *command;
    pid_t pid; /* 0: has ended */
    int output;
    char line[LINE_MAX_BYTES]; /* what has come of a line that is not complete */
    size_t len;
};

struct group {
    const struct bundle *bundle;
    struct child *children;
    size_t count;
    size_t running;
    int width; /* of the longest name */
    int code;  /* of the first that ended; -1: none yet */
    int signals;
};

static void say(const struct group *group, const struct child *child, const char *text, size_t len)
{
    time_t now = time(NULL);
    struct tm parts;
    char clock[16] = "";

    if (localtime_r(&now, &parts) != NULL)
        (void)strftime(clock, sizeof(clock), "%H:%M:%S", &parts);
    printf("%s %-*s | %.*s\n", clock, group->width, child->name, (int)len, text);
    (void)fflush(stdout);
}

/* Whole lines, and what is longer than any line should be. */
static void say_lines(const struct group *group, struct child *child)
{
    char *at = child->line;
    char *end = child->line + child->len;

    for (char *newline; (newline = memchr(at, '\n', (size_t)(end - at))) != NULL; at = newline + 1)
        say(group, child, at, (size_t)(newline - at));
    child->len = (size_t)(end - at);
    memmove(child->line, at, child->len);
    if (child->len == sizeof(child->line)) {
        say(group, child, child->line, child->len);
        child->len = 0;
    }
}

static void close_output(const struct group *group, struct child *child)
{
    if (child->len > 0)
        say(group, child, child->line, child->len);
    child->len = 0;
    cleanup_fd_value(&child->output);
    child->output = -1;
}

static void read_output(const struct group *group, struct child *child)
{
    ssize_t got;

    do {
        got = read(child->output, child->line + child->len, sizeof(child->line) - child->len);
        if (got > 0) {
            child->len += (size_t)got;
            say_lines(group, child);
        }
    } while (got > 0);
    if (got == 0 || (errno != EAGAIN && errno != EINTR))
        close_output(group, child);
}

[[gnu::noreturn]] static void become_child(const struct group *group, const struct child *child,
                                           int output)
{
    static char *const none[] = {NULL};
    size_t number = (size_t)(child - group->children);
    struct err err = {0};
    sigset_t none_held;
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

    /* A group of its own keeps the terminal's signals from it: they come through us, once. */
    (void)sigemptyset(&none_held);
    (void)sigprocmask(SIG_SETMASK, &none_held, NULL);
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (setpgid(0, 0) != 0 || dup2(null, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 ||
        dup2(output, STDERR_FILENO) < 0)
        (void)err_sys(&err, "'%s'", child->name);
    else
        (void)(process_port(child->command, number, &err) &&
               process_become(group->bundle, child->command, number, none, &err));
    (void)dprintf(STDERR_FILENO, "%s\n", err.msg);
    _exit(NOT_STARTED);
}

static bool start_child(struct group *group, struct child *child, struct err *err)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_sys(err, "'%s'", child->name);
    child->output = ends[0];
    (void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
    child->pid = fork();
    if (child->pid == 0)
        become_child(group, child, ends[1]);
    (void)close(ends[1]);
    if (child->pid < 0) {
        child->pid = 0;
        return err_sys(err, "'%s'", child->name);
    }
    (void)setpgid(child->pid, child->pid); /* whoever of us two comes first */
    group->running++;
    return true;
}

static void signal_all(const struct group *group, int number)
{
    for (size_t i = 0; i < group->count; i++)
        if (group->children[i].pid > 0)
            (void)kill(-group->children[i].pid, number);
}

static void reap(struct group *group)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        for (size_t i = 0; i < group->count; i++) {
            struct child *child = &group->children[i];
            int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
            char words[40];

            if (child->pid != pid)
                continue;
            child->pid = 0;
            group->running--;
            (void)snprintf(words, sizeof(words), "ended with code %d", code);
            if (child->output >= 0)
                read_output(group, child);
            say(group, child, words, strlen(words));
            if (group->code < 0)
                group->code = code;
        }
    }
}

static void wait_once(struct group *group, int timeout_ms)
{
    struct pollfd polled[CHILDREN_MAX + 1];
    struct signalfd_siginfo info;
    size_t count = 0;

    polled[count++] = (struct pollfd){.fd = group->signals, .events = POLLIN};
    for (size_t i = 0; i < group->count; i++)
        polled[count++] = (struct pollfd){.fd = group->children[i].output, .events = POLLIN};
    (void)poll(polled, count, timeout_ms);
    for (size_t i = 0; i < group->count; i++)
        if (polled[i + 1].revents != 0)
            read_output(group, &group->children[i]);
    while (read(group->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo != SIGCHLD && group->code < 0)
            group->code = 0;
    }
    reap(group);
}

static uint64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void end_all(struct group *group)
{
    uint64_t deadline = now_ms() + PATIENCE_MS;

    signal_all(group, SIGTERM);
    while (group->running > 0 && now_ms() < deadline)
        wait_once(group, (int)(deadline - now_ms()));
    signal_all(group, SIGKILL);
    while (group->running > 0)
        wait_once(group, PATIENCE_MS);
}

static bool hold_signals(struct group *group, struct err *err)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGCHLD};
    sigset_t set;

    (void)sigemptyset(&set);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        (void)sigaddset(&set, numbers[i]);
    group->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (group->signals < 0 || sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return err_sys(err, "signals");
    return true;
}

static bool list_children(struct group *group, struct err *err)
{
    group->children = calloc(CHILDREN_MAX, sizeof(*group->children));
    if (group->children == NULL)
        return err_sys(err, "processes");
    for (size_t i = 0; i < group->bundle->count && group->count < CHILDREN_MAX; i++) {
        const struct launchfile_record *record = &group->bundle->records[i];
        struct child *child = &group->children[group->count];

        if (!launchfile_is(record, "process", 2))
            continue;
        if (!state_claim(group->bundle, record->fields[1], err))
            return false;
        *child =
            (struct child){.name = record->fields[1], .command = record->fields[2], .output = -1};
        if ((int)strlen(child->name) > group->width)
            group->width = (int)strlen(child->name);
        group->count++;
    }
    return true;
}

bool group_run(const struct bundle *bundle, int *ret_code, struct err *err)
{
    struct group group = {.bundle = bundle, .code = -1, .signals = -1};
    bool ok = list_children(&group, err) && hold_signals(&group, err);

    for (size_t i = 0; ok && i < group.count; i++)
        ok = start_child(&group, &group.children[i], err);
    while (ok && group.running > 0 && group.code < 0)
        wait_once(&group, -1);
    end_all(&group);
    for (size_t i = 0; i < group.count; i++)
        if (group.children[i].output >= 0)
            close_output(&group, &group.children[i]);
    cleanup_fd_value(&group.signals);
    free(group.children);
    *ret_code = group.code < 0 ? 0 : group.code;
    return ok;
}
