/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * From which revision of its source an application is built, by git: of a tree that is a work tree
 * itself. Of one that only lies in a larger repository nothing is said: there each commit to
 * something else would make another bundle of the same files. The repository is hostile: no program
 * that it names is started, nothing is fetched, and git itself says whether one of another user
 * counts (safe.directory).
 */
#include <stdbool.h>

struct provenance {
    char *revision; /* hexadecimal; NULL: not known */
    bool is_dirty;  /* files are changed, or new and neither ignored nor left out of
                     * bundles (selection.h); those of submodules, too */
};

/* Without git, or when it fails, nothing is known, which is never an error. */
void provenance_find(struct provenance *ret, const char *dir);
void provenance_release(struct provenance *provenance);

/* "4f2a... modified", or NULL. Owned by the caller. */
char *provenance_text(const struct provenance *provenance);
