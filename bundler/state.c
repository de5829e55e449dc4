/* SPDX-License-Identifier: MIT */
#include "bundler/state.h"

#include <dirent.h>
#include <fnmatch.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bundler/config.h"
#include "bundler/plan.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/format.h"
#include "common/fs.h"
#include "common/path.h"
#include "common/xalloc.h"

enum { IGNORE_MAX_BYTES = 1 << 20, DEPTH_MAX = 8 };

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static const char *const class_names[] = {
    [STATE_DATA] = "data", [STATE_SQLITE] = "sqlite", [STATE_CACHE] = "cache",
    [STATE_RUN] = "run",   [STATE_LOG] = "log",
};

static const char *const database_suffixes[] = {".sqlite3", ".sqlite", ".db"};
static const char *const placeholders[] = {".keep", ".gitkeep", ".gitignore", ".empty"};

/* Where a look for databases is none of ours: no state of the app, and often large. */
static const char *const skipped_dirs[] = {"node_modules", "vendor", "test", "spec", "tmp"};

static bool is_one_of(const char *name, const char *const list[], size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i], name) == 0)
            return true;
    return false;
}

static bool is_database(const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < COUNT(database_suffixes); i++) {
        size_t end = strlen(database_suffixes[i]);

        if (len > end && strcmp(name + len - end, database_suffixes[i]) == 0)
            return true;
    }
    return false;
}

bool states_hold(const struct states *states, const char *path)
{
    for (size_t i = 0; i < states->count; i++)
        if (path_lies_in(path, states->items[i].path))
            return true;
    return false;
}

bool states_are_kept(const struct states *states)
{
    for (size_t i = 0; i < states->count; i++)
        if (states->items[i].class == STATE_DATA || states->items[i].class == STATE_SQLITE)
            return true;
    return false;
}

const char *state_class_name(enum state_class class)
{
    return class_names[class];
}

/* What is itself called like its place needs no directory more: data, log. */
static char *place_of(enum state_class class, const char *path)
{
    const char *top = class == STATE_SQLITE ? class_names[STATE_DATA] : class_names[class];

    return path_lies_in(path, top) ? xstrdup(path) : xasprintf("%s/%s", top, path);
}

static void add(struct states *states, enum state_class class, const char *path, const char *found,
                bool is_file, const char *reason)
{
    bool is_held = states_hold(states, path);

    for (size_t i = 0; i < states->count; i++)
        if (strcmp(states->items[i].path, path) == 0 && states->items[i].class == class)
            return;
    states->items = xrealloc_array(states->items, states->count + 1, sizeof(*states->items));
    states->items[states->count++] = (struct state){
        .class = class,
        .path = xstrdup(path),
        .found = xstrdup(found),
        .place = place_of(class, path),
        .reason = xstrdup(reason),
        .is_file = is_file,
        .is_held = is_held,
    };
}

/* Side files of a database that matches: "x.sqlite3-wal". */
static bool matches_database(const char *pattern, const char *name)
{
    cleanup_free char *side = xasprintf("%s-*", pattern);

    return fnmatch(pattern, name, 0) == 0 || fnmatch(side, name, 0) == 0;
}

/* Whether a directory holds nothing that would have to be packed. A missing one does not. */
static bool holds_only_state(const char *dir, const char *pattern)
{
    cleanup_dir DIR *entries = opendir(dir);
    const struct dirent *entry;

    if (entries == NULL)
        return true;
    while ((entry = readdir(entries)) != NULL) {
        const char *name = entry->d_name;

        if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
            !is_one_of(name, placeholders, COUNT(placeholders)) && !matches_database(pattern, name))
            return false;
    }
    return true;
}

