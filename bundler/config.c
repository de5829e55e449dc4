/* SPDX-License-Identifier: MIT */
#include "bundler/config.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bundler/ydoc.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/fs.h"
#include "common/suggest.h"
#include "common/words.h"
#include "common/xalloc.h"

enum { CONFIG_MAX_BYTES = 1 << 20 };

enum key_type { KEY_TEXT, KEY_LIST, KEY_PAIRS, KEY_MAP, KEY_SWITCH, KEY_WISH };

struct key {
    const char *name;
    enum key_type type;
    size_t offset;          /* of the member in struct config */
                            /* KEY_SWITCH: a bool that is set when it is off; KEY_WISH: on */
    const struct key *keys; /* KEY_MAP: its members, ended by one without a name */
    bool (*check)(const char *text, struct err *err); /* of each text; NULL: anything */
};

#define MEMBER(member) offsetof(struct config, member)

static bool check_name(const char *text, struct err *err)
{
    for (const char *at = text; *at != '\0'; at++) {
        if (!islower((unsigned char)*at) && !isdigit((unsigned char)*at) &&
            (at == text || strchr("._-", *at) == NULL))
            return err_set(err, ERR_INPUT, "'%.100s': a name has a-z, 0-9, '.', '_' and '-'", text);
    }
    return true;
}

static bool check_visible(const char *text, struct err *err)
{
    for (const char *at = text; *at != '\0'; at++) {
        if (iscntrl((unsigned char)*at))
            return err_set(err, ERR_INPUT, "a control character in '%.*s'",
                           (int)strcspn(text, "\n\r\t"), text);
    }
    return true;
}

bool config_check_command(const char *text, struct err *err)
{
    struct words words = {0};
    bool ok = check_visible(text, err) &&
              (words_need_shell(text) || words_split(&words, text, getenv, err));

    words_release(&words);
    return ok;
}

/* Below the application's directory, and not all of it. */
static bool check_path(const char *text, struct err *err)
{
    cleanup_free char *inner = xasprintf("/%s/", text);

    if (text[0] != '/' && text[0] != '\0' && strstr(inner, "/../") == NULL &&
        strcmp(text, ".") != 0)
        return check_visible(text, err);
    return err_set(err, ERR_INPUT, "'%.200s' is no path below the application's directory", text);
}

static bool check_url_path(const char *text, struct err *err)
{
    if (text[0] == '/' && strchr(text, ' ') == NULL)
        return check_visible(text, err);
    return err_set(err, ERR_INPUT, "'%.200s' is no path of a URL, like /up", text);
}

static bool check_variable(const char *text, struct err *err)
{
    size_t len = 0;

    while (isalpha((unsigned char)text[len]) || text[len] == '_' ||
           (len > 0 && isdigit((unsigned char)text[len])))
        len++;
    if (len > 0 && text[len] == '\0')
        return true;
    return err_set(err, ERR_INPUT, "'%.100s' is no name of a variable", text);
}

/* "A|B": one of them is enough. A record of the launch file has no room for more. */
static bool check_secret(const char *text, struct err *err)
{
    cleanup_free char *names = xstrdup(text);
    char *rest = names;
    size_t count = 0;

    for (char *name; (name = strsep(&rest, "|")) != NULL; count++)
        if (!check_variable(name, err))
            return false;
    if (count <= CONFIG_SECRET_NAMES)
        return true;
    return err_set(err, ERR_INPUT, "'%.100s' are more than %d variables", text,
                   CONFIG_SECRET_NAMES);
}

static const struct key state_keys[] = {
    {"data", KEY_LIST, MEMBER(state.data), NULL, check_path},
    {"sqlite", KEY_LIST, MEMBER(state.sqlite), NULL, check_path},
    {"cache", KEY_LIST, MEMBER(state.cache), NULL, check_path},
    {"run", KEY_LIST, MEMBER(state.run), NULL, check_path},
    {"log", KEY_LIST, MEMBER(state.log), NULL, check_path},
    {0},
};

static const struct key libs_keys[] = {
    {"include", KEY_LIST, MEMBER(libs.include), NULL, check_visible},
    {"never", KEY_LIST, MEMBER(libs.never), NULL, check_visible},
    {0},
};

static const struct key boot_keys[] = {
    {"names", KEY_SWITCH, MEMBER(boot.no_names), NULL, NULL},
    {"compiled", KEY_SWITCH, MEMBER(boot.no_compiled), NULL, NULL},
    {"profile", KEY_SWITCH, MEMBER(boot.no_profile), NULL, NULL},
    {0},
};

