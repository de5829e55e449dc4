/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What an application writes: found in its own files, and made links out of the image.
 *
 * Without a `state:` in the configuration it is: for Rails, storage, tmp and log; its SQLite files
 * as config/database.yml names them; patterns of SQLite files in .gitignore ("data/\*.sqlite3");
 * such files in the tree; public/uploads where git ignores it. A pattern makes its directory a
 * link when the tree holds nothing else there but placeholders; an exact name makes that file one.
 * What bootsnap compiles is state in any case.
 */
#include <stdbool.h>
#include <stddef.h>

struct config;
struct err;
struct plan;

/* Below the state directory; no place of the tree, where it would last for one boot only. */
#define STATE_BOOTSNAP "cache/bootsnap"

enum state_class { STATE_DATA, STATE_SQLITE, STATE_CACHE, STATE_RUN, STATE_LOG };

struct state {
    enum state_class class;
    char *path;   /* in the app's tree: "data" */
    char *found;  /* the path or pattern that was found: "data/\*.sqlite3" */
    char *place;  /* below the state directory: "data" or "data/db" */
    char *reason; /* ".gitignore: data/\*.sqlite3" */
    bool is_file; /* a single file, whose directory is packed */
    bool is_held; /* lies in a directory that is state already: no link of its own */
    bool is_led;  /* a variable of the environment leads there: no link at all */
};

struct states {
    struct state *items;
    size_t count;
};

struct states_input {
    const char *dir; /* the application's */
    const struct config *config;
    bool is_rails;
    bool has_bootsnap;            /* with its cache in STATE_BOOTSNAP */
    const char *const *databases; /* paths of SQLite files that the framework names */
    size_t database_count;
};

/* E-STATE when a directory holds both state and files to pack. */
[[nodiscard]] bool states_find(struct states *ret, const struct states_input *input,
                               struct err *err);

/* Whether the path in the app's tree is state, or lies in it: then it is not packed. */
bool states_hold(const struct states *states, const char *path);

/* Whether there is state that a snapshot holds: of the classes data and sqlite. */
bool states_are_kept(const struct states *states);

/* Adds the links. */
[[nodiscard]] bool states_plan(const struct states *states, struct plan *plan, struct err *err);

/* "data", "sqlite", ...: as the configuration calls the class. */
const char *state_class_name(enum state_class class);

/* The directory of the launch file's record; owned by the caller. */
[[nodiscard]] char *state_dir(const struct state *state);

void states_release(struct states *states);
