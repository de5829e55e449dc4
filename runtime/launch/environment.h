/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What the app's processes see of the user's environment.
 *
 * Variables that would disturb the bundled Ruby or loader (LD_*, RUBY*, GEM_*, BUNDLE_*, ...) are
 * taken out of our processes and kept in one variable, ENVIRONMENT_SAVED; the guest object gives
 * them back to every program that is not ours. A process of ours that starts another one of ours
 * may set such variables on purpose: only those with the value the user had given are taken out.
 *
 * A variable that names the host's file, set by us for want of one of the user's (certificates), is
 * no other program's; one of the user's with the same value is saved, and stays.
 *
 * ENVIRONMENT_SAVED holds NAME=VALUE entries joined by ';'; '%', ';' and control characters are
 * written as %XX.
 */
#include <stdbool.h>

struct bundle;
struct err;

#define ENVIRONMENT_SAVED "RUCKSACK_ENV"

/* Takes the disturbing variables out of the environment; says which on a terminal. */
[[nodiscard]] bool environment_clear(const struct bundle *bundle, struct err *err);

/* PATH, the app's defaults, certificates: for everything that the launcher starts. */
[[nodiscard]] bool environment_prepare(const struct bundle *bundle, struct err *err);

/*
 * What a trampoline does: sets again the variables that lead into the image, which a program that
 * is not ours, between us and the application, was not given (runtime/guest/exec.c).
 */
[[nodiscard]] bool environment_renew(const struct bundle *bundle, struct err *err);
