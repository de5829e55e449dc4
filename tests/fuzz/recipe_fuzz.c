/* SPDX-License-Identifier: MIT */
/*
 * A recipe: one that can be applied, or one error that names it. Mirrors recipe.c.
 */
#include <string.h>

#include "bundler/recipe.h"
#include "common/err.h"
#include "tests/fuzz/fuzz.h"

static bool yes(const char *text, void *data)
{
    (void)data;
    return text[0] != '\0';
}

static void check_paths(char *const *paths, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        FUZZ_ASSERT(paths[i][0] == '/' || strncmp(paths[i], "${LIBDIR}", 9) == 0);
        FUZZ_ASSERT(strstr(paths[i], "/../") == NULL && strlen(paths[i]) <= RECIPE_TEXT_MAX);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"libcrypto.so.3", "libz.so.1"};
    const struct recipe_context context = {.sonames = names,
                                           .soname_count = 2,
                                           .gems = names,
                                           .gem_count = 2,
                                           .glibc_major = 2,
                                           .glibc_minor = 36,
                                           .imports = yes,
                                           .exists = yes};
    struct recipe *recipe = NULL;
    struct err err = {0};

    if (!recipe_load((const char *)data, size, "fuzz.yml", &recipe, &err)) {
        FUZZ_ASSERT(recipe == NULL && strcmp(err.id, "E-RECIPE") == 0);
        return 0;
    }
    FUZZ_ASSERT(recipe->name[0] != '\0' && strchr(recipe->name, '/') == NULL);
    check_paths(recipe->files, recipe->file_count);
    check_paths(recipe->required_files, recipe->required_file_count);
    check_paths(recipe->programs, recipe->program_count);
    check_paths(recipe->paths, recipe->path_count);
    for (size_t i = 0; i < recipe->directory_count; i++)
        check_paths(&recipe->directories[i].path, 1);
    (void)recipe_matches(recipe, &context);
    (void)recipe_matches_soname(recipe, "libz.so.1");
    recipe_free(recipe);
    return 0;
}
