/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Where a state comes from: a small text file in it, which moves with it.
 *
 *     lineage 9f86d081884c7d659a2feaa0c55ad015    born with the first snapshot, kept by a restore
 *     epoch 2          restores so far
 *     number 41        snapshots so far
 *     rows 1234        at the last snapshot, as manifest_measure() counts them
 *     files 56
 *
 * Of two states of one lineage, the one with the greater epoch, then number, is further in
 * the life of the site: a snapshot of the older one must not take the place of its successor's.
 */
#include <stdbool.h>
#include <stdint.h>

#include "runtime/keeper/digest.h"

struct err;

#define LINEAGE_PATH "data/.lineage"

struct lineage {
    uint8_t id[DIGEST_ID_SIZE];
    uint64_t epoch;
    uint64_t number;
    uint64_t rows;
    uint64_t files;
};

/* Reads dirfd/LINEAGE_PATH; *ret_found false when there is none. E-LINEAGE when it is damaged. */
[[nodiscard]] bool lineage_read(int dirfd, struct lineage *ret, bool *ret_found, struct err *err);

/* Replaces it in one step, with the owner of the directory. */
[[nodiscard]] bool lineage_write(int dirfd, const struct lineage *lineage, struct err *err);

/* A new one, of no snapshot yet. */
[[nodiscard]] bool lineage_begin(struct lineage *ret, struct err *err);

/* Less than, equal to or greater than 0, by epoch and number. */
int lineage_compare(const struct lineage *a, const struct lineage *b);
bool lineage_same(const struct lineage *a, const struct lineage *b);
