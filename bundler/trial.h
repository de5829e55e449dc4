/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Starts a bundle by each way and looks what happens: the only honest answer to "will it run here?"
 *
 * The trial bundle is the embedded stub with an image of one small program, in a private directory
 * of its own. Instead, the image of a given bundle can be tried: it is mounted by the same stub,
 * and none of its programs is started. Either is tried under a state directory that nobody else
 * names, so that no running bundle's mount or cache is used, or removed.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct trial;

/* The values of RUCKSACK_MOUNT, in the order in which the stub tries them. */
enum trial_way {
    TRIAL_KERNEL,
    TRIAL_FUSE,
    TRIAL_FUSERMOUNT,
    TRIAL_USERNS,
    TRIAL_EXTRACT,
    TRIAL_WAY_COUNT,
};

/* "kernel", "fuse", ...: the value of RUCKSACK_MOUNT. Static storage. */
const char *trial_way_name(enum trial_way way);
/* Whether nobody else can take that way. */
bool trial_needs_root(enum trial_way way);

struct trial_result {
    bool works;
    char *reason;       /* why not, in the stub's words; NULL when it works */
    uint64_t first_us;  /* the first start: the one that unpacks */
    uint64_t median_us; /* of the others */
    size_t count;       /* how many those are */
};

/* E-TMP when there is no directory to put the bundle into. */
[[nodiscard]] bool trial_open(struct trial **ret, struct err *err);

/* Removes all that was made. */
void trial_close(struct trial *trial);

/*
 * Starts rounds + 1 times by that way, each time anew: what the start before left is gone. file is
 * the bundle whose image is mounted; NULL: the trial bundle is run. False only when nothing could
 * be started at all, or a signal came (interrupt.h; then err is empty).
 */
[[nodiscard]] bool trial_run(struct trial *trial, enum trial_way way, const char *file,
                             size_t rounds, struct trial_result *ret, struct err *err);
void trial_result_release(struct trial_result *result);

/*
 * Starts the trial bundle once, as a user would: which way was it? TRIAL_WAY_COUNT: none worked.
 * fuse_works: what trial_run() said of TRIAL_FUSE, which looks the same as TRIAL_FUSERMOUNT.
 */
[[nodiscard]] bool trial_run_free(struct trial *trial, bool fuse_works, enum trial_way *ret,
                                  struct err *err);
