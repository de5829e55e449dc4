/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Paths that match a pattern: *, ?, [...] and backslashes as in fnmatch(3), none of which matches a
 * slash, nor a dot in front of a name. What glob(3) does without flags, sorted by bytes.
 *
 * Not by glob(3): glibc's frees twice what it has found when there is no memory for more
 * (prefix_array() in posix/glob.c, seen in 2.36), and a crash leaves what an error would clean up.
 */
#include <stddef.h>

struct pattern_found {
    char **paths;
    size_t count;
    size_t capacity;
    int sys_errno; /* why a directory could not be opened, where this machine lacks something at the
                    * moment (EIO, EMFILE, ENFILE); 0: all could, or are not there or not for us */
};

/* Ends the program when there is no memory (xalloc.h). */
void pattern_find(struct pattern_found *ret, const char *pattern);
/* A pattern that matches nothing but this text. On the heap. */
char *pattern_quote(const char *text);

void pattern_release(struct pattern_found *found);
