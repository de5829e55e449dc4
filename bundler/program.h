/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Programs of machine code in gems and in the application: helpers that they start by path.
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

struct err;
struct gems;
struct plan;

struct program {
    char *path; /* image path by which it is started */
    char *elf;  /* image path of the program itself */
    char *comm; /* name of the process */
};

struct programs {
    struct program *items;
    size_t count;
    char **warnings; /* one line each, for people */
    size_t warning_count;
};

/*
 * Finds them in the plan, after gems and application are in it, and makes them roots of the walk
 * (gems->objects). ruby_program: absolute path of an interpreter that has the loader of the bundle.
 * E-ELF when that one cannot be read.
 */
[[nodiscard]] bool programs_plan(struct programs *ret, const char *ruby_program, struct gems *gems,
                                 struct plan *plan, struct err *err);
void programs_release(struct programs *programs);
