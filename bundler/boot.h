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
struct report;

enum boot_result {
    BOOT_ANSWERED,  /* with `status` */
    BOOT_ENDED,     /* before it answered, with `exit_code` */
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
    struct trace trace;
};

/*
 * fd: the bundle, complete, readable. Our environment is the app's, but for what names places of
 * this machine; PORT is set. False only when nothing could be tried.
 */
[[nodiscard]] bool boot_check(struct boot *ret, int fd, const char *name, struct err *err);
/*
 * Says how it went, and what the app looked for outside of the bundle in vain. E-CHECK when it
 * ended before it answered, or never did; what it said is shown then, whatever the report's mood.
 */
[[nodiscard]] bool boot_judge(const struct boot *boot, const struct report *report,
                              struct err *err);
void boot_release(struct boot *boot);
