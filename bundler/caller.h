/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Where the packed Ruby sources start a program: of one that was not found somebody wants to know
 * who asked for it. A literal name in a call (`name ...`, system("name ..."), Open3, IO.popen,
 * ...), else one as a text of its own in a gem that starts programs. Not a parser; names that are
 * computed are not seen.
 */
#include <stdbool.h>
#include <stddef.h>

struct plan;

struct caller {
    const char *program; /* its name, or the path by which it was executed; borrowed */
    char *where;         /* "gem 'mini_magick', lib/mini_magick/shell.rb:12"; NULL: not known */
    bool is_call;        /* there it is started; else only named */
};

/* Looks for all of them in the application first, then in gems. where is owned by the caller. */
void callers_find(struct caller *callers, size_t count, const struct plan *plan);
