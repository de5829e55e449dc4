/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Release at the end of a scope, and the one way to keep what would be released.
 *
 *     cleanup_free char *path = ...;
 *     return steal_ptr(&path);
 *
 * Every release function accepts the value of a variable that was never filled: NULL, -1.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* What the macros below call at the end of a scope, with the address of the variable. */
static inline void cleanup_free_value(void *ptr)
{
    free(*(void **)ptr);
}

static inline void cleanup_fd_value(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static inline void cleanup_file_value(FILE **file)
{
    if (*file != NULL)
        fclose(*file);
}

static inline void cleanup_dir_value(DIR **dir)
{
    if (*dir != NULL)
        closedir(*dir);
}

#define cleanup_with(release) __attribute__((cleanup(release)))
#define cleanup_free cleanup_with(cleanup_free_value)
#define cleanup_fd cleanup_with(cleanup_fd_value)
#define cleanup_file cleanup_with(cleanup_file_value)
#define cleanup_dir cleanup_with(cleanup_dir_value)

/* Gives the pointer away: the variable is NULL afterwards, the value keeps its type. */
#define steal_ptr(variable)                                                                        \
    ({                                                                                             \
        __typeof__(variable) steal_from = (variable);                                              \
        __typeof__(*steal_from) steal_value = *steal_from;                                         \
        *steal_from = NULL;                                                                        \
        steal_value;                                                                               \
    })

/* The same of a descriptor: the variable is -1 afterwards. */
static inline int steal_fd(int *fd)
{
    int value = *fd;

    *fd = -1;
    return value;
}
