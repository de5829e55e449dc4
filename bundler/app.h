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
#include "bundler/secret.h"
#include "bundler/state.h"

struct err;
struct plan;
struct probe;
struct report;

enum app_kind {
    APP_SERVER,  /* FILE [VERB]: processes, state, a console */
    APP_COMMAND, /* FILE ARGUMENT...: every argument is the program's */
};

enum app_source {
    APP_TREE,          /* the directory of an application */
    APP_GEM_SOURCE,    /* that of a gem */
    APP_SCRIPT,        /* a file */
    APP_PUBLISHED_GEM, /* a gem home that has it */
};

struct app_request {
    const char *path;       /* directory or script; unused with gem */
    const char *gem;        /* NAME or NAME@VERSION; NULL: none */
    const char *executable; /* of a gem; NULL: the one called like it, or the only one */
    const char *name;       /* NULL, or what takes the place of the found one */
    struct secret_allowed allowed;
};

struct app {
    enum app_kind kind;
    enum app_source source;
    char *dir;      /* absolute, symlinks resolved */
    char *name;     /* identity: [a-z0-9._-] */
    char *own_name; /* what it is from: the directory's, the script's or the gem's name */
    char *script;   /* APP_SCRIPT: absolute */
    char *summary;  /* "sinatra + sqlite3" for the progress line */
    char *evidence; /* the files that say so: "config.ru, Gemfile.lock" */
    bool is_rails;
    struct config config;
    struct states states;
    struct secret_allowed allowed; /* borrowed */
};

/* What can be seen without Ruby. E-APP: not an application that we know; errors of config_load(),
 * procfile_read() and of cli.h. */
[[nodiscard]] bool app_detect(struct app *ret, const struct app_request *request, struct err *err);

/* What follows from the resolved gems. E-SYNTAX on a bad config.ru, E-APP without a server, errors
 * of states_find() and of cli.h. */
[[nodiscard]] bool app_complete(struct app *app, const struct app_request *request,
                                const struct probe *probe, struct err *err);

/* Adds the app's files, its state links and, for Rails, its compiled assets. */
[[nodiscard]] bool app_plan(const struct app *app, const struct probe *probe,
                            const struct report *report, struct plan *plan, struct err *err);

/* "app" or "cli", as manifest and launch file call the kind. */
const char *app_kind_name(enum app_kind kind);

void app_release(struct app *app);
