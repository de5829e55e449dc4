/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What a start of the bundle reads of its image: learned from the trace of a check boot, and kept
 * for the next build of the same application, which so needs no first draft.
 *
 * A kept one is a guess, and the check boot of the file that was made by it tells whether it was
 * right: sources are opened by Ruby (rb_file_load_ok() in file.c) before it asks for compiled ones,
 * specifications by runtime/guest/operating_system.rb, so the trace is the same with and without
 * them.
 */
#include <stdbool.h>
#include <stddef.h>

struct boot;

struct start_file {
    char *real;       /* image path, without symlinks */
    char *name;       /* image path as it was loaded; NULL: by no absolute path */
    bool is_executed; /* a program, not a file that was opened */
};

struct start {
    /* As the app's first thread opened them; what others did could come elsewhere next time, so it
     * follows by name. None twice; without the pack of compiled sources. */
    struct start_file *files;
    size_t count;
};

/* Never fails: a boot of which nothing was seen is a start that reads nothing. */
void start_learn(struct start *ret, const struct boot *boot);
void start_release(struct start *start);
/* Whether both read the same in the same order. */
bool start_equals(const struct start *a, const struct start *b);

/* By anything that tells applications apart. False: nothing is kept. */
[[nodiscard]] bool start_recall(struct start *ret, const char *application);
void start_keep(const struct start *start, const char *application);
