/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * /opt/NAME as a whole: whether it is ours, and its end.
 *
 * Others have such directories, too, with `releases` and `current` in them (Capistrano), and their
 * databases below. So one is ours only with the file of settings and nothing in it that we do not
 * make, and what is removed is named, piece by piece.
 */
#include <stdbool.h>

struct err;

/* E-TAKEN when it is there and somebody else's. */
[[nodiscard]] bool tree_check(const char *name, struct err *err);

/* Whether there is one with the mark of ours, a half installation's, too. */
bool tree_is_ours(const char *name);

/* Removes what is ours, but no release whose image is still mounted. False: something is left. */
bool tree_remove(const char *name);
