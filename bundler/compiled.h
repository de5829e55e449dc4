/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Compiled sources: what a start has loaded is compiled by the Ruby that runs it, so that no start
 * on a server parses it again (common/iseqpack.h).
 */
#include <stdbool.h>
#include <stddef.h>

struct err;
struct plan;
struct trace;

struct compiled {
    size_t count;  /* sources in the pack; 0: there is none */
    char *why_not; /* this Ruby's reason, owned; or NULL */
};

/*
 * Adds the pack, and what reads it at start, for the Ruby sources of the plan that were opened in
 * the trace of a check boot. ruby is the program as it stands on this machine. A Ruby that cannot
 * do it is no failure.
 */
[[nodiscard]] bool compiled_plan(struct compiled *ret, const struct trace *trace, const char *ruby,
                                 struct plan *plan, struct err *err);
void compiled_release(struct compiled *compiled);
