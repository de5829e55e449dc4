/* SPDX-License-Identifier: MIT */
#include "bundler/trace.h"

#include <errno.h>
#include <fcntl.h>
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
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/machine.h"
#include "common/xalloc.h"

enum { NOT_STARTED = 127, PATH_SIZE = 4096, PAGE = 4096, TRACEES_MAX = 1 << 16 };

#define OPTIONS                                                                                    \
    (PTRACE_O_TRACESECCOMP | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |      \
     PTRACE_O_TRACEEXEC | PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL)

enum call_kind { CALL_OPENS, CALL_EXECUTES, CALL_LOOKS };

/* A thread that we must hear the end of. */
struct tracee {
    pid_t pid;
    bool is_announced;   /* by its parent's event, which can come after its own end */
    char *path;          /* of a call that has begun, or NULL: not known, or relative */
    enum call_kind kind; /* of that call */
};

struct recorder {
    struct trace trace;
    size_t capacity;
    size_t sought_capacity;
    size_t order; /* of the last file */
    pid_t first;
    struct tracee *tracees;
    size_t tracee_count;
    size_t tracee_capacity;
    pid_t *early; /* ended before they were announced */
    size_t early_count;
    size_t early_capacity;
    bool overflowed;
};

/* The calls that lead to a file, and which argument is its path. */
static const struct {
    int number;
    int path;
    enum call_kind kind;
} calls[] = {
#ifdef SYS_open
    {SYS_open, 0, CALL_OPENS},       {SYS_creat, 0, CALL_OPENS},
    {SYS_stat, 0, CALL_LOOKS},       {SYS_access, 0, CALL_LOOKS},
#endif
    {SYS_openat, 1, CALL_OPENS},     {SYS_openat2, 1, CALL_OPENS},
    {SYS_execve, 0, CALL_EXECUTES},  {SYS_execveat, 1, CALL_EXECUTES},
    {SYS_newfstatat, 1, CALL_LOOKS}, {SYS_statx, 1, CALL_LOOKS},
    {SYS_faccessat, 1, CALL_LOOKS},  {SYS_faccessat2, 1, CALL_LOOKS},
};

bool trace_begin(void)
{
    enum { CALLS = sizeof(calls) / sizeof(calls[0]), LENGTH = CALLS + 5 };
    struct sock_filter code[LENGTH];
    struct sock_fprog program = {.len = LENGTH, .filter = code};
    size_t at = 0;

    code[at++] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
    code[at++] =
        (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MACHINE_AUDIT, 0, CALLS + 1);
    code[at++] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < CALLS; i++)
        code[at++] = (struct sock_filter)BPF_JUMP(
            BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)calls[i].number, (uint8_t)(CALLS - i), 0);
    code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* Waits until it is watched, so that nothing escapes. */
static bool start(struct recorder *recorder, int (*run)(void *context), void *context,
                  struct err *err)
{
    cleanup_fd int read_end = -1;
    cleanup_fd int write_end = -1;
    int pipes[2];
    char byte;

    if (pipe2(pipes, O_CLOEXEC) != 0)
        return err_sys(err, "pipe");
    read_end = pipes[0];
    write_end = pipes[1];
    recorder->first = fork();
    if (recorder->first < 0)
        return err_sys(err, "cannot start a process");
    if (recorder->first == 0) {
        (void)close(write_end);
        _exit(read(read_end, &byte, 1) == 1 ? run(context) : NOT_STARTED);
    }
    if (ptrace(PTRACE_SEIZE, recorder->first, NULL, OPTIONS) != 0) {
        (void)err_sys(err, "cannot watch a process");
        (void)err_hint(err, "allow ptrace here (kernel.yama.ptrace_scope, seccomp of containers)");
        (void)kill(recorder->first, SIGKILL);
        (void)waitpid(recorder->first, NULL, 0);
        return false;
    }
    return write(write_end, "", 1) == 1 || err_sys(err, "pipe");
}

static struct tracee *find_tracee(struct recorder *recorder, pid_t pid)
{
    for (size_t i = 0; i < recorder->tracee_count; i++)
        if (recorder->tracees[i].pid == pid)
            return &recorder->tracees[i];
    return NULL;
}

/* The event of a parent tells of a child that has ended: it is none any more. */
static bool take_early(struct recorder *recorder, pid_t pid)
{
    for (size_t i = 0; i < recorder->early_count; i++) {
        if (recorder->early[i] == pid) {
            recorder->early[i] = recorder->early[--recorder->early_count];
            return true;
        }
    }
    return false;
}

