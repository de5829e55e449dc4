/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Which files of an application's tree are packed: all but history, secrets, caches, state and
 * what only development needs. `include:` and `exclude:` of the configuration decide first, the
 * former before the latter. A pattern without '/' is of a name anywhere (fnmatch(3)). What secrets
 * are is secret.h's to say; --allow-secret packs one.
 */
#include <stdbool.h>

struct app;
struct err;
struct plan;
struct report;

/* Whether a path of a tree is one of those by its own name: "log", "config/master.key". */
bool selection_is_excluded(const char *relative);

/* Adds the application's tree, and says which secrets of it are left out. */
[[nodiscard]] bool selection_plan(const struct app *app, const struct report *report,
                                  struct plan *plan, struct err *err);
