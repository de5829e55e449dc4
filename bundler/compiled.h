/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Compiled sources: what a start has loaded is compiled by the Ruby that runs it, so that no start
 * on a server parses it again (common/iseqpack.h).
 */
#include <stdbool.h>
#include <stddef.h>

struct err;
struct extras_pairs;
struct plan;
struct start;

struct compiled {
    size_t count;  /* sources in the pack; 0: there is none */
    char *why_not; /* this Ruby's reason, owned; or NULL */
};

/* Who compiles, and what. */
struct compiled_ruby {
    const char *program;               /* as it stands on this machine */
    const char *library;               /* libruby; NULL: the program is all of it */
    const struct extras_pairs *behind; /* sources by their real path, what comes behind them */
    bool no_cache;
};

/*
 * Adds the pack, and what reads it at start, for the Ruby sources of the plan that a start opens. A
 * Ruby that cannot do it is no failure.
 *
 * What comes out for a source depends on Ruby, on the source's bytes, what comes behind them, and
 * on its names in the image, and is kept for later builds by these.
 */
[[nodiscard]] bool compiled_plan(struct compiled *ret, const struct start *start,
                                 const struct compiled_ruby *ruby, struct plan *plan,
                                 struct err *err);
void compiled_release(struct compiled *compiled);

/* Takes back what it has added. */
void compiled_forget(struct plan *plan);
