/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What a recorded run of the application (trace.h) used that the bundle does not have. The run
 * proves presence, never absence: it only adds.
 *
 * Only what the application's Ruby did counts: a shell or git that it started has libraries of its
 * own, which stay on the host with it.
 */
#include <stdbool.h>
#include <stddef.h>

struct err;
struct plan;
struct report;
struct trace;
struct walk;

/*
 * Adds to the walk each shared object that the Ruby program opened and that is not in it, nor in
 * the plan: under the name by which it was opened, as a dlopen() would find it, with its closure.
 * E-LIB when a library that one needs is not found.
 */
[[nodiscard]] bool outside_add(const struct trace *trace, const char *ruby, const struct plan *plan,
                               struct walk *walk, struct err *err);

/*
 * Says one line for each file that the Ruby program read, and each program that the run executed,
 * that is not in the plan at its own path. Left out are the application's directory, what every
 * host has of its own (/proc, /dev, /etc/passwd, the loader's cache, ...) and what was written.
 */
void outside_say(const struct trace *trace, const char *ruby, const char *app_dir,
                 const struct plan *plan, const struct report *report);
