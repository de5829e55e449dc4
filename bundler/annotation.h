/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Annotations of GitHub Actions: errors and warnings that its pages show beside the file and line
 * they are about. A line on stderr, beside the usual one; the runner reads both streams.
 *
 * https://docs.github.com/actions/reference/workflow-commands-for-github-actions
 */
#include <stdbool.h>

struct err;

/* Whether a runner of GitHub reads what is printed: GITHUB_ACTIONS is true. */
bool annotation_is_wanted(void);

/* Both print nothing where it is not. */
void annotation_warn(const char *text);

/*
 * The error with its hint, at the place that its message begins with, "rucksack.yml:7: ..." or
 * "rucksack.yml: ...", as a path from here. The annotation names it from the repository's root,
 * GITHUB_WORKSPACE, wherever in it the build runs.
 */
void annotation_fail(const struct err *err);
