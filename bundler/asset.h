/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Files that are part of the tool itself: what it puts into every bundle, so that a release is one
 * executable.
 */
#include <stdbool.h>
#include <stddef.h>

struct err;

enum asset_id {
    ASSET_STUB,             /* the ELF in front of the image */
    ASSET_LAUNCH,           /* /AppRun and every trampoline */
    ASSET_GUEST,            /* the preload object */
    ASSET_KEEPER,           /* what makes and restores snapshots */
    ASSET_SERVICE,          /* what installs the app as a service */
    ASSET_TRIAL,            /* /AppRun of the bundle that doctor makes */
    ASSET_OPERATING_SYSTEM, /* rubygems/defaults/operating_system.rb */
    ASSET_LOADPATH,         /* rubygems.rb of the short load path */
    ASSET_BUNDLER_SETUP,    /* bundler/setup.rb */
    ASSET_PACKED,           /* what stands at the end of that */
    ASSET_BUNDLE,           /* the program `bundle` */
    ASSET_RDOC,             /* rdoc.rb */
    ASSET_ABSENT,           /* what stands for a library that is left out */
    ASSET_ENVIRONMENT,      /* environment.rb */
    ASSET_INLINE,           /* bundler/inline.rb */
    ASSET_ISEQS,            /* the extension that reads compiled sources */
    ASSET_ISEQS_STARTER,    /* iseqs.rb, which loads it */
    ASSET_COMPILE,          /* compile.rb */
    ASSET_STANDALONE,       /* what stands in front of probe.rb */
    ASSET_PROBE,            /* probe.rb */
    ASSET_PAGE,             /* page.html with its style and script */
    ASSET_ICON,
    ASSET_COUNT,
};

struct asset {
    const char *name;
    const unsigned char *data;
    size_t size;
};

/* Its bytes, in the tool itself: static storage. */
struct asset asset_get(enum asset_id id);

/* A file in memory with its bytes, to be executed or read; close-on-exec. */
[[nodiscard]] bool asset_open(enum asset_id id, int *ret_fd, struct err *err);

/* The embedded recipes, ended by one without a name. */
struct asset asset_recipe(size_t index);
