/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What this machine offers to a bundle: kernel, devices, helper, rights, directories.
 *
 * Facts are looked up, nothing is mounted or made. They explain why a way to start a bundle fails
 * and what would mend it; whether a way works is only known by trying it (trial.h).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum host_state {
    HOST_OK,
    HOST_NO,    /* missing or forbidden: something that this user's bundles would use */
    HOST_PLAIN, /* neither good nor bad */
};

struct host_fact {
    const char *name; /* "fusermount" */
    enum host_state state;
    char *text; /* "/usr/bin/fusermount3, setuid root" */
    char *hint; /* what would mend it; NULL: nothing to mend */
};

/* A directory in which bundles look for a place, in the order of runtime/stub/place.h. */
struct host_dir {
    char *path; /* of a variable that is not set there is none */
    char *part; /* what bundles make in it */
    bool has_path, has_part;
    bool for_mounts;
    bool for_caches;
    bool for_runs; /* --appimage-extract-and-run */
    char *reason;  /* why not, or not for everything; NULL: no objection */
    uint64_t free_bytes;
};

struct host {
    struct host_fact *facts;
    size_t fact_count;
    size_t fact_capacity;
    struct host_dir *dirs;
    size_t dir_count;
    size_t dir_capacity;
};

/* Cannot fail: what cannot be looked up is a fact, too. */
void host_examine(struct host *ret);
/* Removes the empty directories that starts have made since, in places where there were none. */
void host_tidy(const struct host *host);
void host_release(struct host *host);

const char *host_state_name(enum host_state state); /* "ok", "no", "-" */
