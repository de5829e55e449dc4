/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Which files of an application's tree are packed: all but history, secrets, caches, state and
 * what only development needs. `include:` and `exclude:` of the configuration decide first, the
 * former before the latter. A pattern without '/' is of a name anywhere (fnmatch(3)).
 */
#include <stdbool.h>

struct config;
struct err;
struct plan;
struct states;

/* Whether a path of a tree is one of those by its own name: "log", "config/master.key". */
bool selection_is_excluded(const char *relative);

[[nodiscard]] bool selection_plan(const char *dir, const struct config *config,
                                  const struct states *states, struct plan *plan, struct err *err);
