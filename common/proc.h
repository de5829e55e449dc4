/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Sub-processes: argv arrays, never a shell.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

struct proc_request {
    const char *const *argv; /* NULL-terminated; argv[0] is searched in PATH */
    const char *const *envp; /* NULL-terminated; NULL: our own environment */
    const char *cwd;         /* NULL: ours */
    size_t output_max_bytes; /* more output than this is an error */
    /* 0: no limit. Else the program leads a process group of its own, which signals of the terminal
     * do not reach, and which is killed after that time. */
    unsigned int timeout_ms;
    bool stops_at_line; /* is sent SIGTERM as soon as it has printed a line */
};

struct proc_output {
    char *out; /* NUL-terminated; owned */
    size_t out_size;
    char *errors; /* the same of stderr */
    size_t errors_size;
    int exit_code; /* 128 + signal when a signal ended it */
    bool timed_out;
    uint64_t elapsed_us; /* until both outputs were closed, or to the line that it stops at */
};

/*
 * Runs the program with stdin from /dev/null, collects both outputs and waits. An exit code other
 * than 0 is not an error here. ERR_SYSTEM when it could not be started; ENOENT when there is no
 * such program.
 */
[[nodiscard]] bool proc_capture(const struct proc_request *request, struct proc_output *ret,
                                struct err *err);
void proc_output_release(struct proc_output *output);

/* The same in two steps, between which the program runs beside us. Of the request, argv must live
 * until the second, which ends the run whether it succeeds or not. The first returns NULL when
 * there is nothing to end. */
struct proc_run;
[[nodiscard]] struct proc_run *proc_start(const struct proc_request *request, struct err *err);
[[nodiscard]] bool proc_finish(struct proc_run *run, struct proc_output *ret, struct err *err);

/* Microseconds of a clock that is never set. */
uint64_t proc_clock_us(void);
