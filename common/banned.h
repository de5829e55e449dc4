/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Functions that cannot be used safely, as compile errors.
 *
 * Given to the compiler with -include, so that no source file can forget it. The standard headers
 * are included first: they may mention the names.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* With _FORTIFY_SOURCE and clang, glibc makes macros of some: only names that are none are poisoned
 * without a warning. */
#undef strcpy
#undef strcat
#undef sprintf
#undef vsprintf

#pragma GCC poison strcpy strcat sprintf vsprintf strtok gets atoi atol atoll
