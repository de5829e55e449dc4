/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The application itself: what kind it is, how it is started, what it writes.
 *
 * `config` is the settled configuration: what rucksack.yml says, and for the rest, in this order,
 * what the Procfile says and what the application's gems and files tell.
 */
#include <stdbool.h>
#include <stddef.h>

#include "bundler/config.h"
#include "bundler/state.h"

struct err;
struct plan;
struct probe;

enum app_kind {
    APP_SERVER,  /* FILE [VERB]: processes, state, a console */
    APP_COMMAND, /* FILE ARGUMENT...: every argument is the program's */
};

struct app {
    enum app_kind kind;
    char *dir;      /* absolute, symlinks resolved */
    char *name;     /* identity: [a-z0-9._-], from the directory's name */
    char *summary;  /* "sinatra + sqlite3" for the progress line */
    char *evidence; /* the files that say so: "config.ru, Gemfile.lock" */
    bool is_rails;
    struct config config;
    struct states states;
};

/* What can be seen without Ruby. E-APP: not a directory, or not an application we know; errors of
 * config_load() and procfile_read(). name: NULL, or what takes the place of the found one. */
[[nodiscard]] bool app_detect(struct app *ret, const char *dir, const char *name, struct err *err);

/* What follows from the resolved gems. E-SYNTAX on a bad config.ru, E-APP without a server, errors
 * of states_find(). */
[[nodiscard]] bool app_complete(struct app *app, const struct probe *probe, struct err *err);

/* Adds the app's files, its state links and, for Rails, its compiled assets. */
[[nodiscard]] bool app_plan(const struct app *app, const struct probe *probe, struct plan *plan,
                            struct err *err);

/* "app" or "cli", as manifest and launch file call the kind. */
const char *app_kind_name(enum app_kind kind);

void app_release(struct app *app);
