/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Reads what a start will need, in its order, from another processor: the image's blocks are
 * decoded, and its paths known to the kernel, before the app asks for them.
 *
 * By a process that is nobody's: forked twice, in a session of its own, without any descriptor of
 * the app's. It ends with the profile, or as soon as the app has: a mount that it uses would
 * outlive the app.
 */
#include <stdbool.h>

struct bundle;

/*
 * For the start of the app, or of a command, of which no more is known than that it is Ruby; not
 * for a child's. Does nothing where the image has no profile (FORMAT_PROFILE), where there is one
 * processor only, or for the first process of a container, whose child it would become. Never
 * fails: the app starts without.
 */
void replay_start(const struct bundle *bundle, bool is_command);
