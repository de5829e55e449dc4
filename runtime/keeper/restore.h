/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * `FILE restore`: a snapshot is unpacked beside the state, checked as a whole, and then put in its
 * place in one step; what was there is kept (common/stateswap.h). Nothing of the old state, least
 * of all a side file of a database, can come together with the new one.
 */
#include <stdbool.h>

struct err;
struct options;
struct site;

/* site is open and not yet entered. E-SNAPSHOT, E-KEY, E-LINEAGE, E-DBBUSY, E-DATABASE, E-SPACE,
 * E-WRITE. What is then left of it, stateswap_take() says. */
[[nodiscard]] bool restore_run(struct site *site, const struct options *options, struct err *err);
