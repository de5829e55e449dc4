/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The units of a service, as text. Of the app `blog` with the processes web and worker:
 *
 *     opt-blog-releases-....mount   one for each release: the kernel mounts the image in the file,
 *                                   so that no process needs the right to mount
 *     blog-web.service, ...         one for each process, in the empty root /opt/blog/root with the
 *                                   image at /opt/blog/image; with `host` among the host's files
 *     blog.socket                   where web's server takes it: connections wait in it while the
 *                                   service is started anew
 *     blog.target                   all of them
 *     blog-backup.service, .timer   with --backup
 *
 * Sources: systemd.exec(5), systemd.socket(5), systemd.mount(5).
 */
#include <stdbool.h>
#include <stdint.h>

struct app;
struct plan;
struct settings;

struct units {
    const struct app *app;
    const struct settings *settings;
    const char *release; /* its id: "3-1f0c9a7b2d4e" */
    uint64_t offset;     /* of the image in its file, bytes */
    uint64_t size;
};

#define UNITS_DIR "/etc/systemd/system"
#define UNITS_PASSING_DIR "/run/systemd/system" /* gone after a boot */

/* Everything that stays: user, units, and where the environment is. */
void units_plan(const struct units *units, struct plan *plan);

/* Only the mount unit of the release. */
void units_plan_mount(const struct units *units, struct plan *plan);

/*
 * A unit that runs once in UNITS_PASSING_DIR, with the sandbox of a process: "release", "snapshot",
 * "restore". words: of the launcher; input: a path for standard input, or NULL.
 */
void units_plan_once(const struct units *units, const char *what, const char *words,
                     const char *input, bool is_new, struct plan *plan);

/* Lets the next start of all processes begin with an empty state, which is meant. */
void units_plan_new(const struct units *units, struct plan *plan);

/* Names of units, on the heap. */
char *units_process(const struct app *app, const char *process);
bool units_has_socket(const struct app *app);
