/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A build, from an application to one file: detect, ruby, gems, libs, image. Each phase is one
 * module and says one line (report.h).
 */
#include <stdbool.h>
#include <stdint.h>

#include "bundler/app.h"

struct err;
struct minisign_secret;

struct build_request {
    struct app_request app;
    const char *output;      /* path; NULL: "NAME-x86_64.AppImage" in the working directory */
    bool fast;               /* compress less */
    bool no_check;           /* do not start it before it is done */
    const char *check;       /* arguments that a command must succeed with, or NULL */
    const char *const *keep; /* patterns of files of gems that would be left out (leftout.h) */
    size_t keep_count;
    bool hwcaps;                          /* variants of libraries for newer processors, too */
    const char *trace;                    /* command to record, or NULL */
    bool no_cache;                        /* neither look for nor keep a record of earlier builds */
    const struct minisign_secret *secret; /* signs the file; NULL: nobody does */
    bool quiet;
};

/* Where the bundle was written, owned by the caller. Errors as the phases say; E-OUTPUT, E-SPACE.
 */
[[nodiscard]] bool build_run(const struct build_request *request, char **ret_output,
                             struct err *err);
