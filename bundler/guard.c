/* SPDX-License-Identifier: MIT */
#include "bundler/guard.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bundler/tempdir.h"
#include "bundler/terminal.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/fs.h"
#include "common/xalloc.h"

/* From a signal to SIGKILL: enough to unlink a file. Rounds of killing: each takes one generation,
 * and forks that raced it the next one. */
enum { GRACE_MS = 500, ROUNDS_MAX = 100, STAT_SIZE = 512 };

static const int ending[] = {SIGINT, SIGTERM, SIGHUP};

enum { ENDING = sizeof(ending) / sizeof(ending[0]) };

/* In memory that both share. */
struct verdict {
    bool is_told; /* the child got so far */
    bool ok;
    struct err err;
};

struct guard {
    pid_t child;
    pid_t *others; /* children that were there before: who has become us (exec) had started them */
    size_t other_count;
    struct sigaction on_child; /* as it was */
    sigset_t awaited;
    sigset_t before;
    size_t killed; /* in this round */
    int noted;     /* the signal that was sent to us, or 0 */
    int status;    /* of the child, when is_over */
    bool is_over;
    struct verdict *verdict;
};

/* The signals that end us, without those that were ignored, and that of a child's end. */
static void choose_signals(struct guard *guard)
{
    (void)sigemptyset(&guard->awaited);
    (void)sigaddset(&guard->awaited, SIGCHLD);
    for (size_t i = 0; i < ENDING; i++) {
        struct sigaction action;

        if (sigaction(ending[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
            (void)sigaddset(&guard->awaited, ending[i]);
    }
}

[[gnu::noreturn]] static void be_child(struct guard *guard, guard_work *work, void *context)
{
    struct verdict *verdict = guard->verdict;
    struct err err = {0};

    /* Nothing goes on without who would clean up. */
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)sigprocmask(SIG_SETMASK, &guard->before, NULL);
    verdict->ok = work(context, &err);
    verdict->ok = verdict->ok && fs_flush(stdout, "standard output", &err);
    verdict->err = err;
    verdict->is_told = true;
    _exit(verdict->ok ? 0 : 1);
}

/* What the child leaves comes to us (subreaper): it is reaped, too. */
static void reap(struct guard *guard)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid != guard->child)
            continue;
        guard->status = status;
        guard->is_over = true;
    }
}

/* The parent of a process, by proc(5): the second field behind the name, which is in brackets. */
static pid_t parent_of(const char *pid)
{
    cleanup_free char *path = xasprintf("/proc/%s/stat", pid);
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    char text[STAT_SIZE] = "";
    const char *name_end;

    if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
        return 0;
    name_end = strrchr(text, ')');
    return name_end != NULL && strlen(name_end) > 4 ? (pid_t)strtol(name_end + 4, NULL, 10) : 0;
}

/* Calls visit for each child of ours. */
static void each_child(struct guard *guard, void (*visit)(struct guard *guard, pid_t pid))
{
    cleanup_dir DIR *stream = opendir("/proc");
    const struct dirent *entry;

    while (stream != NULL && (entry = readdir(stream)) != NULL)
        if (isdigit((unsigned char)entry->d_name[0]) && parent_of(entry->d_name) == getpid())
            visit(guard, (pid_t)strtol(entry->d_name, NULL, 10));
}

static void spare(struct guard *guard, pid_t pid)
{
    guard->others = xrealloc_array(guard->others, guard->other_count + 1, sizeof(*guard->others));
    guard->others[guard->other_count++] = pid;
}

static void kill_one(struct guard *guard, pid_t pid)
{
    for (size_t i = 0; i < guard->other_count; i++)
        if (guard->others[i] == pid)
            return;
    guard->killed++;
    (void)kill(pid, SIGKILL);
}

/* False when there was none. */
static bool kill_children(struct guard *guard)
{
    guard->killed = 0;
    each_child(guard, kill_one);
    return guard->killed > 0;
}

static void pause_ms(long ms)
{
    const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    (void)nanosleep(&time, NULL);
}

