/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * All of the app's processes at once, for development: the one case in which a process of ours
 * stays beside the app's.
 */
#include <stdbool.h>

struct bundle;
struct err;

/*
 * Starts all, each line of output behind the time and the name of the process, and waits until the
 * first ends or SIGINT, SIGTERM or SIGHUP comes: then all are told to end (SIGTERM, after ten
 * seconds SIGKILL). Environment and state must be ready. *ret_code: of the one that ended first, 0
 * after a signal.
 */
[[nodiscard]] bool group_run(const struct bundle *bundle, int *ret_code, struct err *err);
