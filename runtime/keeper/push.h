/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Giving a complete snapshot to a command: nothing is sent that could still fail to be written.
 */
#include <stdbool.h>

struct err;

/*
 * Runs the command with the file at its standard input, from its beginning, and waits. Simple
 * commands need no shell (common/words.h). RUCKSACK_SNAPSHOT is its name. What it prints goes to
 * the descriptor output. E-PUSH when the command does not end well.
 */
[[nodiscard]] bool push_run(const char *command, int fd, const char *name, int output,
                            struct err *err);
