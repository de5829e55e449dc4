/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Errors as values.
 *
 * A function that can fail returns bool and takes a `struct err *err` last. On failure it returns
 * false and has filled err exactly once; on success it leaves err alone. The struct is fixed-size,
 * so reporting cannot fail. Nothing here prints: main() does, once.
 *
 *     if (!elf_open(&elf, path, err))
 *         return err_wrap(err, "gem '%s'", gem->name);
 *
 * prints as    rucksack: E-ELF: gem 'pg': pg_ext.so: truncated at byte 1000
 *              hint: reinstall it: bundle pristine pg
 *
 * The id names the error for people and search engines; docs/errors.md lists every one.
 */
#include <stdbool.h>

enum err_kind {
    ERR_NONE,
    ERR_INPUT,  /* what we were given is wrong; the user can mend it */
    ERR_SYSTEM, /* a system call failed; sys_errno says how */
    ERR_USAGE,  /* the command line is wrong (exit code 2) */
    ERR_CHECK,  /* a check found problems (exit code 3) */
};

struct err {
    enum err_kind kind;
    int sys_errno;  /* 0 unless kind is ERR_SYSTEM */
    char id[16];    /* "E-LIB", or empty */
    char msg[1024]; /* lower case, no full stop, subjects in '...'; cut at a whole character, ends
                       in "..." when cut */
    char hint[512]; /* what to do next, or empty */
};

/* Both return false, so that `return err_set(...)` reads well. */
[[gnu::format(printf, 3, 4)]] bool err_set(struct err *err, enum err_kind kind, const char *fmt,
                                           ...);
[[gnu::format(printf, 2, 3)]] bool err_sys(struct err *err, const char *fmt,
                                           ...); /* appends strerror(errno) */

/* Puts one level of context in front: "context: message". At module borders only. Returns false. */
[[gnu::format(printf, 2, 3)]] bool err_wrap(struct err *err, const char *fmt, ...);

/* The first hint and the first id given win: the origin knows best. Both return false. */
[[gnu::format(printf, 2, 3)]] bool err_hint(struct err *err, const char *fmt, ...);
bool err_id(struct err *err, const char *id);
