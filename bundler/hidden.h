/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Dependencies that no DT_NEEDED names: declared in .note.dlopen, written as a soname into
 * read-only data, or opened by name from Ruby. What is found on this machine joins the walk; what
 * is not is told to the user.
 */
#include <stdbool.h>
#include <stddef.h>

struct err;
struct extras;
struct plan;
struct walk;

struct hidden {
    struct walk *walk;
    struct plan *plan;
    struct extras *extras;
    size_t objects_done; /* of the walk; 0 at first */
};

/*
 * Looks into the objects that are new in the walk, and adds what they may open. Sets *ret_any when
 * there were any. E-LIB: an object declares a library as required, and it is not there.
 */
[[nodiscard]] bool hidden_objects(struct hidden *hidden, bool *ret_any, struct err *err);

/* Reads the Ruby files of gems and application in the plan, once. E-READ. */
[[nodiscard]] bool hidden_sources(struct hidden *hidden, struct err *err);

/* Tells of libraries that recipes should have packed: after everything else was planned. */
void hidden_left(struct hidden *hidden);
