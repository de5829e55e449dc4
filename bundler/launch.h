/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Writes the launch file (common/launchfile.h) of an image, and the profile, which looks the same.
 */
#include <stdbool.h>
#include <stddef.h>

struct err;

struct launch {
    char *text;
    size_t size_bytes;
    bool is_bad; /* a field could not be written; launch_finish() reports it */
    char bad_field[128];
};

void launch_init(struct launch *launch);
void launch_release(struct launch *launch);

/* Whether it can be a field. */
bool launch_is_writable(const char *field);

/* Adds a record; the fields end with NULL. A tab, newline or control character makes it bad. */
[[gnu::sentinel]] void launch_add(struct launch *launch, const char *key, ...);

/* E-NAME when a record could not be written, or when the file is larger than its limit. */
[[nodiscard]] bool launch_finish(const struct launch *launch, struct err *err);
