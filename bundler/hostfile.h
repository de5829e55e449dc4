/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Files that every host has of its own or does without: what an app reads of them is no news, on
 * the build machine as in an empty root.
 */
#include <stdbool.h>

/* path: absolute, as it was opened. */
bool hostfile_is_expected(const char *path);
