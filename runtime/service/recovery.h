/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The snapshots that a change of release makes, and the ways back by them:
 *
 *     /var/backups/NAME/before-3-of-2.tar.zst   before the upgrade to release 3, by release 2
 *     /var/backups/NAME/before-failed-TIME...   before a release command of an upgrade that failed
 *     /var/backups/NAME/before-rollback...      before the newest rollback without its state
 *     /var/backups/NAME/before-install...       of the state that an installation found
 *
 * Each is made by a release that knows its state.
 */
#include <stdbool.h>

struct candidate;
struct err;
struct release;
struct releases;

/* By maker, before the upgrade to release number. An app that wrote nothing yet has none. */
[[nodiscard]] bool recovery_take(const struct candidate *maker, unsigned int number,
                                 struct err *err);

/* Of a state that was there before the installation. */
[[nodiscard]] bool recovery_take_first(const struct candidate *maker, struct err *err);

/* Marks a state as begun, as a snapshot does, in which no file was written yet: its next start
 * would be refused (E-EMPTY). */
[[nodiscard]] bool recovery_begin(const struct candidate *maker, struct err *err);

/* The upgrade to release number has failed. Where its snapshot is from now on, on the heap; NULL:
 * there is none. The newest few of that kind are kept. */
char *recovery_keep(const struct candidate *maker, unsigned int number);

/* Those from before release number are removed. */
void recovery_forget(const char *name, unsigned int number);

/* The newest that the release made, on the heap; NULL: E-SNAPSHOT. */
char *recovery_find(const char *name, unsigned int maker, struct err *err);

/*
 * Whether the target, whose image is mounted, knows the state that serving has brought to where it
 * is: E-SCHEMA. For that the state is copied, which may fail: then is_forced goes on, with a
 * warning.
 */
[[nodiscard]] bool recovery_check_schema(const struct candidate *serving,
                                         const struct candidate *target, bool is_forced,
                                         struct err *err);

/* The name of the newest state that a restore has kept, "data.before-TIME...", on the heap; NULL:
 * none. */
char *recovery_kept_state(const char *name);

/* Puts that one in the place of the state, which becomes data.failed-TIME. No process may run. */
[[nodiscard]] bool recovery_swap_back(const char *name, const char *kept, struct err *err);
