/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * SIGINT, SIGTERM and SIGHUP as errors: what is half done is taken back on the way out.
 */
#include <stdbool.h>

struct err;

/* From now on these signals are noticed; those that were ignored stay so (nohup). SIGPIPE is an
 * error of write(2). */
void interrupt_watch(void);

/* False when one came. To be asked in every loop that takes long. */
[[nodiscard]] bool interrupt_check(struct err *err);

/* Whether one came, without an error. */
bool interrupt_came(void);

/* Ends the program by the signal that came, as if it had not been noticed; returns if none did. */
void interrupt_end(void);
