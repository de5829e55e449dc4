/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What was chosen at the installation and holds for every release after it: SETTINGS_FILE below
 * /opt/NAME, in the form of a launch file (common/launchfile.h).
 */
#include <stdbool.h>

struct err;

#define SETTINGS_LISTEN "127.0.0.1:3000"

struct settings {
    char *listen; /* "ADDRESS:PORT" or "PORT" */
    char *backup; /* systemd.time(7) calendar; NULL: no timer */
    char *push;   /* command that takes snapshots; NULL: none */
    unsigned int keep;
};

/* Of SETTINGS_FILE in dir. Both name it in their errors; load takes no value that settings_check()
 * refuses, save writes it in one step, for root alone to read. */
[[nodiscard]] bool settings_load(struct settings *ret, const char *dir, struct err *err);
[[nodiscard]] bool settings_save(const struct settings *settings, const char *dir, struct err *err);
void settings_release(struct settings *settings);

/* ERR_USAGE when one is not what it must be. */
[[nodiscard]] bool settings_check(const struct settings *settings, struct err *err);

/* ERR_USAGE: systemd does not take it as a time. Returns false. */
bool settings_refuse_calendar(const char *text, struct err *err);

/* The port in listen. */
const char *settings_port(const struct settings *settings);