/* It stops: it is there, whatever ended under that number before. */
static void add_tracee(struct recorder *recorder, pid_t pid)
{
    if (find_tracee(recorder, pid) != NULL)
        return;
    recorder->tracees = xgrow(recorder->tracees, &recorder->tracee_capacity, recorder->tracee_count,
                              sizeof(*recorder->tracees));
    recorder->tracees[recorder->tracee_count++] = (struct tracee){.pid = pid};
}

static void announce_tracee(struct recorder *recorder, pid_t pid)
{
    if (find_tracee(recorder, pid) == NULL && take_early(recorder, pid))
        return;
    add_tracee(recorder, pid);
    find_tracee(recorder, pid)->is_announced = true;
}

static void drop_tracee(struct recorder *recorder, pid_t pid)
{
    struct tracee *tracee = find_tracee(recorder, pid);

    if (tracee == NULL)
        return;
    if (!tracee->is_announced) {
        recorder->early = xgrow(recorder->early, &recorder->early_capacity, recorder->early_count,
                                sizeof(*recorder->early));
        recorder->early[recorder->early_count++] = pid;
    }
    free(tracee->path);
    *tracee = recorder->tracees[--recorder->tracee_count];
}

/* Where a link of /proc/PID leads, under the name that the process sees; NULL unless a file of this
 * type with a name. */
static char *read_link(pid_t pid, const char *link, mode_t type)
{
    cleanup_free char *source = xasprintf("/proc/%d/%s", (int)pid, link);
    char path[PATH_SIZE];
    struct stat st;
    ssize_t len = readlink(source, path, sizeof(path));

    if (len <= 0 || len == (ssize_t)sizeof(path) || path[0] != '/' || stat(source, &st) != 0 ||
        (st.st_mode & S_IFMT) != type)
        return NULL;
    return xstrndup(path, (size_t)len);
}

static void release_file(struct trace_file *file)
{
    free(file->path);
    free(file->name);
    free(file->program);
}

static void record(struct recorder *recorder, pid_t pid, struct trace_file file)
{
    struct trace *trace = &recorder->trace;

    file.program = read_link(pid, "exe", S_IFREG);
    file.thread = pid;
    file.order = ++recorder->order;
    if (trace->count == TRACE_FILES_MAX)
        recorder->overflowed = true;
    if (file.path == NULL || file.program == NULL || recorder->overflowed) {
        release_file(&file);
        return;
    }
    trace->files = xgrow(trace->files, &recorder->capacity, trace->count, sizeof(*trace->files));
    trace->files[trace->count++] = file;
}

/* A string of the process, or NULL: it ends with its page at the latest, or the next one. */
static char *read_string(pid_t pid, uint64_t address)
{
    char text[PATH_SIZE] = "";
    size_t used = 0;

    while (used < sizeof(text)) {
        uint64_t from = address + used;
        size_t size = PAGE - from % PAGE;
        struct iovec local = {text + used, size < sizeof(text) - used ? size : sizeof(text) - used};
        struct iovec remote = {(void *)(uintptr_t)from, local.iov_len};
        ssize_t got = process_vm_readv(pid, &local, 1, &remote, 1, 0);

        if (got <= 0)
            return NULL;
        used += (size_t)got;
        if (memchr(text, '\0', used) != NULL)
            return xstrdup(text);
    }
    return NULL;
}

/* A file of a directory of programs, or NULL: "/usr/bin/convert". */
static const char *program_name(const char *path)
{
    const char *name = path == NULL || path[0] != '/' ? NULL : strrchr(path, '/');
    size_t len = name == NULL ? 0 : (size_t)(name - path);

    if (len < strlen("/bin") || name[1] == '\0')
        return NULL;
    return (len >= 4 && memcmp(name - 4, "/bin", 4) == 0) ||
                   (len >= 5 && memcmp(name - 5, "/sbin", 5) == 0)
               ? name + 1
               : NULL;
}

/* What the launcher looks for is its own; a stub has no name. */
static void record_sought(struct recorder *recorder, pid_t pid, const char *name, bool is_found)
{
    struct trace *trace = &recorder->trace;
    cleanup_free char *program = read_link(pid, "exe", S_IFREG);

    if (program == NULL || strcmp(strrchr(program, '/') + 1, "AppRun") == 0)
        return;
    for (size_t i = 0; i < trace->sought_count; i++) {
        if (strcmp(trace->sought[i].name, name) == 0) {
            trace->sought[i].is_found |= is_found;
            return;
        }
    }
    if (trace->sought_count == TRACE_SOUGHT_MAX)
        return;
    trace->sought = xgrow(trace->sought, &recorder->sought_capacity, trace->sought_count,
                          sizeof(*trace->sought));
    trace->sought[trace->sought_count++] = (struct trace_sought){xstrdup(name), is_found};
}

