/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Programs of machine code that the application starts: helpers in gems and in the application,
 * and what recipes add.
 *
 * The kernel would start them with the host's loader and so with the host's libraries, or not at
 * all. Each one makes room for a copy of the launcher, which starts it as Ruby is started: by the
 * bundle's loader, with the bundle's libraries. The program itself lies beside it, so that its
 * $ORIGIN stays what it was.
 *
 * Static programs, programs for other machines or another loader, and those that do not start here
 * because a library is missing are packed as they are.
 */
#include <stdbool.h>
#include <stddef.h>

struct deps;
struct elf;
struct err;
struct extras;
struct plan;
struct walk;

struct program {
    char *path;   /* image path by which it is started */
    char *elf;    /* image path of the program itself */
    char *comm;   /* name of the process */
    char *source; /* absolute path on this machine; NULL: one more name of another one */
    char *owner;  /* "gem 'pg'", "recipe 'git'"; NULL with source */
};

struct programs {
    struct program *items;
    size_t count;
    char **warnings; /* one line each, for people */
    size_t warning_count;
    struct deps *deps;      /* what single programs load; private */
    const struct elf *ruby; /* what they have to be like; private */
};

/*
 * Finds those of gems and application in the plan. ruby_program: absolute path of an interpreter
 * that has the loader of the bundle. E-ELF when that one cannot be read. Release it after a
 * failure, too.
 */
[[nodiscard]] bool programs_plan(struct programs *ret, const char *ruby_program, struct plan *plan,
                                 struct err *err);

/* Those that recipes have added to the plan since the last call, which become roots of the walk.
 * Sets *ret_any when there were any: they may bring objects that other recipes match. */
[[nodiscard]] bool programs_add(struct programs *programs, struct plan *plan, struct walk *walk,
                                bool *ret_any, struct err *err);

/* The names by which recipes want programs to be started: /.rucksack/bin is in front of PATH. A
 * program that does not start by our loader gets none, so that the host's is taken. */
[[nodiscard]] bool programs_name(struct programs *programs, const struct extras *extras,
                                 struct plan *plan, struct err *err);
void programs_release(struct programs *programs);
