/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * `FILE backup`: databases first, so that no row points to a file that is missing; then files; the
 * snapshot complete or not there at all; its lineage noted in the state last.
 */
#include <stdbool.h>

struct err;
struct options;
struct site;

[[nodiscard]] bool backup_run(struct site *site, const struct options *options, struct err *err);
