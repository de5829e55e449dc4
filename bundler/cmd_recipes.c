/* SPDX-License-Identifier: MIT */
/*
 * `rucksack recipes list|show NAME|check [FILE...]`: the recipes that a build here would use, the
 * tool's own and those in the directory `recipes`, and whether files are recipes.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bundler/asset.h"
#include "bundler/command.h"
#include "bundler/cookbook.h"
#include "bundler/jdoc.h"
#include "bundler/recipe.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/fs.h"
#include "common/suggest.h"
#include "common/text.h"

enum { OPERANDS_MAX = COOKBOOK_MAX };

struct recipes_options {
    bool json;
};

static const struct option_entry options[] = {
    {"json", 0, OPTION_FLAG, offsetof(struct recipes_options, json), NULL,
     "list, check: one JSON document on stdout"},
    {.type = OPTION_END},
};

static void print_list(const struct cookbook *cookbook)
{
    for (size_t i = 0; i < cookbook->count; i++) {
        const struct cookbook_entry *entry = &cookbook->entries[i];
        cleanup_free char *summary = text_visible(entry->recipe->summary);
        cleanup_free char *origin = text_visible(entry->origin != NULL ? entry->origin : "");

        printf("%-18s %s%s%s%s\n", entry->recipe->name,
               entry->recipe->disabled ? "disabled" : summary, origin[0] != '\0' ? " (" : "",
               origin, origin[0] != '\0' ? ")" : "");
    }
}

static void set_texts(struct jdoc *object, const char *key, char *const *items, size_t count)
{
    struct jdoc *list = jdoc_array();

    for (size_t i = 0; i < count; i++)
        jdoc_push_text(list, items[i]);
    jdoc_set(object, key, list);
}

static struct jdoc *describe(const struct cookbook_entry *entry)
{
    const struct recipe *recipe = entry->recipe;
    struct jdoc *object = jdoc_object();

    jdoc_set_text(object, "name", recipe->name);
    jdoc_set_text(object, "summary", recipe->summary);
    jdoc_set_text(object, "file", entry->origin);
    jdoc_set_bool(object, "always", recipe->always);
    jdoc_set_bool(object, "disabled", recipe->disabled);
    if (recipe->match != NULL) {
        const struct recipe_match *match = recipe->match;
        struct jdoc *conditions = jdoc_object();

        set_texts(conditions, "soname", match->sonames, match->soname_count);
        set_texts(conditions, "imports", match->imports, match->import_count);
        set_texts(conditions, "gem", match->gems, match->gem_count);
        set_texts(conditions, "exists", match->exists, match->exists_count);
        set_texts(conditions, "without_gem", match->without_gems, match->without_gem_count);
        jdoc_set_text(conditions, "glibc_below", match->glibc_below);
        jdoc_set(object, "match", conditions);
    }
    return object;
}

static void print_json(const struct cookbook *cookbook)
{
    struct jdoc *list = jdoc_array();

    for (size_t i = 0; i < cookbook->count; i++)
        jdoc_push(list, describe(&cookbook->entries[i]));
    jdoc_print(list);
}

/* The text as its author wrote it: comments and notes are for people. */
static bool show(const struct cookbook *cookbook, const char *name, struct err *err)
{
    const struct cookbook_entry *entry = cookbook_find(cookbook, name);
    struct suggest suggest = suggest_begin(name);
    cleanup_free char *bytes = NULL;
    struct asset asset;
    size_t size;

    if (entry == NULL) {
        (void)err_set(err, ERR_INPUT, "there is no recipe '%.100s'", name);
        (void)err_id(err, "E-RECIPE");
        for (size_t i = 0; i < cookbook->count; i++)
            suggest_offer(&suggest, cookbook->entries[i].recipe->name);
        return suggest_hint(&suggest, "see which there are: rucksack recipes list", err);
    }
    if (entry->origin != NULL) {
        if (!fs_read_file(entry->origin, RECIPE_MAX, &bytes, &size, err))
            return err_id(err, "E-READ");
        (void)fwrite(bytes, 1, size, stdout);
        return true;
    }
    for (size_t i = 0; (asset = asset_recipe(i)).name != NULL; i++) {
        size_t len = strlen(name);

        if (strncmp(asset.name, name, len) == 0 && strcmp(asset.name + len, ".yml") == 0)
            (void)fwrite(asset.data, 1, asset.size, stdout);
    }
    return true;
}

