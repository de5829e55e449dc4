/* SPDX-License-Identifier: MIT */
#include "bundler/cookbook.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bundler/asset.h"
#include "bundler/recipe.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/fs.h"
#include "common/xalloc.h"

static void entry_release(struct cookbook_entry *entry)
{
    recipe_free(entry->recipe);
    recipe_free(entry->withheld);
    free(entry->origin);
}

static void add(struct cookbook *cookbook, struct cookbook_entry entry)
{
    for (size_t i = 0; i < cookbook->count; i++) {
        if (strcmp(cookbook->entries[i].recipe->name, entry.recipe->name) == 0) {
            if (entry.recipe->disabled)
                entry.withheld = steal_ptr(&cookbook->entries[i].recipe);
            entry_release(&cookbook->entries[i]);
            cookbook->entries[i] = entry;
            return;
        }
    }
    cookbook->entries =
        xgrow(cookbook->entries, &cookbook->capacity, cookbook->count, sizeof(*cookbook->entries));
    cookbook->entries[cookbook->count++] = entry;
}

bool cookbook_read(const char *path, struct recipe **ret, struct err *err)
{
    cleanup_free char *bytes = NULL;
    size_t size;

    if (!fs_read_file(path, RECIPE_MAX, &bytes, &size, err))
        return err_id(err, "E-RECIPE");
    return recipe_load(bytes, size, path, ret, err);
}

static int is_recipe(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);

    return entry->d_name[0] != '.' && len > 4 && strcmp(entry->d_name + len - 4, ".yml") == 0;
}

static bool add_file(struct cookbook *cookbook, const char *dir, const char *name, struct err *err)
{
    struct cookbook_entry entry = {.origin = xasprintf("%s/%s", dir, name)};

    if (!cookbook_read(entry.origin, &entry.recipe, err)) {
        free(entry.origin);
        return false;
    }
    add(cookbook, entry);
    return true;
}

static bool add_dir(struct cookbook *cookbook, const char *dir, struct err *err)
{
    struct dirent **names = NULL;
    int count = scandir(dir, &names, is_recipe, alphasort);
    bool ok = true;

    if (count < 0 && errno != ENOENT && errno != ENOTDIR) {
        (void)err_sys(err, "'%s'", dir);
        return err_id(err, "E-READ");
    }
    if (count > COOKBOOK_MAX) {
        (void)err_set(err, ERR_INPUT, "'%s' holds more than %d recipes", dir, COOKBOOK_MAX);
        ok = err_id(err, "E-RECIPE");
    }
    for (int i = 0; i < count; i++) {
        ok = ok && add_file(cookbook, dir, names[i]->d_name, err);
        free(names[i]);
    }
    free(names);
    return ok;
}

bool cookbook_load(struct cookbook *ret, const char *app_dir, struct err *err)
{
    cleanup_free char *dir = NULL;
    struct asset asset;

    *ret = (struct cookbook){0};
    for (size_t i = 0; (asset = asset_recipe(i)).name != NULL; i++) {
        struct cookbook_entry entry = {0};

        if (!recipe_load((const char *)asset.data, asset.size, asset.name, &entry.recipe, err))
            return false;
        add(ret, entry);
    }
    if (app_dir == NULL)
        return true;
    dir = xasprintf("%s/recipes", app_dir);
    return add_dir(ret, fs_shown(dir), err); /* messages begin with it */
}

void cookbook_release(struct cookbook *cookbook)
{
    for (size_t i = 0; i < cookbook->count; i++)
        entry_release(&cookbook->entries[i]);
    free(cookbook->entries);
    *cookbook = (struct cookbook){0};
}

const struct cookbook_entry *cookbook_find(const struct cookbook *cookbook, const char *name)
{
    for (size_t i = 0; i < cookbook->count; i++)
        if (strcmp(cookbook->entries[i].recipe->name, name) == 0)
            return &cookbook->entries[i];
    return NULL;
}
