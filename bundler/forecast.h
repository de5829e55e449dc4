/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What a build would pack, for `build --dry-run`; and each of its decisions, for `build -v`. A
 * decision is of a path with a reason of its own; what lies below it goes where it goes.
 */
#include <stdbool.h>

struct jdoc;
struct plan;
struct report;

/* On stderr: what is in and what is out, by path, with the reason. */
void forecast_explain(const struct plan *plan, const struct report *report);

/* On stdout: bytes, files, path and reason of all that would be packed, by path. */
void forecast_print(const struct plan *plan);

/* `entries`, `left_out`, `files` and `bytes` of docs/schema/plan.json, set in the document. */
void forecast_fill(const struct plan *plan, struct jdoc *document);