/* A call begins that opens, executes or looks for something. False: its end is of no interest. */
static bool begin_call(struct recorder *recorder, pid_t pid)
{
    struct tracee *tracee = find_tracee(recorder, pid);
    struct __ptrace_syscall_info info = {0};

    if (tracee == NULL || ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof(info), &info) <= 0 ||
        info.op != PTRACE_SYSCALL_INFO_SECCOMP)
        return false;
    free(tracee->path);
    tracee->path = NULL;
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        if ((uint64_t)calls[i].number != info.seccomp.nr)
            continue;
        tracee->path = read_string(pid, info.seccomp.args[calls[i].path]);
        tracee->kind = calls[i].kind;
    }
    return tracee->kind != CALL_LOOKS || program_name(tracee->path) != NULL;
}

static void record_opened(struct recorder *recorder, pid_t pid, struct tracee *tracee, long long fd)
{
    bool is_absolute = tracee->path != NULL && tracee->path[0] == '/';
    cleanup_free char *link = xasprintf("fd/%lld", fd);
    cleanup_free char *details = xasprintf("/proc/%d/fdinfo/%lld", (int)pid, fd);
    FILE *file = fopen(details, "re");
    unsigned int flags = 0;

    if (file != NULL) {
        if (fscanf(file, "pos: %*s flags: %o", &flags) != 1)
            flags = O_RDONLY;
        (void)fclose(file);
    }
    if ((flags & O_PATH) == 0)
        record(recorder, pid,
               (struct trace_file){.path = read_link(pid, link, S_IFREG),
                                   .name = is_absolute ? xstrdup(tracee->path) : NULL,
                                   .is_written = (flags & O_ACCMODE) != O_RDONLY});
}

/* It ends. A process that has executed something says so by another event. */
static void end_call(struct recorder *recorder, pid_t pid)
{
    struct tracee *tracee = find_tracee(recorder, pid);
    struct __ptrace_syscall_info info = {0};

    if (tracee == NULL || ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof(info), &info) <= 0 ||
        info.op != PTRACE_SYSCALL_INFO_EXIT)
        return;
    if (tracee->kind == CALL_LOOKS) {
        record_sought(recorder, pid, program_name(tracee->path), !info.exit.is_error);
        return;
    }
    /* Names of files that are not there say something only where they are; of a file that cannot be
     * written we look where that is. */
    if (info.exit.is_error && info.exit.rval == -EROFS && tracee->path != NULL &&
        tracee->path[0] != '/') {
        cleanup_free char *dir = read_link(pid, "cwd", S_IFDIR);
        cleanup_free char *path = tracee->path;
        size_t dot = strncmp(path, "./", 2) == 0 ? 2 : 0;

        tracee->path = dir != NULL ? xasprintf("%s/%s", dir, path + dot) : NULL;
    }
    if (info.exit.is_error && tracee->path != NULL && tracee->path[0] == '/') {
        struct trace_file failed = {
            .error = (int)-info.exit.rval,
            .is_executed = tracee->kind == CALL_EXECUTES,
        };

        failed.path = steal_ptr(&tracee->path);
        record(recorder, pid, failed);
    } else if (!info.exit.is_error && tracee->kind == CALL_OPENS) {
        record_opened(recorder, pid, tracee, info.exit.rval);
    }
}

/* One that cannot be let go would stop for ever, and we with it. */
static void let_go(enum __ptrace_request how, pid_t pid, int signal)
{
    if (ptrace(how, pid, NULL, (void *)(intptr_t)signal) != 0 && errno != ESRCH)
        (void)kill(pid, SIGKILL);
}

