/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * rucksack.yml, the optional configuration of an application: rucksack.yml(5) is its description.
 *
 * Unknown keys are errors with line and suggestion; keys that begin with "x-" are ignored. All
 * texts are owned; absent ones are NULL, absent lists empty.
 */
#include <stdbool.h>
#include <stddef.h>

struct err;

#define CONFIG_FILE "rucksack.yml"

enum { CONFIG_SECRET_NAMES = 3 }; /* of one secret: "A|B|C" */

struct config_list {
    char **items; /* NULL: nobody has said */
    size_t count;
};

struct config_pair {
    char *name;
    char *value;
};

struct config_pairs {
    struct config_pair *items;
    size_t count;
};

struct config {
    char *file;    /* for messages: see config_file() */
    bool is_given; /* it is there */
    char *name;
    char *version;
    char *ruby; /* the directory above bin/ruby, or that program */
    struct config_pairs processes;
    char *release;
    char *console;
    char *health;    /* begins with '/' */
    bool any_health; /* nobody named it: an answer of less than 500 will do */
    bool no_service; /* service: false: what makes one is left out */
    bool host;       /* starts programs of the host: a service sees the host's files */
    char *check;     /* arguments for the check of a command */
    struct config_pairs env;
    struct {
        struct config_list data;
        struct config_list sqlite;
        struct config_list cache;
        struct config_list run;
        struct config_list log;
    } state;                    /* paths and patterns in the app's tree */
    struct config_list single;  /* names of processes */
    struct config_list secrets; /* names of variables; "A|B": one of them */
    struct config_list include; /* patterns of paths in the app's tree */
    struct config_list exclude;
    struct config_list keep; /* patterns of files of gems that would be left out */
    struct {
        struct config_list include; /* sonames */
        struct config_list never;
    } libs;
    struct config_list recipes; /* names */
    bool no_licenses;           /* licenses: false */
    bool slim;                  /* only what something names of the standard library (slim.h) */
    struct {
        bool no_names;    /* names: false */
        bool no_compiled; /* compiled: false */
        bool no_profile;  /* profile: false */
    } boot;
};

/* Of the application in dir. Fine without a file. E-CONFIG: "rucksack.yml:7: unknown key ...", with
 * the path as it is written here. */
[[nodiscard]] bool config_load(struct config *ret, const char *dir, struct err *err);
void config_release(struct config *config);

/* How messages call the file: its path from here; CONFIG_FILE where nothing was loaded. Borrowed.
 */
const char *config_file(const struct config *config);

/* Whether it can be split, or needs a shell; a control character is refused. */
[[nodiscard]] bool config_check_command(const char *text, struct err *err);

/* Both copy what they add, behind what is there. */
void config_add_text(struct config_list *list, const char *text);
void config_add_pair(struct config_pairs *pairs, const char *name, const char *value);
/* Adds it unless the name has a value already. */
void config_default(struct config_pairs *pairs, const char *name, const char *value);
