/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What an application's own Ruby says about itself, its Bundler and its gems.
 *
 * probe.rb is loaded into the first Ruby process that `bundle` starts in the application's
 * directory, so it is the Ruby that `bundle` uses, whatever shims stand in front of it. Strings
 * are borrowed from the answer and live as long as the probe.
 */
#include <stdbool.h>
#include <stddef.h>

struct err;
struct jdoc;

struct probe_ruby {
    const char *version;
    const char *platform; /* RUBY_PLATFORM */
    const char *program;  /* RbConfig.ruby: "/usr/bin/ruby3.1"; may be a script (Fedora) */
    const char *elf;      /* the program itself */
    const char *api;      /* "3.1.0", whatever directories are named */
    const char *prefix;
    const char *stdlib;        /* rubylibdir */
    const char *archlib;       /* rubyarchdir */
    const char *sitelib;       /* sitelibdir: the first string of the compiled-in load path */
    const char *libruby;       /* file name of the shared library, or NULL for a static Ruby */
    const char *rubygems;      /* directory that holds the active rubygems.rb */
    const char *default_specs; /* directory */
    const char *default_index; /* Ruby source: names to require => files in there */
    const char *gem_platform;  /* "x86_64-linux": names directories below extensions/ */
    const char *extension_api; /* "3.1.0", "3.1.0-static"; "" in Fedora */
};

struct probe_gem {
    const char *name;
    const char *version;
    const char *platform;
    const char *full_name; /* one path component */
    const char *dir;
    const char *extension_dir; /* NULL: no native extension */
    const char *bindir;
    const char *gemspec;            /* frozen: needs no git and no other file */
    const struct jdoc *executables; /* list of texts, each one path component */
    const struct jdoc *require_paths;
    const struct jdoc *licenses; /* list of texts: what the gemspec names */
    const struct jdoc *files;    /* of a source tree, which may hold more; NULL: an installed gem */
    size_t rank;                 /* in the order of activation: behind what it needs */
    bool is_default;             /* part of the standard library's tree */
};

struct probe {
    struct jdoc *answer;
    struct probe_ruby ruby;
    const char *gemfile; /* absolute */
    const char *bundler_version;
    const char *bundler_lib; /* directory that holds the active bundler.rb */
    struct probe_gem *gems;  /* Bundler's resolved set without development and test, by name */
    size_t gem_count;
    const char **databases; /* SQLite files, by config/database.yml: paths in the app's tree */
    size_t database_count;
};

/* Of what: an application with a Gemfile, a script, or a gem in a gem home of its own. */
struct probe_request {
    const char *dir;        /* where the program is started */
    const char *script;     /* absolute; NULL: none */
    const char *gem;        /* NULL: none */
    const char *gem_home;   /* with gem */
    const char *executable; /* of the gem; NULL: the one called like it, or the only one */
};

/*
 * Runs the probe in the directory. Errors: E-NO-BUNDLE (no `bundle` on PATH), E-GEMFILE,
 * E-LOCK, E-GEM, E-EXT, E-RUBY, E-SYNTAX (of a script), E-APP (a gem without executable), each with
 * the command that mends it.
 */
[[nodiscard]] bool probe_ask(struct probe *ret, const struct probe_request *request,
                             struct err *err);

/* The same in two steps, between which the probe runs beside us. The second ends it in any case. */
struct probe_run;
[[nodiscard]] bool probe_begin(struct probe_run **ret, const struct probe_request *request,
                               struct err *err);
[[nodiscard]] bool probe_end(struct probe_run *run, struct probe *ret, struct err *err);

/* From the text of an answer, as jdoc_format() gives it. */
[[nodiscard]] bool probe_read(struct probe *ret, const char *text, struct err *err);

/* NULL when the app has no such gem. */
const struct probe_gem *probe_find_gem(const struct probe *probe, const char *name);
void probe_release(struct probe *probe);
