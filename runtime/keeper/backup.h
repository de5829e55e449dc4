/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * `FILE backup`: databases first, so that no row points to a file that is missing; then files; the
 * snapshot complete or not there at all. When it is complete, its lineage is noted in the state,
 * and then it gets its name and is delivered: numbers of snapshots that came nowhere are gaps.
 */
#include <stdbool.h>

struct err;
struct options;
struct site;

/* site is open and not yet entered. E-DBBUSY, E-DATABASE, E-EMPTY, E-LINEAGE, E-LINK, E-NAME,
 * E-OUTPUT, E-PUSH, E-READ, E-SCHEMA, E-SPACE, E-WRITE. */
[[nodiscard]] bool backup_run(struct site *site, const struct options *options, struct err *err);
