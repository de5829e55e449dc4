/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Programs that are Ruby scripts, by their first line: "#!/usr/bin/env ruby". The launcher gives
 * them to the bundle's Ruby itself: the host need not have env, and what `ruby` it has is not ours.
 */
#include <stdbool.h>

enum { SCRIPT_WORDS_MAX = 8, SCRIPT_LINE_MAX = 256 };

struct script {
    char line[SCRIPT_LINE_MAX];
    char *options[SCRIPT_WORDS_MAX + 1]; /* of the interpreter: "-w"; NULL-terminated */
};

/* False when the file is none, or cannot be read. */
bool script_read(struct script *ret, const char *path);
