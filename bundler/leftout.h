/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What of a gem no program needs at run time, by class, and how much of it was left out.
 *
 * Rules go by names only: directories at the top of a gem that serve its authors, files that only a
 * compiler wants, the sources of extensions, objects for other Rubies than ours beside one for
 * ours. Licences are always packed.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config_list;

enum leftout_class {
    LEFTOUT_RUBIES,  /* objects of precompiled gems for other Rubies */
    LEFTOUT_HEADERS, /* *.h */
    LEFTOUT_STATIC,  /* *.a, *.la */
    LEFTOUT_OBJECTS, /* *.o */
    LEFTOUT_SOURCES, /* below ext/, and *.c and the like */
    LEFTOUT_TESTS,
    LEFTOUT_DOCS,   /* doc/, benchmark/, README and changes */
    LEFTOUT_BUILD,  /* gem_make.out, mkmf.log, Makefile, tmp/, ports/ */
    LEFTOUT_AUTHOR, /* Rakefile, Gemfile, .github/, sig/ and the like */
    LEFTOUT_SLIM,   /* libraries of Ruby (bundler/slim.h): of no gem */
    LEFTOUT_COUNT,
    LEFTOUT_NOTHING = LEFTOUT_COUNT,
};

struct leftout {
    const struct config_list *const *keep; /* NULL-terminated: lists of patterns; borrowed */
    uint64_t files[LEFTOUT_COUNT];
    uint64_t bytes[LEFTOUT_COUNT];
};

/* The tree that is asked about. */
struct leftout_tree {
    const char *gem; /* name, in front of what patterns match: "puma/ext/puma_http11/ext_help.h" */
    const char *dir; /* absolute */
    const char *api; /* Ruby's: "3.1.0" */
    bool is_published; /* not the source tree of somebody's own gem */
};

/* LEFTOUT_NOTHING when that path below the tree is packed; what is not is counted, of a directory
 * with all that is in it. A pattern of `keep` (fnmatch(3), '*' also matches '/') keeps a file, or
 * all below a directory. */
enum leftout_class leftout_judge(struct leftout *leftout, const struct leftout_tree *tree,
                                 const char *relative, bool is_dir);

/* "tests", as reports have it; not of LEFTOUT_NOTHING. Static storage. */
const char *leftout_name(enum leftout_class class);

/* Of what the machine has made that built the gem, like a log of its compiler: another one makes
 * other bytes of it. */
bool leftout_is_made(enum leftout_class class);
