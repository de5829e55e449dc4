/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The app's processes: a command of the launch file becomes the program that it names.
 *
 * Simple commands are split here (common/words.h); what needs a shell gets the host's sh. A command
 * that speaks of $PORT finds it set: the user's, else 5000 for the first process, 5100 for the
 * second and so on, as foreman counts. One with a default of its own, ${PORT:-3000}, keeps that,
 * unless all processes start together.
 */
#include <stdbool.h>
#include <stddef.h>

struct bundle;
struct err;

/*
 * Becomes the process with more arguments behind its own; NULL: the one called web, or the only
 * one. `release` is known too. Environment and state must be ready. Returns only on failure, with
 * sys_errno ENOENT when there is no such process.
 */
[[nodiscard]] bool process_start(const struct bundle *bundle, const char *name,
                                 char *const arguments[], struct err *err);

/* Sets $PORT for a process of this number where the command speaks of it and nobody has set it. */
[[nodiscard]] bool process_port(const char *command, size_t number, struct err *err);

/* Becomes the command. number: of the process, for $PORT. */
[[nodiscard]] bool process_become(const struct bundle *bundle, const char *command, size_t number,
                                  char *const arguments[], struct err *err);
