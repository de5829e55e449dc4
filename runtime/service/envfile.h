/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * /etc/NAME/env: the environment of a service, secrets too. Only root and systemd read it
 * (systemd.exec(5), EnvironmentFile=); Environment= in a unit anybody can.
 */
#include <stdbool.h>

struct app;
struct err;

/* E-SECRET when a secret of the app is set in neither; given NULL: only what is in place counts. */
[[nodiscard]] bool envfile_check(const struct app *app, const char *given, struct err *err);

/* Puts a file in its place, with mode 0600; NULL: makes one with the names of the secrets where
 * there is none. What was there is kept until one of the two below. */
[[nodiscard]] bool envfile_install(const struct app *app, const char *given, struct err *err);

/* The installation succeeded: what was there before is forgotten. */
void envfile_settle(const char *name);

/* It did not: what was there is there again. Fine where there was nothing. */
void envfile_revert(const char *name);