/* A path or pattern of SQLite files. */
static bool add_pattern(struct states *states, const char *dir, const char *pattern,
                        const char *reason, struct err *err)
{
    char clean[PATH_IMAGE_MAX + 1];
    cleanup_free char *parent = NULL;
    const char *slash;

    if (!path_image(pattern, clean, sizeof(clean), err))
        return err_wrap(err, "%s", reason);
    slash = strrchr(clean, '/');
    if (strpbrk(clean, "*?[") == NULL) {
        add(states, STATE_SQLITE, clean, clean, true, reason);
        return true;
    }
    if (slash == NULL || strpbrk(clean, "*?[") < slash)
        return true; /* it names no directory: a general rule, not a place */
    clean[slash - clean] = '\0';
    parent = xasprintf("%s/%s", dir, clean);
    if (states_hold(states, clean) || holds_only_state(parent, slash + 1)) {
        add(states, STATE_SQLITE, clean, pattern, false, reason);
        return true;
    }
    (void)err_set(err, ERR_INPUT, "'%s' holds both state (%s) and files to pack", clean, pattern);
    (void)err_id(err, "E-STATE");
    return err_hint(err, "name the databases exactly in .gitignore, or move the other files");
}

/* One line of .gitignore: only names of databases and the place of uploads matter. */
static bool take_ignored(struct states *states, const char *dir, const char *line, struct err *err)
{
    cleanup_free char *reason = xasprintf(".gitignore: %s", line);
    const char *path = line[0] == '/' ? line + 1 : line;

    if (line[0] == '#' || line[0] == '!')
        return true;
    if (path_lies_in(path, "public/uploads")) {
        add(states, STATE_DATA, "public/uploads", "public/uploads", false, reason);
        return true;
    }
    return !is_database(line) || add_pattern(states, dir, line, reason, err);
}

static bool find_ignored(struct states *states, const char *dir, struct err *err)
{
    cleanup_free char *path = xasprintf("%s/.gitignore", dir);
    cleanup_free char *text = NULL;
    size_t size;
    char *rest;

    if (access(path, F_OK) != 0)
        return true;
    if (!fs_read_file(path, IGNORE_MAX_BYTES, &text, &size, err))
        return false;
    for (char *line = strtok_r(text, "\r\n", &rest); line != NULL;
         line = strtok_r(NULL, "\r\n", &rest)) {
        if (!take_ignored(states, dir, line, err))
            return false;
    }
    return true;
}

/* Databases that lie in the tree and that nothing has named: they would be missing. */
static void find_lying(struct states *states, const char *dir, const char *below, int depth)
{
    cleanup_free char *here = xasprintf("%s/%s", dir, below);
    cleanup_dir DIR *entries = opendir(here);
    const struct dirent *entry;

    while (entries != NULL && depth < DEPTH_MAX && (entry = readdir(entries)) != NULL) {
        const char *name = entry->d_name;
        cleanup_free char *path = xasprintf("%s%s%s", below, below[0] != '\0' ? "/" : "", name);

        if (name[0] == '.' || states_hold(states, path))
            continue;
        if (entry->d_type == DT_DIR && !is_one_of(name, skipped_dirs, COUNT(skipped_dirs)))
            find_lying(states, dir, path, depth + 1);
        else if (entry->d_type == DT_REG && is_database(name))
            add(states, STATE_SQLITE, path, path, true, "a database in the tree");
    }
}

static bool find(struct states *states, const struct states_input *input, struct err *err)
{
    if (input->is_rails) {
        add(states, STATE_DATA, "storage", "storage", false, "Rails");
        add(states, STATE_RUN, "tmp", "tmp", false, "Rails");
        add(states, STATE_LOG, "log", "log", false, "Rails");
    }
    for (size_t i = 0; i < input->database_count; i++) {
        if (!add_pattern(states, input->dir, input->databases[i], "config/database.yml", err))
            return false;
    }
    if (!find_ignored(states, input->dir, err))
        return false;
    find_lying(states, input->dir, "", 0);
    return true;
}

static void add_bootsnap(struct states *states)
{
    static const char path[] = "tmp/cache/bootsnap";
    size_t before = states->count;
    struct state *state;

    add(states, STATE_CACHE, path, path, false, "bootsnap");
    if (states->count == before)
        return; /* the configuration names it */
    state = &states->items[before];
    free(state->place);
    state->place = xstrdup(STATE_BOOTSNAP);
    state->is_led = true;
}

