/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The files that a service consists of, before they are written: what --print shows is what is
 * written.
 *
 * Each file of ours begins with a line that says whose it is. One that is there and does not begin
 * so is somebody else's: it is never written over, nor removed.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

struct err;

struct plan_file {
    char *path;
    char *text;
    mode_t mode;
};

struct plan {
    char *mark; /* "# NAME: ...", the first line of each */
    struct plan_file *files;
    size_t count;
    size_t capacity;
};

void plan_init(struct plan *plan, const char *name);
void plan_release(struct plan *plan);

/* Takes text, which is put behind the mark. */
void plan_add(struct plan *plan, const char *path, char *text, mode_t mode);

/* Adds the files in dir that are ours, whatever wrote them: to be removed. */
void plan_add_existing(struct plan *plan, const char *dir);

/* Each file with its path and mode in front. */
void plan_print(const struct plan *plan, FILE *out);

/* E-TAKEN when a file is there that is not ours. */
[[nodiscard]] bool plan_check(const struct plan *plan, struct err *err);

/* Whether the file is there and begins as ours do. */
bool plan_owns(const struct plan *plan, const char *path);

/* Writes all of them that differ, each beside its place and renamed. Directories must be there. */
[[nodiscard]] bool plan_write(const struct plan *plan, struct err *err);

/* Removes what of it is ours. */
void plan_remove(const struct plan *plan);
