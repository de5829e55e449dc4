/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A build, from an application to one file: detect, ruby, gems, libs, image. Each phase is one
 * module and says one line (report.h).
 */
#include <stdbool.h>
#include <stdint.h>

#include "bundler/app.h"
#include "bundler/plan.h"

struct err;
struct minisign_secret;

struct build_request {
    struct app_request app;
    const char *output;      /* path; NULL: "NAME-x86_64.AppImage" in the working directory */
    bool fast;               /* compress less */
    bool slim;               /* as slim: true of the configuration */
    bool no_check;           /* do not start it before it is done */
    const char *check;       /* arguments that a command must succeed with, or NULL */
    const char *const *keep; /* patterns of files of gems that would be left out (leftout.h) */
    size_t keep_count;
    bool hwcaps;                          /* variants of libraries for newer processors, too */
    const char *trace;                    /* command to record, or NULL */
    const char *update_info;              /* for AppImage tools (updateinfo.h), or NULL */
    bool no_cache;                        /* neither look for nor keep a record of earlier builds */
    const struct minisign_secret *secret; /* signs the file; NULL: nobody does */
    bool dry_run;                         /* pack nothing: say what would be */
    bool quiet;
    bool verbose; /* say why each thing is in or out */
};

struct build_result {
    char *output;        /* where the bundle is, or would be */
    uint64_t size_bytes; /* of the file; 0 of a dry run */
    bool is_unchanged;   /* it is that of the last build */
    char *name;          /* identity of the app */
    const char *kind;    /* "app" or "cli" */
    char **warnings;     /* what the build found */
    size_t warning_count;
    struct plan plan; /* of a dry run */
};

/* Errors as the phases say; E-OUTPUT, E-SPACE. */
[[nodiscard]] bool build_run(const struct build_request *request, struct build_result *ret,
                             struct err *err);
void build_result_release(struct build_result *result);