/* One that was read without an error. */
static void add_checked(struct jdoc *list, const char *file)
{
    cleanup_free char *name = text_visible(file);
    struct jdoc *one;

    if (list == NULL) {
        printf("%s: ok\n", name);
        return;
    }
    one = jdoc_object();
    jdoc_set_text(one, "file", file);
    jdoc_set_bool(one, "ok", true);
    jdoc_push(list, one);
}

static bool check(const char *const *files, struct jdoc *list, struct err *err)
{
    for (; *files != NULL; files++) {
        struct recipe *recipe = NULL;

        if (!cookbook_read(*files, &recipe, err))
            return false;
        add_checked(list, *files);
        recipe_free(recipe);
    }
    return true;
}

/* Without files: those of this directory. */
static bool check_here(struct jdoc *list, struct err *err)
{
    struct cookbook cookbook;
    bool ok = cookbook_load(&cookbook, ".", err);

    for (size_t i = 0; ok && i < cookbook.count; i++)
        if (cookbook.entries[i].origin != NULL)
            add_checked(list, cookbook.entries[i].origin);
    cookbook_release(&cookbook);
    return ok;
}

static bool run_check(const struct command_args *args, struct err *err)
{
    const struct recipes_options *given = args->options;
    struct jdoc *list = given->json ? jdoc_array() : NULL;
    bool ok =
        args->operand_count > 1 ? check(args->operands + 1, list, err) : check_here(list, err);

    if (ok && list != NULL)
        jdoc_print(list);
    else
        jdoc_free(list);
    return ok;
}

static bool run_on(const struct cookbook *cookbook, const struct command_args *args,
                   struct err *err)
{
    const struct recipes_options *given = args->options;
    const char *what = args->operands[0];

    if (strcmp(what, "show") == 0) {
        if (args->operand_count != 2)
            return err_set(err, ERR_USAGE, "recipes show: needs one NAME");
        return show(cookbook, args->operands[1], err);
    }
    if (args->operand_count != 1)
        return err_set(err, ERR_USAGE, "recipes list: too many operands");
    if (given->json)
        print_json(cookbook);
    else
        print_list(cookbook);
    return true;
}

static bool run(const struct command_args *args, struct err *err)
{
    static const char *const known[] = {"list", "show", "check"};
    const char *what = args->operands[0];
    struct suggest suggest = suggest_begin(what);
    struct cookbook cookbook;
    bool is_known = false;
    bool ok;

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        is_known |= strcmp(what, known[i]) == 0;
        suggest_offer(&suggest, known[i]);
    }
    if (!is_known) {
        (void)err_set(err, ERR_USAGE, "recipes: unknown word '%.100s'", what);
        return suggest_hint(&suggest, "there are: list, show NAME, check [FILE...]", err);
    }
    if (strcmp(what, "check") == 0)
        return run_check(args, err);
    ok = cookbook_load(&cookbook, ".", err) && run_on(&cookbook, args, err);
    cookbook_release(&cookbook);
    return ok;
}

const struct command cmd_recipes = {
    .name = "recipes",
    .summary = "list, show or check what is packed beside the libraries",
    .operands = "list|show NAME|check [FILE...]",
    .operands_min = 1,
    .operands_max = OPERANDS_MAX,
    .options = options,
    .options_size = sizeof(struct recipes_options),
    .examples = "  rucksack recipes list\n"
                "  rucksack recipes show openssl\n"
                "  rucksack recipes check recipes/mine.yml\n",
    .run = run,
};
