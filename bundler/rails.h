/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What is known of Rails: how its processes are started, what its environment says, and its assets,
 * which are compiled at build.
 */
#include <stdbool.h>

struct config;
struct err;
struct plan;
struct probe;

/* Processes, release command, console, secrets and health path of the app in dir, where not set
 * yet. */
void rails_settle(struct config *config, const char *dir, const struct probe *probe);

/* Variables, where not set yet. */
void rails_defaults(struct config *config, const struct probe *probe);

/* Whether bootsnap's cache is where rails_defaults() puts it. */
bool rails_keeps_bootsnap(const struct config *config);

/* Whether the app has assets to compile. */
bool rails_has_assets(const struct probe *probe);

/*
 * Compiles the assets in a copy of what the plan has of the app, in the temporary directory, and
 * puts what is new in the copy's public/ into the plan; nothing is written into the app's tree. On
 * SIGINT and its like the copy is removed first. E-ASSETS with what the compiler said.
 */
[[nodiscard]] bool rails_compile_assets(const char *dir, const struct probe *probe,
                                        struct plan *plan, struct err *err);
