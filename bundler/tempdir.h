/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Directories that the tool needs only while it runs. They are in $TMPDIR, if that is absolute and
 * free of blanks (RUBYOPT cannot quote them), else in /tmp. Who makes one removes it.
 */
#include <stdbool.h>

struct err;

/* Makes a new one, which only we can enter; its path is owned by the caller. E-TMP. */
[[nodiscard]] bool tempdir_make(char **ret, struct err *err);
