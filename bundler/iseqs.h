/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Packs of compiled sources (common/iseqpack.h): read from Ruby, which has compiled some of them,
 * and written for the bundle.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

/* One source: the blob, and the offsets in it of words that point to texts with the root. */
struct iseqs_source {
    char *path;  /* in the image */
    char *value; /* uint32_t: how many offsets; then those; then the blob */
    size_t size_bytes;
};

struct iseqs {
    struct iseqs_source *sources;
    size_t count;
};

/* ERR_INPUT when it is no pack. */
[[nodiscard]] bool iseqs_read(struct iseqs *ret, const char *bytes, size_t size_bytes,
                              struct err *err);
/* Takes neither path nor value, copies both. False for a value that is none. */
[[nodiscard]] bool iseqs_add(struct iseqs *iseqs, const char *path, const char *value,
                             size_t size_bytes);
void iseqs_release(struct iseqs *iseqs);

/* Of what was read: it is sorted by Ruby. NULL: there is none of that path. */
const struct iseqs_source *iseqs_find(const struct iseqs *iseqs, const char *path);

/*
 * The pack with all of them, owned by the caller. Those of the application come last, and what
 * stands before the blobs has room to grow: a line that changes leaves most of the bytes where they
 * are. Sorts the sources. ERR_INPUT when it would not fit the format.
 */
[[nodiscard]] bool iseqs_write(struct iseqs *iseqs, char **ret, size_t *ret_size, struct err *err);
