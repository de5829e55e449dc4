/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What other images' starts have left, where all who could take it away were killed at once: the
 * app, its server and the server's guard.
 *
 * Looked for by each server as it begins, in the directory of its own place, by a thread of its
 * own: what is left may hang. Where there is nothing else in the directory, as is usual, that costs
 * one fstat(2).
 */
#include <stdbool.h>

struct place;

/*
 * Calls clear() under its lock for each other place that has no registered user and is no unpacked
 * tree, which is kept on purpose. Own and context must live as long as the process. When no thread
 * can be had, the next server has its turn.
 */
void sweep_start(const struct place *own, void (*clear)(struct place *left, void *context),
                 void *context);
