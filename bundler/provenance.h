/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * From which revision of its source an application is built, by git: of a tree that is a work tree
 * itself. Of one that only lies in a larger repository nothing is said: there each commit to
 * something else would make another bundle of the same files.
 */
#include <stdbool.h>

struct provenance {
    char *revision; /* hexadecimal; NULL: not known */
    bool is_dirty;  /* files of that revision are changed; new ones do not count */
};

/* Without git, or when it fails, nothing is known, which is never an error. */
void provenance_find(struct provenance *ret, const char *dir);
void provenance_release(struct provenance *provenance);

/* "4f2a... modified", or NULL. Owned by the caller. */
char *provenance_text(const struct provenance *provenance);
