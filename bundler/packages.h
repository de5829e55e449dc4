/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The distribution's packages that a bundle has files of: for its manifest, its bill of materials
 * and its licences. Every object of the walk is asked about, and one file of each other directory
 * that is planned of Ruby and libraries.
 */
#include <stddef.h>

#include "bundler/owner.h"

struct plan;
struct walk;

struct packages_item {
    const char *kind; /* borrowed, as are name and version */
    const char *name;
    const char *version; /* or NULL */
};

struct packages {
    char **paths;         /* the objects of the walk, in its order, then other files */
    struct owner *owners; /* by path */
    size_t path_count;
    size_t object_count;         /* of the walk */
    struct packages_item *items; /* sorted by kind, name, version; none twice */
    size_t count;
};

/* root is put in front of the databases' paths, "" for this machine. */
void packages_find(struct packages *ret, const struct walk *walk, const struct plan *plan,
                   const char *root);
void packages_release(struct packages *packages);
