/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * systemd, by its own programs: systemctl(1), journalctl(1), systemd-sysusers(8).
 */
#include <stdbool.h>
#include <stddef.h>

struct err;

/* Whether it runs this machine (sd_booted(3)): E-SYSTEMD, with what to do instead. */
[[nodiscard]] bool systemd_require(const char *name, struct err *err);

/* `systemctl VERB UNIT...`, waiting for the result. words end with NULL. E-UNIT with what it said.
 */
[[nodiscard]] bool systemd_call(const char *const words[], struct err *err);
/* The same for one unit, or none with NULL. */
[[nodiscard]] bool systemd_do(const char *verb, const char *unit, struct err *err);

/* As `systemctl is-active` says: "active", "failed", "inactive"; on the heap. */
char *systemd_state(const char *unit);

/* How often the unit was started again by itself since it was started last. */
unsigned long systemd_restarts(const char *unit);

/* Of what ended last in it. */
unsigned long systemd_exit_code(const char *unit);

/* The file that systemd has a unit from; "" when it knows none. On the heap. */
char *systemd_fragment(const char *unit);

/* The last lines of what the unit's last run said, on standard error. ret_id, size bytes, or NULL:
 * the id of the last error among them, as "E-SECRET"; unchanged when there is none. */
void systemd_show_log(const char *unit, char *ret_id, size_t size);

/* The last lines of what systemd said about the unit, on standard error. */
void systemd_show_events(const char *unit);

/* Whether systemd takes this as a time of systemd.time(7); true when it cannot be asked. */
bool systemd_is_calendar(const char *text);

/* Makes users by a sysusers.d(5) file. */
[[nodiscard]] bool systemd_make_users(const char *path, struct err *err);

/* Removes a user whom nothing needs any more; quietly. */
void systemd_remove_user(const char *name);

/* The name of the unit for a mount point (systemd-escape(1) --path), on the heap. */
char *systemd_mount_unit(const char *path);

/* Becomes journalctl for all units of the service, with more arguments. */
[[nodiscard]] bool systemd_become_log(const char *name, char *const arguments[], struct err *err);
