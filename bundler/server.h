/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What a process's server can do for systemd: take the sockets that it listens on, and say when it
 * is ready (sd_listen_fds(3), sd_notify(3)). By the lockfile: a server that never says so would be
 * killed at the end of its start timeout.
 */
#include <stdbool.h>

struct probe;

struct server {
    bool takes_sockets; /* with "--bind-to-activated-sockets only" behind the command: Puma 5.1 */
    bool notifies;      /* Puma 6.1, or 5 with the gem sd_notify */
};

/* command: as in rucksack.yml. */
struct server server_of(const char *command, const struct probe *probe);
