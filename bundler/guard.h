/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Work that leaves nothing when it is interrupted, or dies.
 *
 * It is done by a child process; this one only waits. On SIGINT, SIGTERM or SIGHUP it passes the
 * signal on, gives the child a moment, then kills whatever the child has started, wherever that
 * hides (PR_SET_CHILD_SUBREAPER), removes the temporary directories of both (tempdir.h), and ends
 * by the same signal: a shell sees 130, 143 or 129. A signal that was ignored stays ignored. What
 * the child was writing has no name yet (output.h). Only SIGKILL leaves the directories.
 */
#include <stdbool.h>

struct err;

/* Done in the child. May print; changes of memory are lost. */
typedef bool guard_work(void *context, struct err *err);

/*
 * True when the work is. Its err otherwise; E-KILLED when a signal ended it. Without a second
 * process (EAGAIN) ERR_SYSTEM. No threads may run yet.
 */
[[nodiscard]] bool guard_run(guard_work *work, void *context, struct err *err);
