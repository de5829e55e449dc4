/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A process that does what another one would have done, if that one is killed before it can.
 *
 * It waits at a pipe whose other end only the guarded process has: the kernel closes that whatever
 * ended the process. Nobody can end both at once but by naming both, or by ending a whole
 * container, control group or (out of memory) address space.
 *
 * Where the guarded process shares memory with its creator, so does the guard, which then costs no
 * copy: until the end of the guarded process it only waits, and from then on has that one's
 * thread-local storage for itself. Locks of the C library may have died locked: deputize() must
 * not allocate memory or use streams.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct err;

struct guard {
    pid_t pid; /* 0: none */
    int fd;    /* the guarded process's end of the pipe, or -1 */
};

#define GUARD_NONE ((struct guard){.fd = -1})

struct guard_job {
    void (*deputize)(void *context);
    void *context; /* not the guarded process's own to change any more */
    int *keep;     /* the descriptors that deputize() needs; all others are closed. Sorted. */
    size_t keep_count;
    bool shares_memory;
};

/*
 * Starts the guard of the calling process, as its child. keep has room for one descriptor more.
 * When it returns the guard is up, and holds no other descriptors. On failure there is none, and
 * *ret is GUARD_NONE.
 */
[[nodiscard]] bool guard_start(struct guard *ret, const struct guard_job *job, struct err *err);

/* The guarded process ends as it should: there is nothing to be done for it. */
void guard_dismiss(struct guard *guard);

/* Ends the guard, and waits for that: afterwards it shares nothing with anybody. */
void guard_stop(struct guard *guard);
