/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * How many objects Ruby's heap begins with.
 *
 * To parse sources makes garbage, by which the heap of a Ruby grows while it starts. Compiled
 * sources leave none: the heap would stay small, and an app that serves collect twice as often,
 * with longer pauses (bench/serve). So it begins with as many slots as it would have got.
 *
 * Ruby takes the number from RUBY_GC_HEAP_INIT_SLOTS (ruby(1)). From 3.3 on it has one for each
 * size of slots instead (its NEWS), and ignores this one. The guest takes ours, which begins with
 * FORMAT_HEAP_MARK, out of the environment when Ruby has read it.
 */
#include <stdbool.h>

struct bundle;

/*
 * Sets the variable by the size of the compiled sources: for the start of the app, whose they are.
 * Not where there are none, or where the user tunes the heap. Never fails.
 */
void heap_prepare(const struct bundle *bundle, bool is_cli);

/* Takes it back where Ruby would speak of it: it has words like `-w`. argv: of ruby. */
void heap_hush(char *const argv[]);