static const struct key top_keys[] = {
    {"name", KEY_TEXT, MEMBER(name), NULL, check_name},
    {"version", KEY_TEXT, MEMBER(version), NULL, check_visible},
    {"ruby", KEY_TEXT, MEMBER(ruby), NULL, check_visible},
    {"processes", KEY_PAIRS, MEMBER(processes), NULL, config_check_command},
    {"release", KEY_TEXT, MEMBER(release), NULL, config_check_command},
    {"console", KEY_TEXT, MEMBER(console), NULL, config_check_command},
    {"env", KEY_PAIRS, MEMBER(env), NULL, check_visible},
    {"state", KEY_MAP, 0, state_keys, NULL},
    {"secrets", KEY_LIST, MEMBER(secrets), NULL, check_secret},
    {"single", KEY_LIST, MEMBER(single), NULL, check_visible},
    {"health", KEY_TEXT, MEMBER(health), NULL, check_url_path},
    {"service", KEY_SWITCH, MEMBER(no_service), NULL, NULL},
    {"host", KEY_WISH, MEMBER(host), NULL, NULL},
    {"check", KEY_TEXT, MEMBER(check), NULL, config_check_command},
    {"include", KEY_LIST, MEMBER(include), NULL, check_path},
    {"exclude", KEY_LIST, MEMBER(exclude), NULL, check_path},
    {"keep", KEY_LIST, MEMBER(keep), NULL, check_visible},
    {"libs", KEY_MAP, 0, libs_keys, NULL},
    {"recipes", KEY_LIST, MEMBER(recipes), NULL, check_name},
    {"slim", KEY_WISH, MEMBER(slim), NULL, NULL},
    {"licenses", KEY_SWITCH, MEMBER(no_licenses), NULL, NULL},
    {"boot", KEY_MAP, 0, boot_keys, NULL},
    {0},
};

/* What is wrong at a node: "7: ..." behind the file's name. */
static bool wrong(const struct ydoc *node, const char *what, struct err *err)
{
    return err_set(err, ERR_INPUT, "%d: '%.100s' %s", node->line, node->key, what);
}

static bool check_text(const struct key *key, const struct ydoc *node, struct err *err)
{
    if (key->check == NULL || key->check(node->text, err))
        return true;
    return err_wrap(err, "%d", node->line);
}

static bool take_text(const struct key *key, const struct ydoc *node, char **ret, struct err *err)
{
    if (node->kind != YDOC_TEXT || node->text[0] == '\0')
        return wrong(node, "must be a text", err);
    if (!check_text(key, node, err))
        return false;
    *ret = xstrdup(node->text);
    return true;
}

/* One text is a list of one. */
static bool take_list(const struct key *key, const struct ydoc *node, struct config_list *ret,
                      struct err *err)
{
    const struct ydoc *items = node->kind == YDOC_TEXT ? node : node->nodes;
    size_t count = node->kind == YDOC_TEXT ? 1 : node->count;

    if (node->kind == YDOC_MAP)
        return wrong(node, "must be a list", err);
    ret->items = xcalloc(count, sizeof(*ret->items));
    for (size_t i = 0; i < count; i++) {
        if (items[i].kind != YDOC_TEXT)
            return wrong(node, "must be a list of texts", err);
        if (!check_text(key, &items[i], err))
            return false;
        ret->items[ret->count++] = xstrdup(items[i].text);
    }
    return true;
}

static bool take_pairs(const struct key *key, const struct ydoc *node, struct config_pairs *ret,
                       struct err *err)
{
    bool is_env = key->offset == MEMBER(env);

    if (node->kind != YDOC_MAP && node->kind != YDOC_NOTHING)
        return wrong(node, "must be a map, 'name: text'", err);
    for (size_t i = 0; i < node->count; i++) {
        const struct ydoc *member = &node->nodes[i];

        if (member->kind != YDOC_TEXT)
            return wrong(member, "must be a text", err);
        if (!(is_env ? check_variable(member->key, err) : check_name(member->key, err)) ||
            !key->check(member->text, err))
            return err_wrap(err, "%d", member->line);
        config_add_pair(ret, member->key, member->text);
    }
    return true;
}

/* YAML 1.2's two words, and those of YAML 1.1 that people use. */
static bool take_switch(const struct ydoc *node, bool *ret_off, struct err *err)
{
    bool is_text = node->kind == YDOC_TEXT;

    *ret_off = is_text && (strcmp(node->text, "false") == 0 || strcmp(node->text, "no") == 0 ||
                           strcmp(node->text, "off") == 0);
    return *ret_off ||
           (is_text && (strcmp(node->text, "true") == 0 || strcmp(node->text, "yes") == 0 ||
                        strcmp(node->text, "on") == 0)) ||
           wrong(node, "must be true or false", err);
}

static bool unknown_key(const struct key *keys, const struct ydoc *node, struct err *err)
{
    struct suggest suggest = suggest_begin(node->key);

    (void)err_set(err, ERR_INPUT, "%d: unknown key '%.100s'", node->line, node->key);
    for (size_t i = 0; keys[i].name != NULL; i++)
        suggest_offer(&suggest, keys[i].name);
    return suggest_hint(&suggest, "see which there are: man rucksack.yml; begin your own with 'x-'",
                        err);
}

