/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What recipes and the search for hidden dependencies add to a bundle beside files: variables,
 * directories to search, what is left out, and what the user is told. Owns its strings.
 */
#include <stdbool.h>
#include <stddef.h>

struct extras_pair {
    char *name;
    char *value;
};

struct extras_pairs {
    struct extras_pair *items;
    size_t count;
    size_t capacity;
};

struct extras {
    struct extras_pairs env;       /* variable, value for the launcher: ${ROOT} is the image */
    struct extras_pairs fallbacks; /* variable, image path */
    struct extras_pairs hosts;     /* variable of a fallback, absolute path on the host */
    struct extras_pairs paths;     /* absolute path that leads into the image, the recipe */
    struct extras_pairs search;    /* absolute directory for --library-path, the recipe */
    struct extras_pairs programs;  /* absolute path by which it is started, the recipe */
    struct extras_pairs sources;   /* source of Ruby by its real path, what is compiled behind it */
    struct extras_pairs left_out;  /* pattern of sonames, or absolute path; the recipe */
    struct extras_pairs notes;     /* "warning" or "note", what the build says */
};

/* Copies both; a pair that is there already is not added again. */
void extras_add(struct extras_pairs *pairs, const char *name, const char *value);

/* The same, but a name that is there already gets ":value" behind its value. */
void extras_join(struct extras_pairs *pairs, const char *name, const char *value);

/* A note of the kind "warning", once however often it is given. */
[[gnu::format(printf, 2, 3)]] void extras_warn(struct extras *extras, const char *fmt, ...);

/* Whether a library is not to be packed. */
bool extras_leave_out(const struct extras *extras, const char *path, const char *soname);

void extras_release(struct extras *extras);
