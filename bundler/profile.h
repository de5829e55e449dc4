/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The boot profile (FORMAT_PROFILE): the files that a watched start has opened, in its order. A
 * start on a server reads them ahead of itself (runtime/launch/replay.h).
 */
#include <stdbool.h>

struct err;
struct plan;
struct trace;

/*
 * Marks what a start will read of the plan as early, by the trace of a check boot, and adds the
 * profile unless that is not wanted. Of the sources that are in the pack only the names are needed.
 * Order is that of the app's first thread: what others open could stand elsewhere next time, so it
 * follows by name.
 */
[[nodiscard]] bool profile_plan(const struct trace *trace, bool has_pack, bool is_wanted,
                                struct plan *plan, struct err *err);
