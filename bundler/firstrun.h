/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Gems that write into their own directory when they first run: in an image they cannot, so it is
 * done at build, as recipes say (`first_runs` in recipe.h).
 *
 * The gem's script runs in a copy of its directory, made of symlinks and removed again: it may add
 * files. The one that the recipe names is packed. Its bytes are put into the tool's cache, named
 * by their hash: the same ones for each later build, and safe to delete after it.
 */
#include <stdbool.h>

struct err;
struct extras;
struct plan;
struct probe;

/*
 * For each recipe whose gem is locked; app_dir as cookbook_load()'s. After the gems are planned and
 * before their programs are. Adds to the notes of the extras. A run that writes no such file is a
 * warning, and the gem is packed as it is. E-RECIPE for a recipe that is wrong, E-TMP and E-OUTPUT
 * where nothing can be written.
 */
[[nodiscard]] bool firstrun_plan(struct extras *extras, const struct probe *probe,
                                 const char *app_dir, struct plan *plan, struct err *err);
