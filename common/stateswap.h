/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Putting a restored state in the place of the one that is there, in one step.
 *
 *     STATE/.restore/unfinished   while it is unpacked: what is beside it is worth nothing
 *     STATE/.restore/data         the state to be; after the step, the one that was
 *     STATE/data                  the state
 *     STATE/data.before-TIME      kept
 *
 * renameat2(2) exchanges both directories at once. A file system that cannot do that needs two
 * renames; who comes between them finds no `data` but a finished `.restore/data`, and takes the
 * second step himself: stateswap_finish().
 */
#include <stdbool.h>

struct err;

#define STATESWAP_DIR ".restore"
#define STATESWAP_MARK STATESWAP_DIR "/unfinished"
#define STATESWAP_NEW STATESWAP_DIR "/data"
#define STATESWAP_DATA "data"

/*
 * Removes the mark and puts STATESWAP_NEW in the place of STATESWAP_DATA, which is kept as before,
 * a name in the same directory, which must not be there; *ret_is_kept tells whether there was one.
 * Either all of it has happened or, on failure, nothing that a start would see; or, where even the
 * way back fails, what a start completes. What is beside the mark after a failure
 * may be removed; without the mark it is a state that was.
 */
[[nodiscard]] bool stateswap_take(int statefd, const char *before, bool *ret_is_kept,
                                  struct err *err);

/*
 * Ends what a killed restore has begun: a swap is completed, and a state that was exchanged is kept
 * as before. What was not yet unpacked is left to the next restore.
 */
[[nodiscard]] bool stateswap_finish(int statefd, const char *before, struct err *err);
