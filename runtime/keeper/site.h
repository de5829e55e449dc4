/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The site that is kept: what the bundle says of the app, and where its state is.
 */
#include <stdbool.h>
#include <stddef.h>

#include "common/launchfile.h"

struct err;
struct manifest;

struct site {
    const char *dir;  /* the state directory, absolute; borrowed */
    const char *file; /* the bundle's file; NULL when the image is unpacked; borrowed */
    const char *name; /* of the app */
    int fd;           /* of dir; -1 before site_enter() */
    struct launchfile_record *records;
    size_t count;
    char *text; /* private */
};

/* Reads the launch file of the image at root. */
[[nodiscard]] bool site_open(struct site *ret, const char *root, const char *dir, const char *file,
                             struct err *err);
void site_release(struct site *site);

/* Opens the state directory; E-EMPTY when there is none and it is not to be made, E-WRITE when it
 * cannot be used. */
[[nodiscard]] bool site_enter(struct site *site, bool is_made, struct err *err);

/* "<state directory>/path" on the heap. */
[[nodiscard]] char *site_path(const struct site *site, const char *path);

/* Adds the names of all secrets, and the fingerprints of those that are set. */
void site_add_secrets(const struct site *site, struct manifest *manifest);

/* E-KEY when one is set here that is not the one of the snapshot. *ret_unset names one that is not
 * set here and was there, or is NULL; borrowed from the manifest. */
[[nodiscard]] bool site_check_secrets(const struct site *site, const struct manifest *manifest,
                                      const char **ret_unset, struct err *err);
