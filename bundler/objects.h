/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What was learnt about files, once for all processes of a walk: which candidates of a search fit,
 * which directories there are, and the objects that were read. Keyed by path, because the path by
 * which the loader opens an object decides its $ORIGIN. Files must not change meanwhile.
 */
#include <stdbool.h>

#include "bundler/elf.h"

struct err;
struct objects;

/* An empty one; never NULL. */
[[nodiscard]] struct objects *objects_new(void);
void objects_free(struct objects *objects); /* and every object it gave away */

/* The object at a path, valid until objects_free(). Errors of elf_open(). */
[[nodiscard]] bool objects_get(struct objects *objects, const char *path, const struct elf **ret,
                               struct err *err);

/* elf_fit(), answered from memory the second time; for objects of one machine only. */
enum elf_fit objects_fit(struct objects *objects, const char *path, const struct elf *like,
                         struct err *err);

/* Whether there is such a directory; one that cannot be looked at counts as being there. */
bool objects_have_dir(struct objects *objects, const char *path);

/* False the second time that it is asked about a path. */
bool objects_mark(struct objects *objects, const char *path);