static bool is_configured(const struct config *config)
{
    return config->state.data.count + config->state.sqlite.count + config->state.cache.count +
               config->state.run.count + config->state.log.count >
           0;
}

static bool add_directories(struct states *states, enum state_class class,
                            const struct config_list *paths, const char *file, struct err *err)
{
    for (size_t i = 0; i < paths->count; i++) {
        char clean[PATH_IMAGE_MAX + 1];

        if (strpbrk(paths->items[i], "*?[") != NULL) {
            (void)err_set(err, ERR_INPUT, "%s: state: '%s': only 'sqlite' takes patterns", file,
                          paths->items[i]);
            return err_id(err, "E-CONFIG");
        }
        if (!path_image(paths->items[i], clean, sizeof(clean), err))
            return err_wrap(err, "%s: state", file);
        add(states, class, clean, clean, false, CONFIG_FILE);
    }
    return true;
}

static bool take_configured(struct states *states, const struct states_input *input,
                            struct err *err)
{
    const struct config *config = input->config;
    const char *file = config_file(config);

    if (!add_directories(states, STATE_DATA, &config->state.data, file, err) ||
        !add_directories(states, STATE_CACHE, &config->state.cache, file, err) ||
        !add_directories(states, STATE_RUN, &config->state.run, file, err) ||
        !add_directories(states, STATE_LOG, &config->state.log, file, err))
        return false;
    for (size_t i = 0; i < config->state.sqlite.count; i++) {
        if (!add_pattern(states, input->dir, config->state.sqlite.items[i], CONFIG_FILE, err))
            return false;
    }
    return true;
}

/* A directory that is state takes in what was found in it before. */
static void settle(struct states *states)
{
    for (size_t i = 0; i < states->count; i++) {
        struct state *state = &states->items[i];

        for (size_t j = 0; j < states->count; j++) {
            const struct state *other = &states->items[j];

            if (j != i && !other->is_file && !other->is_held &&
                path_lies_in(state->path, other->path) &&
                (j < i || strcmp(state->path, other->path) != 0))
                state->is_held = true;
        }
    }
}

bool states_find(struct states *ret, const struct states_input *input, struct err *err)
{
    struct states states = {0};
    bool ok = is_configured(input->config) ? take_configured(&states, input, err)
                                           : find(&states, input, err);

    if (input->has_bootsnap)
        add_bootsnap(&states);
    settle(&states);
    if (ok)
        *ret = states;
    else
        states_release(&states);
    return ok;
}

/* From /app/<path>, up to the image root and one further: the launcher's link beside it. */
static bool plan_link(const struct state *state, struct plan *plan, struct err *err)
{
    cleanup_free char *path = xasprintf(FORMAT_APP_DIR "/%s", state->path);
    cleanup_free char *target = xasprintf("../state/%s", state->place);

    for (const char *at = path; *at != '\0'; at++) {
        if (*at == '/') {
            char *deeper = xasprintf("../%s", target);

            free(target);
            target = deeper;
        }
    }
    return plan_add_symlink(plan, path, target, (struct plan_origin){PLAN_PART_APP, state->reason},
                            err);
}

bool states_plan(const struct states *states, struct plan *plan, struct err *err)
{
    for (size_t i = 0; i < states->count; i++) {
        if (!states->items[i].is_held && !states->items[i].is_led &&
            !plan_link(&states->items[i], plan, err))
            return err_wrap(err, "state '%s'", states->items[i].path);
    }
    return true;
}

char *state_dir(const struct state *state)
{
    cleanup_free char *place = xstrdup(state->place);

    return xstrdup(state->is_file ? dirname(place) : place);
}

void states_release(struct states *states)
{
    for (size_t i = 0; i < states->count; i++) {
        free(states->items[i].path);
        free(states->items[i].found);
        free(states->items[i].place);
        free(states->items[i].reason);
    }
    free(states->items);
    *states = (struct states){0};
}
