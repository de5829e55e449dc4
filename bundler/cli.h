/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Command-line programs: a script, a published gem's executable, or the executable of the gem whose
 * source tree it is. All are one process, to which every argument belongs.
 */
#include <stdbool.h>

struct app;
struct err;
struct plan;
struct probe;

/* A Ruby script: "*.rb", or a first line that names ruby. E-APP when it is none. */
[[nodiscard]] bool cli_detect_script(struct app *app, const char *path, struct err *err);

/* Installs the gem, NAME or NAME@VERSION; errors of published_install(). */
[[nodiscard]] bool cli_detect_gem(struct app *app, const char *wanted, struct err *err);

/* Whether the directory holds the source of one gem; then its kind is settled. */
bool cli_is_gem_source(const char *dir);

/* The process, the summary and, for a script, the directory that is packed as /app. E-APP when
 * there is no executable, or more than one to choose from. executable: NULL, or the one to take. */
[[nodiscard]] bool cli_complete(struct app *app, const struct probe *probe, const char *executable,
                                struct err *err);

/* Adds the files of a script. */
[[nodiscard]] bool cli_plan(const struct app *app, const struct probe *probe, struct plan *plan,
                            struct err *err);
