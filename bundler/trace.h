/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A recorded run: what a command and all processes that it starts open and execute.
 *
 * ptrace(2) sees every process, also those of static programs; a seccomp filter (seccomp(2),
 * SECCOMP_RET_TRACE) lets only the calls that open or execute stop, so that a run takes little
 * longer than without. Needs Linux 5.3 (PTRACE_GET_SYSCALL_INFO). Calls of another architecture (a
 * 32 bit program) are not seen. Setuid programs run without their rights.
 */
#include <stdbool.h>
#include <stddef.h>

struct err;

enum { TRACE_FILES_MAX = 1 << 20 };

struct trace_file {
    char *path;       /* absolute, resolved; a regular file that was opened or executed */
    char *program;    /* the program that opened it; for one that was executed, itself */
    bool is_executed; /* a program, not a file that was opened */
    bool is_written;  /* opened for writing */
};

struct trace {
    struct trace_file *files; /* by path, then program; no pair twice */
    size_t count;
    int exit_code; /* of the command; 128 + signal when a signal ended it */
};

/*
 * Runs the command by /bin/sh in the directory, with our environment, its stdout joined to our
 * stderr. What is still running when it has ended is ended. E-TRACE when this system does not allow
 * it, when the command cannot be run, or when it opens more than TRACE_FILES_MAX files.
 */
[[nodiscard]] bool trace_run(struct trace *ret, const char *command, const char *dir,
                             struct err *err);
void trace_release(struct trace *trace);
