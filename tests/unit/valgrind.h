/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Valgrind makes a fork() of vfork(): no caller of posix_spawn(3) learns there that nothing could
 * be started, the child just ends with code 127. Tests of that error have nothing to see in it.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static inline bool is_in_valgrind(void)
{
    const char *preloaded = getenv("LD_PRELOAD");

    return preloaded != NULL && strstr(preloaded, "/vgpreload_") != NULL;
}