/* How a stopped thread goes on. */
static void go_on(struct recorder *recorder, pid_t pid, int status)
{
    int signal = WSTOPSIG(status);
    int event = status >> 16;
    unsigned long message = 0;

    switch (event) {
    case PTRACE_EVENT_SECCOMP:
        let_go(begin_call(recorder, pid) ? PTRACE_SYSCALL : PTRACE_CONT, pid, 0);
        return;
    case PTRACE_EVENT_FORK:
    case PTRACE_EVENT_VFORK:
    case PTRACE_EVENT_CLONE:
        if (ptrace(PTRACE_GETEVENTMSG, pid, NULL, &message) == 0)
            announce_tracee(recorder, (pid_t)message);
        break;
    case PTRACE_EVENT_EXEC:
        /* A thread that executes takes over its leader's number. */
        if (ptrace(PTRACE_GETEVENTMSG, pid, NULL, &message) == 0 && (pid_t)message != pid)
            drop_tracee(recorder, (pid_t)message);
        record(recorder, pid,
               (struct trace_file){.path = read_link(pid, "exe", S_IFREG), .is_executed = true});
        break;
    case PTRACE_EVENT_STOP:
        add_tracee(recorder, pid);
        if (signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU) {
            let_go(PTRACE_LISTEN, pid, 0);
            return;
        }
        break;
    default:
        if (signal == (SIGTRAP | 0x80)) {
            end_call(recorder, pid);
            break;
        }
        let_go(PTRACE_CONT, pid, signal);
        return;
    }
    let_go(PTRACE_CONT, pid, 0);
}

static void end_rest(const struct recorder *recorder)
{
    for (size_t i = 0; i < recorder->tracee_count; i++)
        (void)kill(recorder->tracees[i].pid, SIGKILL);
}

static bool watch(struct recorder *recorder, struct err *err)
{
    announce_tracee(recorder, recorder->first);
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
        if (pid != recorder->first)
            continue;
        recorder->trace.exit_code =
            WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        end_rest(recorder);
    }
    return true;
}

static int compare_triples(const void *left, const void *right)
{
    const struct trace_file *a = left;
    const struct trace_file *b = right;

    int order = strcmp(a->path, b->path);

    if (order == 0)
        order = strcmp(a->program, b->program);
    return order != 0 ? order : a->error - b->error;
}

static int compare_files(const void *left, const void *right)
{
    const struct trace_file *a = left;
    const struct trace_file *b = right;
    int order = compare_triples(a, b);

    return order != 0 ? order : (a->order > b->order) - (a->order < b->order);
}

static void unite(struct trace *trace)
{
    size_t kept = 0;

    if (trace->count > 0)
        qsort(trace->files, trace->count, sizeof(*trace->files), compare_files);
    for (size_t i = 0; i < trace->count; i++) {
        struct trace_file *file = &trace->files[i];
        struct trace_file *last = kept == 0 ? NULL : &trace->files[kept - 1];

        if (last != NULL && compare_triples(last, file) == 0) {
            last->is_executed |= file->is_executed;
            last->is_written |= file->is_written;
            release_file(file);
        } else {
            trace->files[kept++] = *file;
        }
    }
    trace->count = kept;
}

static void recorder_release(struct recorder *recorder)
{
    while (recorder->tracee_count > 0)
        drop_tracee(recorder, recorder->tracees[0].pid);
    free(recorder->tracees);
    free(recorder->early);
}

bool trace_run(struct trace *ret, int (*run)(void *context), void *context, struct err *err)
{
    cleanup_with(recorder_release) struct recorder recorder = {0};
    bool ok = start(&recorder, run, context, err) && watch(&recorder, err);

    if (ok && recorder.overflowed)
        ok = err_set(err, ERR_INPUT, "the program opens too many files");
    unite(&recorder.trace);
    if (!ok) {
        trace_release(&recorder.trace);
        return err_id(err, "E-TRACE");
    }
    *ret = recorder.trace;
    return true;
}

struct command {
    const char *text;
    const char *dir;
};

static int run_command(void *context)
{
    const struct command *command = context;

    if (chdir(command->dir) == 0 && dup2(STDERR_FILENO, STDOUT_FILENO) >= 0 && trace_begin())
        (void)execl("/bin/sh", "sh", "-c", command->text, (char *)NULL);
    return NOT_STARTED;
}

bool trace_command(struct trace *ret, const char *command, const char *dir, struct err *err)
{
    struct command context = {command, dir};

    if (!trace_run(ret, run_command, &context, err))
        return false;
    if (ret->exit_code != NOT_STARTED)
        return true;
    trace_release(ret);
    (void)err_set(err, ERR_INPUT, "'%.200s' could not be run", command);
    (void)err_hint(err, "try the command by itself, in the application's directory");
    return err_id(err, "E-TRACE");
}

void trace_release(struct trace *trace)
{
    for (size_t i = 0; i < trace->count; i++)
        release_file(&trace->files[i]);
    for (size_t i = 0; i < trace->sought_count; i++)
        free(trace->sought[i].name);
    free(trace->files);
    free(trace->sought);
    *trace = (struct trace){0};
}
