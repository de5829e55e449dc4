/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Directories beside the file that stand in for the user's own: <file>.home, .config, .share,
 * .cache (AppImage convention).
 */
#include <stdbool.h>

struct err;

/* kind: "home", "config", "share" or "cache". *ret_existed: it was there already. */
[[nodiscard]] bool portable_make(const char *file, const char *kind, bool *ret_existed,
                                 struct err *err);

/* Points HOME and XDG_*_HOME at those that exist. */
[[nodiscard]] bool portable_apply(const char *file, struct err *err);
