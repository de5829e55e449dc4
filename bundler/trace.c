/* SPDX-License-Identifier: MIT */
#include "bundler/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/xalloc.h"

enum { NOT_STARTED = 127, PATH_SIZE = 4096, TRACEES_MAX = 1 << 16 };

#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#else
#error "which architecture do the system calls of this machine have?"
#endif

#define OPTIONS                                                                                    \
    (PTRACE_O_TRACESECCOMP | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |      \
     PTRACE_O_TRACEEXEC | PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL)

struct recorder {
    struct trace trace;
    size_t capacity;
    pid_t command;
    pid_t *tracees; /* every thread that we must hear the end of */
    size_t tracee_count;
    size_t tracee_capacity;
    bool overflowed;
};

/* Lets only the calls stop that lead to a file. */
static bool install_filter(void)
{
    static const int calls[] = {
#ifdef SYS_open
        SYS_open,   SYS_creat,
#endif
        SYS_openat, SYS_openat2, SYS_execve, SYS_execveat,
    };
    enum { CALLS = sizeof(calls) / sizeof(calls[0]), LENGTH = CALLS + 5 };
    struct sock_filter code[LENGTH];
    struct sock_fprog program = {.len = LENGTH, .filter = code};
    size_t at = 0;

    code[at++] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
    code[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NATIVE_ARCH, 0, CALLS + 1);
    code[at++] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < CALLS; i++)
        code[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)calls[i],
                                                  (uint8_t)(CALLS - i), 0);
    code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* Waits until it is watched, so that nothing escapes. */
[[gnu::noreturn]] static void become_command(const char *command, const char *dir, int start)
{
    char byte;

    if (read(start, &byte, 1) != 1 || chdir(dir) != 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0 ||
        !install_filter())
        _exit(NOT_STARTED);
    (void)execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(NOT_STARTED);
}

static bool start_command(struct recorder *recorder, const char *command, const char *dir,
                          struct err *err)
{
    cleanup_fd int read_end = -1;
    cleanup_fd int write_end = -1;
    int pipes[2];

    if (pipe2(pipes, O_CLOEXEC) != 0)
        return err_sys(err, "pipe");
    read_end = pipes[0];
    write_end = pipes[1];
    recorder->command = fork();
    if (recorder->command < 0)
        return err_sys(err, "cannot start a process");
    if (recorder->command == 0) {
        (void)close(write_end);
        become_command(command, dir, read_end);
    }
    if (ptrace(PTRACE_SEIZE, recorder->command, NULL, OPTIONS) != 0) {
        (void)err_sys(err, "cannot watch a process");
        (void)err_hint(err, "allow ptrace here (kernel.yama.ptrace_scope, seccomp of containers), "
                            "or build without --trace");
        (void)kill(recorder->command, SIGKILL);
        (void)waitpid(recorder->command, NULL, 0);
        return false;
    }
    return write(write_end, "", 1) == 1 || err_sys(err, "pipe");
}

static void add_tracee(struct recorder *recorder, pid_t pid)
{
    for (size_t i = 0; i < recorder->tracee_count; i++)
        if (recorder->tracees[i] == pid)
            return;
    recorder->tracees =
        xgrow(recorder->tracees, &recorder->tracee_capacity, recorder->tracee_count, sizeof(pid));
    recorder->tracees[recorder->tracee_count++] = pid;
}

static void drop_tracee(struct recorder *recorder, pid_t pid)
{
    for (size_t i = 0; i < recorder->tracee_count; i++) {
        if (recorder->tracees[i] == pid) {
            recorder->tracees[i] = recorder->tracees[--recorder->tracee_count];
            return;
        }
    }
}

/* Where a link of /proc/PID leads, under the name that the process sees; NULL unless a regular file
 * with a name. */
static char *read_link(pid_t pid, const char *link)
{
    cleanup_free char *source = xasprintf("/proc/%d/%s", (int)pid, link);
    char path[PATH_SIZE];
    struct stat st;
    ssize_t len = readlink(source, path, sizeof(path));

    if (len <= 0 || len == (ssize_t)sizeof(path) || path[0] != '/' || stat(source, &st) != 0 ||
        !S_ISREG(st.st_mode))
        return NULL;
    return xstrndup(path, (size_t)len);
}

static void record(struct recorder *recorder, pid_t pid, const char *link, bool is_executed,
                   bool is_written)
{
    struct trace *trace = &recorder->trace;
    cleanup_free char *program = read_link(pid, "exe");
    cleanup_free char *path = read_link(pid, link);

    if (path == NULL || program == NULL)
        return;
    if (trace->count == TRACE_FILES_MAX) {
        recorder->overflowed = true;
        return;
    }
    trace->files = xgrow(trace->files, &recorder->capacity, trace->count, sizeof(*trace->files));
    trace->files[trace->count++] = (struct trace_file){
        .path = steal_ptr(&path),
        .program = steal_ptr(&program),
        .is_executed = is_executed,
        .is_written = is_written,
    };
}

