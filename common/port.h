/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * $PORT of the processes of a bundle, as foreman counts: what the launcher sets, and what
 * `rucksack inspect` says of it.
 */
#include <stdbool.h>
#include <stddef.h>

/* Whether the command speaks of it at all. */
bool port_is_named(const char *command);

/* What the command itself takes where nobody has set PORT, the "3000" of ${PORT:-3000}; points into
 * the command, where other characters follow. NULL when one that speaks of PORT has no such default
 * somewhere, or the command speaks of none. */
const char *port_own_default(const char *command);

/* Of the process with that number, from 0: 5000, 5100 and so on. */
size_t port_of(size_t number);
