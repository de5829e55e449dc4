/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * System calls about processes that musl has no wrapper for (or only newer versions).
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* pidfd_open(2), close-on-exec; -1 with errno, ENOSYS before Linux 5.3. */
int process_open(pid_t pid);

/* False once the process has ended, reaped or not. Without pidfds a zombie counts as running. */
[[nodiscard]] bool process_runs(pid_t pid);

/*
 * Waits until *word is not 0, which a child that shares our memory sets and wakes us for
 * (process_tell()). False when the child has ended before.
 */
[[nodiscard]] bool process_await(atomic_int *word, pid_t child);
void process_tell(atomic_int *word, int value);

/*
 * Whether all other processes around us end with this one, and no process of ours can outlive it:
 * it is the first of a pid namespace (pid_namespaces(7)), or the child of one that only waits for
 * it (docker run --init). systemd as the first one does not.
 */
[[nodiscard]] bool process_ends_all(void);

/* How many processors this process may use; at least one. */
size_t process_cpus(void);

/*
 * Closes every descriptor but those in keep[] (count of them; entries below 0 are skipped). Sorts
 * keep.
 */
void process_close_fds(int *keep, size_t count);

/* Milliseconds of a clock that nobody sets. */
uint64_t process_now_ms(void);
