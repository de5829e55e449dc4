/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Directories that the tool needs only while it runs. They are in $TMPDIR, if that is absolute and
 * free of blanks (RUBYOPT cannot quote them), else in /tmp. Who makes one removes it; where the
 * program ends before, by exit(3), it goes by itself.
 */
#include <stdbool.h>

struct err;

/* Makes a new one, which only we can enter; its path is owned by the caller. E-TMP. */
[[nodiscard]] bool tempdir_make(char **ret, struct err *err);

/* With all that is in it, and frees the path; NULL is fine. E-TMP. */
bool tempdir_remove(char *dir, struct err *err);

/*
 * From now on all of them, also those of child processes, are made in one of a name that nobody can
 * guess: it is made with the first one. tempdir_remove_reserved() removes it with all that is left
 * in it.
 */
void tempdir_reserve(void);
void tempdir_remove_reserved(void);

/* Removes that one if none is in it now: for the long work that needs none. */
void tempdir_tidy(void);
