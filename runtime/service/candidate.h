/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A release whose image is mounted: what is run of it, and the step that lets it serve.
 */
#include <stdbool.h>
#include <stdint.h>

#include "runtime/service/app.h"
#include "runtime/service/plan.h"
#include "runtime/service/units.h"

struct err;
struct release;
struct releases;
struct settings;
struct snapshot;

struct candidate {
    struct releases *releases;       /* borrowed */
    const struct settings *settings; /* borrowed */
    unsigned int number;
    bool is_mounted_here; /* by candidate_open(), which found it not mounted */
    char *mount_unit;
    char *id;
    struct app app;
    struct units units;
    struct plan plan;
};

/* Mounts the image by its unit, unless it is, and reads what is in it. On failure it is mounted
 * only where it was before; that of the release that serves always stays. */
[[nodiscard]] bool candidate_open(struct candidate *ret, struct releases *releases,
                                  const struct release *release, const struct settings *settings,
                                  struct err *err);
void candidate_release(struct candidate *candidate);

/* Its image is no longer mounted, and has no unit. */
void candidate_unmount(const struct candidate *candidate);

/*
 * Runs the launcher of the image once, as the service's user in its sandbox, until it ends: "run
 * release". What it said is shown when it fails: then id is the error's; NULL: the id that it said
 * last itself, or E-SNAPSHOT. Its kind is ERR_CHECK when the exit code was that of a check.
 */
[[nodiscard]] bool candidate_run(const struct candidate *candidate, const char *what,
                                 const char *words, bool is_new, const char *id, struct err *err);

/* Puts the snapshot in the place of the state; no process may run. words: "restore -", and options
 * behind it. What fails has the id that the keeper gave it. */
[[nodiscard]] bool candidate_restore(const struct candidate *candidate,
                                     const struct snapshot *snapshot, const char *words,
                                     struct err *err);

/* What is done between the end of a candidate that is not well and the start of the one before. */
struct candidate_way {
    void (*take)(void *context);
    void *context;
};

/*
 * Lets it serve: units, `current`, a restart of all processes, and waits until it is healthy.
 * before: what has served until now, or NULL; its units that are no more are removed. On failure
 * before serves again. is_new: the first start may find an empty state. back may be NULL.
 */
[[nodiscard]] bool candidate_serve(const struct candidate *candidate,
                                   const struct candidate *before, bool is_new,
                                   const struct candidate_way *back, struct err *err);

/* E-TAKEN when a file of the plan is somebody else's, or systemd knows a unit of such a name from
 * elsewhere, as a distribution's. */
[[nodiscard]] bool candidate_check_units(const struct plan *plan, struct err *err);

/* Stops all processes, the socket, and a backup that runs. */
void candidate_stop(const struct candidate *candidate);

/* The same, for good: no boot starts it. Then the plan's files can be removed. */
void candidate_disable(const struct candidate *candidate);
