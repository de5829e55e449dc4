/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Recipes: what no walker can see. Libraries that are loaded by name at run time, modules, data
 * files, and the variables that tell a library where they are.
 *
 *     name: openssl                     lower case letters, digits and hyphens
 *     summary: configuration of OpenSSL one line, for people
 *     always: true                      either this ...
 *     match:                            ... or one of these:
 *       soname: [libcrypto.so.*]        patterns of fnmatch(3); one that a walked object matches
 *       imports: [iconv_open]           functions; one that a walked object imports
 *       gem: [ffi]                      one of these gems is locked
 *       exists: [/etc/x, config/y.yml]  patterns of glob(3); a relative one in the application
 *       without_gem: [mini_racer]       and, where given, none of these gems is locked
 *       glibc_below: "2.34"             and, where given, an older glibc than this
 *     disabled: true                    instead of both: takes away the tool's recipe of this name
 *     libs: [libidn2.so.0]              sonames to add as a dlopen() would; missing ones are fine
 *     required_libs: [libgcc_s.so.1]    the same, but a missing one is an error
 *     host: ["libGL.so.*"]              libraries that are not packed; the build warns of each
 *     files: [/etc/fonts]               patterns: files and directories that keep their place
 *     required_files: [/usr/x.mgc]      the same, but each pattern must find something
 *     programs: [/usr/bin/node]         patterns; what they find starts by its name, through the
 *                                       bundle's loader; a warning when they find nothing at all
 *     directories:
 *       - path: ${LIBDIR}/sasl2         pattern; the directories with all they hold
 *         modules: true                 its shared objects are walked as dlopen()ed ones
 *         env: SASL_PATH                variable that names them in the image, joined by ':'
 *         search: true                  a dlopen() finds what is in it by its bare name
 *         sonames: true                 libraries that its files name are added where they are
 *         required: true                none is an error, a module that lacks a library too
 *     commands:                         run on the build machine, without a shell
 *       - run: [/usr/bin/x, --all]      the program's path may be a pattern
 *         output: ${LIBDIR}/x.cache     where its standard output stands in the image
 *         remove: [${LIBDIR}/x/]        texts that are taken out of it
 *     first_runs:                       what a gem writes into its own directory when it first runs
 *       - gem: wkhtmltopdf-binary       where this gem is locked, whatever `match` says
 *         run: [bin/x, --version]       a script of the gem; run at build, in a copy of the gem
 *         makes: bin/x_*[0-9]           pattern of the file that it writes there
 *         as: bin/x_program             where that is packed in the gem
 *         instead_of: bin/x             a script of the gem: the one that is packed executes that
 *         leave_out: ["bin/x_?.gz"]     patterns of the gem's files that serve no more then
 *     sources:                          what a start need not do, once the source is compiled
 *       - gem: tzinfo                   where this gem is locked, in a version of this pattern
 *         version: "2.0.*"
 *         file: lib/tzinfo/x.rb         of the gem, Ruby without __END__
 *         behind: "class X; end"        Ruby that is compiled behind it
 *     env: ["OPENSSL_CONF=${ROOT}/usr/lib/ssl/openssl.cnf"]
 *                                       for the Ruby process; ${ROOT} is the image's root
 *     ignore: [${LIBDIR}/krb5/plugins]  directories that are left out on purpose
 *     paths: [/usr/share/zoneinfo]      where the host has nothing there, the image's is found
 *     fallback:                         the host's, where it has one; else what we packed
 *       - env: SSL_CERT_FILE            variable that names it, where the user has not set it
 *         host: [/etc/ssl/cert.pem]     places on the host, the best first
 *         files: [/etc/ssl/cert.pem]    the first of these that the build machine has is packed,
 *                                       a directory only where the other `files` name none of it
 *     advice: ...                       what the build tells the user when the recipe applies
 *     notes: ...                        why, and what was measured
 *
 * ${LIBDIR} is the real directory of a library that `soname` matched, else that of libc. An unknown
 * key is an error. The only file that reads recipes with libcyaml.
 */
#include <stdbool.h>
#include <stddef.h>

struct err;

enum {
    RECIPE_MAX = 64 << 10, /* bytes of one recipe */
    RECIPE_LIST_MAX = 1024,
    RECIPE_TEXT_MAX = 4096,
};

struct recipe_match {
    char **sonames;
    size_t soname_count;
    char **imports;
    size_t import_count;
    char **gems;
    size_t gem_count;
    char **exists;
    size_t exists_count;
    char **without_gems;
    size_t without_gem_count;
    char *glibc_below; /* or NULL */
};

struct recipe_directory {
    char *path;
    char *env; /* or NULL */
    bool modules;
    bool search;
    bool sonames;
    bool required;
};

struct recipe_command {
    char **run;
    size_t run_count;
    char *output;
    char **remove;
    size_t remove_count;
};

struct recipe_fallback {
    char *env;
    char **host;
    size_t host_count;
    char **files;
    size_t file_count;
};

struct recipe_source {
    char *gem;
    char *version;
    char *file; /* relative to the gem's directory, without ".." */
    char *behind;
};

struct recipe_first_run {
    char *gem;
    char **run; /* all paths of a first run are relative to the gem's directory, without ".." */
    size_t run_count;
    char *makes;
    char *as;
    char *instead_of; /* or NULL */
    char **leave_out;
    size_t leave_out_count;
};

/* All paths are absolute and without "..", or begin with ${LIBDIR}; what is optional may be NULL.
 */
struct recipe {
    char *name;
    char *summary;
    bool always;
    bool disabled;
    struct recipe_match *match;
    char **libs;
    size_t lib_count;
    char **required_libs;
    size_t required_lib_count;
    char **host;
    size_t host_count;
    char **files;
    size_t file_count;
    char **required_files;
    size_t required_file_count;
    char **programs;
    size_t program_count;
    char **ignore;
    size_t ignore_count;
    char **paths;
    size_t path_count;
    struct recipe_directory *directories;
    size_t directory_count;
    struct recipe_command *commands;
    size_t command_count;
    struct recipe_first_run *first_runs;
    size_t first_run_count;
    struct recipe_source *sources;
    size_t source_count;
    char **env; /* "NAME=value" */
    size_t env_count;
    struct recipe_fallback *fallbacks;
    size_t fallback_count;
    char *advice;
    char *notes;
};

/* name: the file's name, for errors. E-RECIPE names it, and the line where there is one. */
[[nodiscard]] bool recipe_load(const char *bytes, size_t len, const char *name, struct recipe **ret,
                               struct err *err);
void recipe_free(struct recipe *recipe);

struct recipe_context {
    const char *const *sonames; /* DT_SONAMEs of the walk, or file names where there is none */
    size_t soname_count;
    const char *const *gems;
    size_t gem_count;
    int glibc_major;
    int glibc_minor;
    /* Asked only by recipes that want to know; both get `data`. */
    bool (*imports)(const char *symbol, void *data);
    bool (*exists)(const char *pattern, void *data);
    void *data;
};
/* Whether it applies to a walk: see `always` and `match` above. */
bool recipe_matches(const struct recipe *recipe, const struct recipe_context *context);
/* Whether one of its patterns of `soname` is of that name: of which library ${LIBDIR} is. */
bool recipe_matches_soname(const struct recipe *recipe, const char *soname);
