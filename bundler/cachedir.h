/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Where the tool keeps what it can make again: $XDG_CACHE_HOME/rucksack, else ~/.cache/rucksack
 * (XDG Base Directory Specification). All of it can be deleted at any time.
 */
#include <stdbool.h>

struct err;

/* The directory of this name in it, made when it is not there; owned by the caller. E-OUTPUT when
 * the environment does not say where. */
[[nodiscard]] bool cachedir_make(const char *name, char **ret, struct err *err);
