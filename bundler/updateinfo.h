/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Update information: where AppImage tools find a newer version of the file that carries it, in its
 * section .upd_info (AppImage specification, "Update information"):
 *
 *     zsync|URL                                  of a .zsync file
 *     gh-releases-zsync|OWNER|REPO|TAG|FILE      of a release on GitHub; FILE may hold *
 *     pling-v1-zsync|NUMBER|FILE                 of a product on Pling
 */
#include <stdbool.h>

struct err;

/* ERR_USAGE with what is wrong. */
[[nodiscard]] bool updateinfo_check(const char *text, struct err *err);
