/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A directory of snapshots, called NAME-20261123T021409Z.tar.zst or .capsule: later names sort
 * behind earlier ones. Files of other names are nobody's business here.
 */
#include <stdbool.h>
#include <stdint.h>

struct err;

/* The name for a snapshot of that time, on the heap. */
[[nodiscard]] char *retention_name(const char *app, int64_t seconds, bool is_capsule);

/* The path of the newest one, or the one that so many are newer than, on the heap; NULL when there
 * are no more. */
[[nodiscard]] char *retention_newest(const char *directory, const char *app, unsigned int newer);

/*
 * Removes all but the newest so many; *ret_removed. made: the name of the one just made, which is
 * one of those that stay, whatever time the clock gave it.
 */
[[nodiscard]] bool retention_apply(const char *directory, const char *app, const char *made,
                                   unsigned int keep, unsigned int *ret_removed, struct err *err);
