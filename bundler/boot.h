/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The check boot: starts a bundle in an empty root without a network (cell.h), watched (trace.h),
 * until it answers HTTP. What it lacks is found here and not on the server.
 */
#include <stdbool.h>
#include <stdint.h>

#include "bundler/trace.h"

struct err;
struct extras_pairs;
struct plan;
struct report;

enum boot_result {
    BOOT_ANSWERED,  /* with `status` */
    BOOT_DONE,      /* ran with the arguments, and succeeded */
    BOOT_ENDED,     /* before it answered, or without success; with `exit_code` */
    BOOT_SILENT,    /* no answer in time */
    BOOT_FORBIDDEN, /* this machine allows no such root, or no watching; `reason` */
};

struct boot {
    enum boot_result result;
    int status;          /* of HTTP */
    int exit_code;       /* 128 + signal when a signal ended it */
    uint64_t elapsed_us; /* from the start to the answer */
    char *output;        /* the end of what it said, owned */
    char *reason;        /* owned, or NULL */
    char *root;          /* where the image was, as the trace names it; owned; NULL: unknown */
    bool may_fail;       /* as the request */
    bool is_script;      /* likewise */
    struct trace trace;
};

struct boot_request {
    int fd;             /* the bundle, complete, readable */
    const char *name;   /* of the app */
    const char *health; /* path that must answer; unused with arguments */
    /* NULL-terminated: run once with these, which must succeed; NULL: a server that must answer. */
    const char *const *arguments;
    bool may_fail;  /* nobody has said that these arguments are right */
    bool is_script; /* not all that lies beside it was packed */
    const char *const
        *environment; /* NULL-terminated NAME=VALUE, where the user has not set NAME */
};

/*
 * Our environment is the app's, but for what names places of this machine, locale and time zone
 * (LANG is C.UTF-8); PORT is set. False only
 * when nothing could be tried.
 */
[[nodiscard]] bool boot_check(struct boot *ret, const struct boot_request *request,
                              struct err *err);
/*
 * Says how it went, and what the app looked for outside of the bundle in vain. E-CHECK when it
 * ended before it answered, or never did; what it said is shown then, whatever the report's mood.
 * inside: names are the absolute paths that lead into the image where the host has nothing. plan:
 * what was packed, sorted; its Ruby sources tell who asks for a program.
 */
[[nodiscard]] bool boot_judge(const struct boot *boot, const struct extras_pairs *inside,
                              const struct plan *plan, const struct report *report,
                              struct err *err);
void boot_release(struct boot *boot);

/* The image path of a path that the file's program has named; NULL when it lies outside of the
 * image, or the program does, or is the launcher. Points into it. */
const char *boot_image_path(const struct boot *boot, const struct trace_file *file,
                            const char *path);
