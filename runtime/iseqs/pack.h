/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Reads the pack of common/iseqpack.h: finds a source, and makes its blob for the root at which the
 * image is now. What MRI finds in a blob is its own matter; everything else is checked here before
 * it is used. Allocates nothing.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/iseqpack.h"

enum { PACK_MAX = 1 << 30 }; /* bytes of a pack, and of a blob that is made */

struct pack {
    const unsigned char *bytes;
    size_t size;
    const struct iseqpack_entry *entries;
    uint32_t count;
    const char *root; /* borrowed; absolute, without a '/' at its end */
    size_t root_size;
};

/* False for what is no pack. bytes, aligned to 4, and root are borrowed. */
bool pack_open(struct pack *ret, const void *bytes, size_t size, const char *root);

/* NULL when it has none for this path below the root, or a damaged one. */
const struct iseqpack_entry *pack_find(const struct pack *pack, const char *path);

/* How many bytes the blob has for this root; 0: damaged. */
size_t pack_measure(const struct pack *pack, const struct iseqpack_entry *entry);

/* What MRI calls its encodings in a blob (encindex.h, enum ruby_preserved_encindex). */
enum pack_encoding { PACK_UTF_8 = 1, PACK_US_ASCII = 2 };

/* Writes it: so many bytes as pack_measure() said. Texts with the root in them, which are UTF-8 in
 * the pack, have this encoding. */
void pack_fill(const struct pack *pack, const struct iseqpack_entry *entry,
               enum pack_encoding encoding, unsigned char *to, size_t size);
