/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Recipes: what no walker can see. Libraries that are loaded by name at run time, data files, and
 * the variables that tell a library where they are.
 *
 *     name: openssl                     lower case letters, digits and hyphens
 *     summary: configuration of OpenSSL one line, for people
 *     always: true                      either this ...
 *     match:                            ... or this:
 *       soname: [libcrypto.so.*]        patterns of fnmatch(3); one that a walked object matches
 *       gem: [ffi]                      or one of these gems
 *       glibc_below: "2.34"             and, where given, an older glibc than this
 *     libs: [libidn2.so.0]              sonames to add as a dlopen() would; missing ones are fine
 *     required_libs: [libgcc_s.so.1]    the same, but a missing one is an error
 *     files: [/usr/lib/ssl/openssl.cnf] files and directories that keep their place; missing: fine
 *     env: ["OPENSSL_CONF=${ROOT}/usr/lib/ssl/openssl.cnf"]
 *                                       for the Ruby process; ${ROOT} is the image's root
 *     notes: ...                        why, and what was measured
 *
 * An unknown key is an error. The only file that reads recipes with libcyaml.
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
    char **gems;
    size_t gem_count;
    char *glibc_below; /* or NULL */
};

struct recipe {
    char *name;
    char *summary;
    bool always;
    struct recipe_match *match; /* NULL exactly where `always` is true */
    char **libs;
    size_t lib_count;
    char **required_libs;
    size_t required_lib_count;
    char **files; /* absolute, without ".." */
    size_t file_count;
    char **env; /* "NAME=value" */
    size_t env_count;
    char *notes; /* or NULL */
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
};
bool recipe_matches(const struct recipe *recipe, const struct recipe_context *context);