/* The end of a call that opened something, or tried to. */
static void record_opened(struct recorder *recorder, pid_t pid)
{
    struct __ptrace_syscall_info info = {0};
    cleanup_free char *link = NULL;
    cleanup_free char *details = NULL;
    unsigned int flags = 0;
    FILE *file;

    if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof(info), &info) <= 0 ||
        info.op != PTRACE_SYSCALL_INFO_EXIT || info.exit.is_error || info.exit.rval < 0)
        return;
    link = xasprintf("fd/%lld", (long long)info.exit.rval);
    details = xasprintf("/proc/%d/fdinfo/%lld", (int)pid, (long long)info.exit.rval);
    file = fopen(details, "re");
    if (file != NULL) {
        if (fscanf(file, "pos: %*s flags: %o", &flags) != 1)
            flags = O_RDONLY;
        (void)fclose(file);
    }
    if ((flags & O_PATH) == 0)
        record(recorder, pid, link, false, (flags & O_ACCMODE) != O_RDONLY);
}

/* How a stopped thread goes on. */
static void go_on(struct recorder *recorder, pid_t pid, int status)
{
    int signal = WSTOPSIG(status);
    int event = status >> 16;
    unsigned long message = 0;

    switch (event) {
    case PTRACE_EVENT_SECCOMP:
        (void)ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
        return;
    case PTRACE_EVENT_FORK:
    case PTRACE_EVENT_VFORK:
    case PTRACE_EVENT_CLONE:
        if (ptrace(PTRACE_GETEVENTMSG, pid, NULL, &message) == 0)
            add_tracee(recorder, (pid_t)message);
        break;
    case PTRACE_EVENT_EXEC:
        /* A thread that executes takes over its leader's number. */
        if (ptrace(PTRACE_GETEVENTMSG, pid, NULL, &message) == 0 && (pid_t)message != pid)
            drop_tracee(recorder, (pid_t)message);
        record(recorder, pid, "exe", true, false);
        break;
    case PTRACE_EVENT_STOP:
        add_tracee(recorder, pid);
        if (signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU) {
            (void)ptrace(PTRACE_LISTEN, pid, NULL, NULL);
            return;
        }
        break;
    default:
        if (signal == (SIGTRAP | 0x80)) {
            record_opened(recorder, pid);
            break;
        }
        (void)ptrace(PTRACE_CONT, pid, NULL, (void *)(intptr_t)signal);
        return;
    }
    (void)ptrace(PTRACE_CONT, pid, NULL, NULL);
}

static void end_rest(const struct recorder *recorder)
{
    for (size_t i = 0; i < recorder->tracee_count; i++)
        (void)kill(recorder->tracees[i], SIGKILL);
}

static bool watch(struct recorder *recorder, struct err *err)
{
    add_tracee(recorder, recorder->command);
    while (recorder->tracee_count > 0) {
        int status;
        pid_t pid = waitpid(-1, &status, __WALL);

        if (pid < 0 && errno == EINTR)
            continue;
        if (pid < 0)
            return errno == ECHILD || err_sys(err, "waitpid");
        if (WIFSTOPPED(status)) {
            go_on(recorder, pid, status);
            if (recorder->tracee_count > TRACEES_MAX || recorder->overflowed)
                end_rest(recorder);
            continue;
        }
        drop_tracee(recorder, pid);
        if (pid != recorder->command)
            continue;
        recorder->trace.exit_code =
            WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        end_rest(recorder);
    }
    return true;
}

static void release_file(struct trace_file *file)
{
    free(file->path);
    free(file->program);
}

static int compare_files(const void *left, const void *right)
{
    const struct trace_file *a = left;
    const struct trace_file *b = right;

    int order = strcmp(a->path, b->path);

    return order != 0 ? order : strcmp(a->program, b->program);
}

static void unite(struct trace *trace)
{
    size_t kept = 0;

    if (trace->count > 0)
        qsort(trace->files, trace->count, sizeof(*trace->files), compare_files);
    for (size_t i = 0; i < trace->count; i++) {
        struct trace_file *file = &trace->files[i];
        struct trace_file *last = kept == 0 ? NULL : &trace->files[kept - 1];

        if (last != NULL && compare_files(last, file) == 0) {
            last->is_executed |= file->is_executed;
            last->is_written |= file->is_written;
            release_file(file);
        } else {
            trace->files[kept++] = *file;
        }
    }
    trace->count = kept;
}

/* What the shell says of a command that it does not find, and become_command() of itself. */
static bool check_end(const struct recorder *recorder, const char *command, struct err *err)
{
    if (recorder->overflowed)
        return err_set(err, ERR_INPUT, "'%.200s' opens too many files", command);
    if (recorder->trace.exit_code != NOT_STARTED)
        return true;
    (void)err_set(err, ERR_INPUT, "'%.200s' could not be run", command);
    return err_hint(err, "try the command by itself, in the application's directory");
}

bool trace_run(struct trace *ret, const char *command, const char *dir, struct err *err)
{
    struct recorder recorder = {0};
    bool ok = start_command(&recorder, command, dir, err) && watch(&recorder, err) &&
              check_end(&recorder, command, err);

    free(recorder.tracees);
    unite(&recorder.trace);
    if (!ok) {
        trace_release(&recorder.trace);
        return err_id(err, "E-TRACE");
    }
    *ret = recorder.trace;
    return true;
}

void trace_release(struct trace *trace)
{
    for (size_t i = 0; i < trace->count; i++)
        release_file(&trace->files[i]);
    free(trace->files);
    *trace = (struct trace){0};
}
