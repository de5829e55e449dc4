/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What a script reads beside itself: the files and directories that it names by literals and
 * __dir__ or __FILE__ (standalone.rb), and those that a recorded run of it has read there.
 *
 * Secrets, databases and caches (selection.h) are not packed, also where they are named; of
 * directories, they are left out.
 */
#include <stdbool.h>

struct app;
struct err;
struct probe;
struct plan;
struct report;
struct trace;

/* For a script whose own files, and all else, are planned; does nothing for other applications.
 * Says what it adds, and warns of what the script names and it does not add. */
[[nodiscard]] bool beside_plan(const struct app *app, const struct probe *probe,
                               const struct trace *trace, const struct report *report,
                               struct plan *plan, struct err *err);
