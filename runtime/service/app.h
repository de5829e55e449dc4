/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The app of an image: what its launch file says that a service needs to know.
 *
 * The image may be anybody's: names that become part of unit names are checked here.
 */
#include <stdbool.h>
#include <stddef.h>

#include "common/launchfile.h"

struct err;

enum { APP_NAME_MAX = 31 }; /* of a system user: useradd(8) */

struct app {
    const char *name;    /* fit for a user and for units */
    const char *release; /* NULL: nothing prepares a version */
    const char *health;  /* path; NULL: no own one */
    bool needs_host;     /* starts programs of the host */
    bool is_kept;        /* has what a snapshot holds: a first start must be meant */
    struct launchfile_record *records;
    size_t count;
    char *text; /* private */
};

/* Of the image that lies at root. E-START when its launch file is damaged, E-NAME when a name in it
 * cannot be one of a service. */
[[nodiscard]] bool app_open(struct app *ret, const char *root, struct err *err);
void app_release(struct app *app);

/* The index-th process; NULL behind the last. */
const char *app_process(const struct app *app, size_t index);

/* Whether the process's server can do that: "activation", "notify". */
bool app_server_can(const struct app *app, const char *process, const char *feature);

/* The process that answers HTTP: "web", or the only one; NULL: none. */
const char *app_web(const struct app *app);
