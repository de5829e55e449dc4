/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What concerns the state as a whole: snapshots, which a program of the image makes and restores
 * (runtime/keeper), and another state than the usual one.
 */
#include <stdbool.h>

struct bundle;
struct err;

/* Become the keeper, with the arguments behind the verb. Return only on failure: E-STATE when the
 * app has no state that a snapshot would hold. */
[[nodiscard]] bool keep_backup(const struct bundle *bundle, char *const arguments[],
                               struct err *err);
[[nodiscard]] bool keep_restore(const struct bundle *bundle, char *const arguments[],
                                struct err *err);

/* Becomes what makes a service of the file, with the arguments behind the verb; `FILE restore
 * --service` is `FILE service install --restore FILE`. Returns only on failure. */
[[nodiscard]] bool keep_service(const struct bundle *bundle, char *const arguments[],
                                struct err *err);

/* `--state DIR ...`, where the stub has not seen to it (the image is unpacked): RUCKSACK_STATE, and
 * the arguments that follow. ERR_USAGE without DIR. */
[[nodiscard]] bool keep_elsewhere(char *const **arguments, struct err *err);
