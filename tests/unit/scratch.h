/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A directory for one test group, the working directory while it runs; gone afterwards.
 *
 *     return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"
#include "common/fs.h"

static char scratch_dir[64];

static inline int scratch_enter(void **state)
{
    (void)state;
    (void)snprintf(scratch_dir, sizeof(scratch_dir), "/tmp/rucksack-test.XXXXXX");
    return mkdtemp(scratch_dir) != NULL && chdir(scratch_dir) == 0 ? 0 : -1;
}

static inline int scratch_leave(void **state)
{
    struct err err = {0};

    (void)state;
    return chdir("/") == 0 && fs_remove_tree(AT_FDCWD, scratch_dir, &err) ? 0 : -1;
}

/* Replaces the file; a test that cannot write has nothing to say. */
static inline void scratch_write(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "we");

    if (file == NULL || fwrite(data, 1, size, file) != size || fclose(file) != 0)
        abort();
}
