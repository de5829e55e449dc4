/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The user and the directories of a service: /opt/NAME, /var/lib/NAME and their like.
 *
 * systemd gives directories of state to the user with all that is in them, and an uninstall removes
 * them: so before the first installation each is ours already, or nobody's.
 */
#include <stdbool.h>

struct err;

/* E-TAKEN when there is a user or a directory of that name that is somebody else's. A state may
 * have been brought along. */
[[nodiscard]] bool places_check(const char *name, struct err *err);

/* The directories of the system's that we write in, where it lacks them. */
[[nodiscard]] bool places_make(struct err *err);

/* /var/backups/NAME, the user's. */
[[nodiscard]] bool places_make_backups(const char *name, struct err *err);

/* For a new site: an empty one. *ret_aside: where the old one is now, to be freed, or NULL. */
[[nodiscard]] bool places_renew_backups(const char *name, char **ret_aside, struct err *err);

/* Removes a tree; quietly. */
void places_remove(const char *dir, const char *name);

/* Removes state, cache and logs; and the user, unless there are backups, whose owner it stays. */
void places_remove_state(const char *name);
