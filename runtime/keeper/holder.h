/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Who has the state open: by the descriptors of all processes that we may look at (proc(5)).
 */
#include <stdbool.h>
#include <sys/types.h>

struct inventory;

struct holder {
    pid_t pid;
    char command[32]; /* as ps shows it; not to be trusted on a terminal */
};

/* The first process but us that has the lock file or a database, or one of its side files, open. */
bool holder_find(struct holder *ret, int statefd, const struct inventory *inventory);
