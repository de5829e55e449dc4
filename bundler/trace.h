/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A recorded run: what a program and all processes that it starts open and execute, or try to.
 *
 * ptrace(2) sees every process, also those of static programs; a seccomp filter (seccomp(2),
 * SECCOMP_RET_TRACE) lets only the calls that open or execute stop, so that a run takes little
 * longer than without. Needs Linux 5.3 (PTRACE_GET_SYSCALL_INFO). Calls of another architecture (a
 * 32 bit program) are not seen. Setuid programs run without their rights.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct err;

enum { TRACE_FILES_MAX = 1 << 20, TRACE_SOUGHT_MAX = 1000 };

struct trace_file {
    char *path;    /* what was opened or executed, resolved; what was not found, as it was named */
    char *name;    /* as the call named it first, where that was absolute; or NULL */
    char *program; /* the program that opened it; for one that was executed, itself */
    int error;     /* 0, or the errno of an attempt that failed: of absolute paths, and EROFS */
    bool is_executed; /* a program, not a file that was opened */
    bool is_written;  /* opened for writing */
    pid_t thread;     /* that did so first */
    size_t order;     /* when, among all of the run: 1, 2, ... */
};

/*
 * A program that was looked for: who starts one by its bare name looks into each directory of PATH,
 * Ruby by stat(2). Such a directory is one that is called bin or sbin.
 */
struct trace_sought {
    char *name;
    bool is_found; /* in one of them */
};

struct trace {
    struct trace_sought *sought; /* each name once */
    size_t sought_count;
    struct trace_file *files; /* regular files, by path, program, error; no such triple twice */
    size_t count;
    int exit_code; /* of the first process; 128 + signal when a signal ended it */
};

/*
 * Runs main(context) in a process that is watched, with its descendants; what it returns is the
 * exit code. Nothing is recorded before trace_begin(). What is still running when that process has
 * ended is ended. E-TRACE when this system does not allow it, or when more than TRACE_FILES_MAX
 * files are opened.
 */
[[nodiscard]] bool trace_run(struct trace *ret, int (*run)(void *context), void *context,
                             struct err *err);

/* In a process below trace_run(): from now on, and in all its descendants. False with errno. */
[[nodiscard]] bool trace_begin(void);

/*
 * trace_run() of a command by /bin/sh in the directory, with our environment, its stdout joined to
 * our stderr. E-TRACE, too, when the command cannot be run.
 */
[[nodiscard]] bool trace_command(struct trace *ret, const char *command, const char *dir,
                                 struct err *err);
void trace_release(struct trace *trace);