/* The child has been asked to end. Its children become ours as soon as it has. */
static void end_all(struct guard *guard)
{
    const struct timespec slice = {.tv_nsec = GRACE_MS / 10 * 1000000};

    for (int i = 0; i < 10 && !guard->is_over; i++) {
        (void)sigtimedwait(&guard->awaited, NULL, &slice);
        reap(guard);
    }
    for (int round = 0; round < ROUNDS_MAX && kill_children(guard); round++) {
        pause_ms(5);
        reap(guard);
    }
    reap(guard);
}

static void await_child(struct guard *guard)
{
    while (!guard->is_over) {
        int number = sigwaitinfo(&guard->awaited, NULL);

        if (number == SIGCHLD) {
            reap(guard);
        } else if (number > 0) {
            guard->noted = number;
            (void)kill(guard->child, number);
            return;
        } else if (errno != EINTR) {
            return;
        }
    }
}

static bool is_ending(int number)
{
    for (size_t i = 0; i < ENDING; i++)
        if (ending[i] == number)
            return true;
    return false;
}

/* What was drawn last is no line of its own. */
static void end_line(void)
{
    if (terminal_is_live(STDERR_FILENO))
        (void)!write(STDERR_FILENO, TERMINAL_CLEAR, strlen(TERMINAL_CLEAR));
}

/* Mostly does not return. */
static void end_by(const struct guard *guard, int number)
{
    sigset_t only;

    end_line();
    (void)sigemptyset(&only);
    (void)sigaddset(&only, number);
    (void)signal(number, SIG_DFL);
    (void)raise(number);
    (void)sigprocmask(SIG_UNBLOCK, &only, NULL);
    (void)sigprocmask(SIG_SETMASK, &guard->before, NULL);
}

static bool judge(const struct guard *guard, struct err *err)
{
    int number = WIFSIGNALED(guard->status) ? WTERMSIG(guard->status) : 0;

    if (guard->verdict->is_told) {
        *err = guard->verdict->err;
        return guard->verdict->ok;
    }
    end_line();
    if (number == 0) /* It has said why: xalloc.h. */
        exit(WEXITSTATUS(guard->status));
    (void)err_set(err, ERR_SYSTEM, "it was ended by signal %d, %s", number, strsignal(number));
    (void)err_id(err, "E-KILLED");
    return err_hint(err, number == SIGKILL ? "there may have been too little memory: dmesg says"
                                           : "report it, with what was packed");
}

static bool watch(struct guard *guard, struct err *err)
{
    int number;

    await_child(guard);
    number = guard->noted;
    if (number == 0 && guard->is_over && WIFSIGNALED(guard->status) &&
        is_ending(WTERMSIG(guard->status)))
        number = WTERMSIG(guard->status);
    if (number != 0 || !guard->verdict->is_told)
        end_all(guard);
    tempdir_remove_reserved();
    if (number != 0)
        end_by(guard, number);
    (void)sigprocmask(SIG_SETMASK, &guard->before, NULL);
    return judge(guard, err);
}

bool guard_run(guard_work *work, void *context, struct err *err)
{
    const struct sigaction usual = {.sa_handler = SIG_DFL};
    struct guard guard = {.child = -1};
    bool ok;

    guard.verdict = mmap(NULL, sizeof(*guard.verdict), PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (guard.verdict == MAP_FAILED)
        return err_sys(err, "memory");
    (void)fflush(NULL);
    tempdir_reserve();
    choose_signals(&guard);
    each_child(&guard, spare);
    /* Where it was ignored, nobody would hear of an end. */
    (void)sigaction(SIGCHLD, &usual, &guard.on_child);
    (void)sigprocmask(SIG_BLOCK, &guard.awaited, &guard.before);
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    guard.child = fork();
    if (guard.child == 0)
        be_child(&guard, work, context);
    if (guard.child < 0) {
        ok = err_sys(err, "cannot start a process");
        (void)sigprocmask(SIG_SETMASK, &guard.before, NULL);
    } else {
        ok = watch(&guard, err);
    }
    (void)prctl(PR_SET_CHILD_SUBREAPER, 0);
    (void)sigaction(SIGCHLD, &guard.on_child, NULL);
    free(guard.others);
    (void)munmap(guard.verdict, sizeof(*guard.verdict));
    return ok;
}
