/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * All records of a launch file at once, for the programs of a bundle that have a heap
 * (common/launchfile.h is for the one that has none).
 */
#include <stdbool.h>
#include <stddef.h>

#include "common/launchfile.h"

struct err;

/*
 * Reads size bytes of text, behind which there is a NUL, and changes them in place: the records
 * point into it. *ret, of *ret_count records without the first line, is owned by the caller. Not a
 * launch file of this version, or a line that is no record: ERR_INPUT.
 */
[[nodiscard]] bool launchlist_read(char *text, size_t size, struct launchfile_record **ret,
                                   size_t *ret_count, struct err *err);
