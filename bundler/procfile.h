/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Procfile: process types and their commands, "web: bundle exec puma -p $PORT", one a line.
 * Blank lines and those that begin with '#' are nothing. The types `release` and `console` are
 * what the configuration has under these names, not processes that run.
 */
#include <stdbool.h>

struct config;
struct err;

/*
 * Adds to the configuration what it does not have yet. *ret_found: whether the directory has a
 * Procfile. E-PROCFILE with the line on anything else than such lines.
 */
[[nodiscard]] bool procfile_read(const char *dir, struct config *config, bool *ret_found,
                                 struct err *err);
