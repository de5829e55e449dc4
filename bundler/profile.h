/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The boot profile (FORMAT_PROFILE): the files that a watched start has opened, in its order. A
 * start on a server reads them ahead of itself (runtime/launch/replay.h).
 */
#include <stdbool.h>

struct err;
struct plan;
struct start;

/*
 * Marks what the start reads of the plan as early, and adds the profile unless that is not wanted.
 * Of the sources that are in the pack of compiled ones only the names are needed.
 */
[[nodiscard]] bool profile_plan(const struct start *start, bool has_pack, bool is_wanted,
                                struct plan *plan, struct err *err);

/* Takes that back. */
void profile_forget(struct plan *plan);