static bool take_map(const struct key *keys, const struct ydoc *map, struct config *config,
                     struct err *err);

static bool take_member(const struct key *key, const struct ydoc *node, struct config *config,
                        struct err *err)
{
    char *member = (char *)config + key->offset;

    switch (key->type) {
    case KEY_TEXT:
        return take_text(key, node, (char **)(void *)member, err);
    case KEY_LIST:
        return take_list(key, node, (struct config_list *)(void *)member, err);
    case KEY_PAIRS:
        return take_pairs(key, node, (struct config_pairs *)(void *)member, err);
    case KEY_MAP:
        if (node->kind != YDOC_MAP && node->kind != YDOC_NOTHING)
            return wrong(node, "must be a map", err);
        return take_map(key->keys, node, config, err);
    case KEY_SWITCH:
        return take_switch(node, (bool *)member, err);
    case KEY_WISH:
        if (!take_switch(node, (bool *)member, err))
            return false;
        *(bool *)member = !*(bool *)member;
        return true;
    }
    return true;
}

static bool take_map(const struct key *keys, const struct ydoc *map, struct config *config,
                     struct err *err)
{
    for (size_t i = 0; i < map->count; i++) {
        const struct ydoc *node = &map->nodes[i];
        const struct key *key = keys;

        if (strncmp(node->key, "x-", 2) == 0)
            continue;
        while (key->name != NULL && strcmp(key->name, node->key) != 0)
            key++;
        if (key->name == NULL)
            return unknown_key(keys, node, err);
        if (!take_member(key, node, config, err))
            return false;
    }
    return true;
}

static bool parse(struct config *config, const char *text, size_t size, struct err *err)
{
    struct ydoc *root = ydoc_parse(text, size, err);
    bool ok = root != NULL;

    if (ok && root->kind != YDOC_MAP && root->kind != YDOC_NOTHING)
        ok = err_set(err, ERR_INPUT, "%d: this is no map of keys", root->line);
    ok = ok && take_map(top_keys, root, config, err);
    ydoc_free(root);
    return ok;
}

bool config_load(struct config *ret, const char *dir, struct err *err)
{
    cleanup_free char *path = xasprintf("%s/" CONFIG_FILE, dir);
    cleanup_free char *text = NULL;
    cleanup_free char *message = NULL;
    struct config config = {.file = xstrdup(fs_shown(path))};
    size_t size;

    if (access(path, F_OK) != 0) {
        *ret = config;
        return true;
    }
    if (!fs_read_file(path, CONFIG_MAX_BYTES, &text, &size, err)) {
        config_release(&config);
        (void)err_id(err, "E-CONFIG");
        return err_hint(err, "make it a readable file, or remove it");
    }
    config.is_given = true;
    if (parse(&config, text, size, err)) {
        *ret = config;
        return true;
    }
    message = xasprintf("%s:%s", config.file, err->msg);
    config_release(&config);
    (void)snprintf(err->msg, sizeof(err->msg), "%s", message);
    (void)err_id(err, "E-CONFIG");
    return err_hint(err, "see what a key takes: man rucksack.yml");
}

void config_add_pair(struct config_pairs *pairs, const char *name, const char *value)
{
    pairs->items = xrealloc_array(pairs->items, pairs->count + 1, sizeof(*pairs->items));
    pairs->items[pairs->count++] = (struct config_pair){xstrdup(name), xstrdup(value)};
}

void config_add_text(struct config_list *list, const char *text)
{
    list->items = xrealloc_array(list->items, list->count + 1, sizeof(*list->items));
    list->items[list->count++] = xstrdup(text);
}

void config_default(struct config_pairs *pairs, const char *name, const char *value)
{
    for (size_t i = 0; i < pairs->count; i++)
        if (strcmp(pairs->items[i].name, name) == 0)
            return;
    config_add_pair(pairs, name, value);
}

static void release_list(struct config_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
}

static void release_pairs(struct config_pairs *pairs)
{
    for (size_t i = 0; i < pairs->count; i++) {
        free(pairs->items[i].name);
        free(pairs->items[i].value);
    }
    free(pairs->items);
}

static void release_keys(struct config *config, const struct key *keys)
{
    for (size_t i = 0; keys[i].name != NULL; i++) {
        char *member = (char *)config + keys[i].offset;

        if (keys[i].type == KEY_TEXT)
            free(*(char **)(void *)member);
        else if (keys[i].type == KEY_LIST)
            release_list((struct config_list *)(void *)member);
        else if (keys[i].type == KEY_PAIRS)
            release_pairs((struct config_pairs *)(void *)member);
        else if (keys[i].type == KEY_MAP)
            release_keys(config, keys[i].keys);
    }
}

const char *config_file(const struct config *config)
{
    return config->file != NULL ? config->file : CONFIG_FILE;
}

void config_release(struct config *config)
{
    free(config->file);
    release_keys(config, top_keys);
    *config = (struct config){0};
}
