/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Signals that end the program, put off until it has cleaned up.
 *
 * For work in short steps: between interrupt_hold() and interrupt_release() the first SIGINT,
 * SIGTERM or SIGHUP is only noted; who works asks interrupt_noted() between the steps, stops, and
 * releases. A second one of the same kind ends the program at once. A signal that was ignored stays
 * ignored (nohup).
 */
#include <stdbool.h>

/* Not within another one. */
void interrupt_hold(void);
/* Whether a signal has come since. */
[[nodiscard]] bool interrupt_noted(void);

/* Everything as it was before; a signal that was noted is delivered, and mostly does not return. */
void interrupt_release(void);
