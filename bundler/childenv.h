/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The environment of a program that the tool starts: ours, with changes.
 */

/*
 * Our variables but those of which an assignment begins with one of `without` ("HOME=", "XDG_"),
 * and then copies of `with`. Both end with NULL. Owned by the caller.
 */
[[nodiscard]] char **childenv_make(const char *const *without, const char *const *with);
void childenv_free(char **list);
