/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Who uses a state directory: locks on ranges of one file in it.
 *
 * They are open file description locks (fcntl(2), Linux 3.15): they live as long as any process has
 * the descriptor, so one that is taken before execve(2) and inherited is held by the application
 * and its children, costs nothing meanwhile, and is gone with the last of them, however they end.
 */
#include <stdbool.h>

struct err;

#define STATELOCK_FILE ".lock"

enum statelock_part {
    STATELOCK_USE,    /* shared: the app, a snapshot; exclusive: who replaces the state */
    STATELOCK_BACKUP, /* exclusive: a snapshot being made */
    STATELOCK_CHECK,  /* exclusive: a restore drill */
    STATELOCK_SINGLE, /* and what follows it, exclusive: processes that may run but once */
};

/*
 * Takes one part of the lock in the directory, without waiting. The descriptor is not
 * close-on-exec, and out of the way of the numbers that programs know. sys_errno is EAGAIN when
 * another holds it; every other failure means that there can be no lock here (a read-only or
 * foreign directory, a file system without locks).
 */
[[nodiscard]] bool statelock_take(int dirfd, unsigned int part, bool is_exclusive, int *ret_fd,
                                  struct err *err);
