/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Compresses ahead of the image: while a first draft starts, which keeps one processor busy,
 * another one fills the cache of blocks with those that are known already, the whole ones of large
 * files. The image is the same without; what is not done in time, its own threads do.
 */
struct ahead;
struct plan;

/* NULL where there is no second processor, or no cache. The plan is not looked at afterwards. */
[[nodiscard]] struct ahead *ahead_begin(const struct plan *plan, int level);
void ahead_end(struct ahead *ahead); /* waits for the block that is at work */
