/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The application itself: what kind it is, which of its files are packed, what it writes.
 *
 * State is what the app's own files say: patterns of SQLite files in .gitignore ("data/\*.sqlite3")
 * and such files in the tree. A pattern makes its directory a symlink out of the image when the
 * tree holds nothing else there but placeholders; an exact name makes that file one.
 */
#include <stdbool.h>
#include <stddef.h>

struct err;
struct plan;
struct probe;

struct app_process {
    char *name;
    char *command;
};

struct app_state {
    char *path;   /* in the app's tree: "data" */
    char *place;  /* below the state directory: "data" or "data/db" */
    bool is_file; /* a single file, whose directory is packed */
    char *reason; /* ".gitignore: data/\*.sqlite3" */
};

struct app {
    char *dir;     /* absolute, symlinks resolved */
    char *name;    /* identity: [a-z0-9._-], from the directory's name */
    char *summary; /* "sinatra + sqlite3" for the progress line */
    struct app_process *processes;
    size_t process_count;
    struct app_state *states;
    size_t state_count;
};

/* What can be seen without Ruby. E-APP: not a directory, or not an application we know. */
[[nodiscard]] bool app_detect(struct app *ret, const char *dir, const char *name, struct err *err);

/* What follows from the resolved gems: processes, summary, state. E-SYNTAX on a bad config.ru. */
[[nodiscard]] bool app_complete(struct app *app, const struct probe *probe, struct err *err);

/* Adds the app's files and its state links. */
[[nodiscard]] bool app_plan(const struct app *app, struct plan *plan, struct err *err);

void app_release(struct app *app);
