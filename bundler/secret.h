/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Secrets of an application's tree, which no bundle should carry: whoever has the file has them.
 *
 * Two lines of defence. What is a secret by its name (.env, *.key, .git, ...) is not packed to
 * begin with, as selection.h says; the build tells which. Then everything that is planned from the
 * application's tree is looked at, whoever asked for it: names again, and bytes (secrettext.h,
 * sqlitefile.h). Gems as they were published are not: their authors' test keys are nobody's secret.
 */
#include <stdbool.h>
#include <stddef.h>

struct app;
struct err;
struct plan;
struct probe;
struct report;

/* What the user lets through: paths in the application's tree (--allow-secret). */
struct secret_allowed {
    const char *const *paths;
    size_t count;
};

/* Why a path of a tree is a secret by its own name and those of the directories above it: "a key";
 * NULL: it is none. */
const char *secret_by_name(const char *relative);

/* Whether the user lets through that path, or a directory that it lies in. */
bool secret_is_allowed(const struct secret_allowed *allowed, const char *relative);

/* Whether a directory must be entered for what is allowed in it. */
bool secret_leads_to_allowed(const struct secret_allowed *allowed, const char *relative);

/* Whether the bytes of a file look like a secret; one that cannot be read does not. */
bool secret_is_in_file(const char *path);

/*
 * Looks at what is planned from the application's tree, and at what was made of it. E-SECRET names
 * every file and why; E-SECRET, too, when something is allowed that is not packed.
 */
[[nodiscard]] bool secret_check(const struct app *app, const struct probe *probe,
                                const struct plan *plan, const struct report *report,
                                struct err *err);
