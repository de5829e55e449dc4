/* SPDX-License-Identifier: MIT */
#include "bundler/provenance.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bundler/childenv.h"
#include "bundler/selection.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/path.h"
#include "common/proc.h"
#include "common/xalloc.h"

enum {
    OUTPUT_MAX = 4 << 20,
    TIMEOUT_MS = 20000,
    REVISION_MAX = 64,
    ARGUMENTS_MAX = 16,
    SETTINGS_MAX = 64,
    SUBMODULES_MAX = 256,
    DEPTH_MAX = 4,
};

/* Variables for git: in the form in which any name of a setting can be written. */
struct settings {
    char **texts; /* NULL at the end */
    size_t count; /* of texts */
    size_t number;
};

static void add_text(struct settings *settings, char *text)
{
    settings->texts = xrealloc_array(settings->texts, settings->count + 2, sizeof(char *));
    settings->texts[settings->count++] = text;
    settings->texts[settings->count] = NULL;
}

static void set_empty(struct settings *settings, const char *name)
{
    add_text(settings, xasprintf("GIT_CONFIG_KEY_%zu=%s", settings->number, name));
    add_text(settings, xasprintf("GIT_CONFIG_VALUE_%zu=", settings->number));
    settings->number++;
}

/* Nothing is fetched, by whatever command a remote names. */
static void settings_init(struct settings *ret)
{
    *ret = (struct settings){0};
    add_text(ret, xstrdup("GIT_NO_LAZY_FETCH=1"));
    add_text(ret, xstrdup("GIT_ALLOW_PROTOCOL=none"));
}

static void settings_release(struct settings *settings)
{
    for (size_t i = 0; i < settings->count; i++)
        free(settings->texts[i]);
    free(settings->texts);
    *settings = (struct settings){0};
}

/*
 * What git says to that, and whether it ended well. Its own variables may be set for another
 * repository: by a hook that builds. Whether a repository of others is to be believed, git decides
 * (safe.directory).
 */
static bool ask_git(const char *dir, const struct settings *settings, const char *const *words,
                    struct proc_output *ret)
{
    static const char *const without[] = {"GIT_", NULL};
    const char *argv[ARGUMENTS_MAX + 8] = {"git", "--no-optional-locks", "-c",
                                           "core.fsmonitor=false"};
    char **envp = childenv_make(without, (const char *const *)settings->texts);
    struct proc_request request = {.argv = argv,
                                   .envp = (const char *const *)envp,
                                   .cwd = dir,
                                   .output_max_bytes = OUTPUT_MAX,
                                   .timeout_ms = TIMEOUT_MS};
    struct err ignored = {0};
    bool ok;

    *ret = (struct proc_output){0};
    for (size_t i = 0; i < ARGUMENTS_MAX && words[i] != NULL; i++)
        argv[4 + i] = words[i];
    ok = proc_capture(&request, ret, &ignored);
    childenv_free(envp);
    return ok && !ret->timed_out && ret->exit_code == 0;
}

/* The next of the texts that each end with a NUL; NULL at the end. */
static const char *next_text(const struct proc_output *output, size_t *at)
{
    const char *text = output->out + *at;

    if (*at >= output->out_size)
        return NULL;
    *at += strlen(text) + 1;
    return text;
}

/*
 * A filter is a command that git has files go through to compare them. Those that a repository
 * names itself, not its user or the machine, are no filters to us. False: they cannot be told.
 */
static bool disarm(const char *dir, struct settings *settings)
{
    static const char *const list[] = {
        "config", "--show-scope", "--name-only",
        "-z",     "--get-regexp", "^filter\\..*\\.(clean|smudge|process|required)$",
        NULL};
    struct proc_output output;
    bool ok = ask_git(dir, settings, list, &output) || output.exit_code == 1; /* there is none */
    size_t at = 0;
    const char *scope;

    while (ok && (scope = next_text(&output, &at)) != NULL) {
        const char *name = next_text(&output, &at);

        if (strcmp(scope, "system") == 0 || strcmp(scope, "global") == 0)
            continue;
        ok = name != NULL && settings->number < SETTINGS_MAX;
        if (ok)
            set_empty(settings, name);
    }
    add_text(settings, xasprintf("GIT_CONFIG_COUNT=%zu", settings->number));
    proc_output_release(&output);
    return ok;
}

/* Whether one line of `git status` is of what a build packs: an untracked file may be its output.
 */
static bool is_change(const char *line)
{
    cleanup_free char *path = NULL;
    size_t length = strlen(line);

    if (strncmp(line, "?? ", 3) != 0)
        return true;
    path = xstrndup(line + 3, length - 3 - (line[length - 1] == '/'));
    return !selection_is_excluded(path);
}

/* Not of submodules: git would run itself in them, with their settings. */
static bool is_tree_changed(const char *dir, const struct settings *settings)
{
    static const char *const status[] = {
        "status", "--porcelain", "-z", "--untracked-files=normal", "--ignore-submodules=dirty",
        NULL};
    struct proc_output output;
    bool is_changed = !ask_git(dir, settings, status, &output);
    size_t at = 0;
    const char *line;

    while (!is_changed && (line = next_text(&output, &at)) != NULL)
        is_changed = is_change(line);
    proc_output_release(&output);
    return is_changed;
}

static bool is_changed(const char *dir, unsigned int depth);

static bool is_submodule_changed(const char *dir, const char *relative, unsigned int depth)
{
    cleanup_free char *path = xasprintf("%s/%s", dir, relative);
    cleanup_free char *own = xasprintf("%s/.git", path);
    cleanup_free char *real = realpath(path, NULL);
    struct stat st;

    if (stat(own, &st) != 0)
        return false; /* not there: nor is anything of it packed */
    return real == NULL || !path_lies_in(real, dir) || is_changed(real, depth + 1);
}

static bool is_any_submodule_changed(const char *dir, const struct settings *settings,
                                     unsigned int depth)
{
    static const char *const list[] = {
        "config", "-z", "--file", ".gitmodules", "--get-regexp", "^submodule\\..*\\.path$", NULL};
    cleanup_free char *file = xasprintf("%s/.gitmodules", dir);
    struct proc_output output;
    struct stat st;
    bool changed;
    size_t at = 0;
    const char *entry;

    if (lstat(file, &st) != 0)
        return false;
    changed = !ask_git(dir, settings, list, &output) && output.exit_code != 1;
    for (size_t i = 0; !changed && (entry = next_text(&output, &at)) != NULL; i++) {
        const char *value = strchr(entry, '\n');

        changed =
            value == NULL || i == SUBMODULES_MAX || is_submodule_changed(dir, value + 1, depth);
    }
    proc_output_release(&output);
    return changed;
}

/* In doubt it is. dir is real. */
static bool is_changed(const char *dir, unsigned int depth) /* NOLINT(misc-no-recursion) */
{
    struct settings settings;
    bool changed;

    settings_init(&settings);
    changed = depth > DEPTH_MAX || !disarm(dir, &settings) || is_tree_changed(dir, &settings) ||
              is_any_submodule_changed(dir, &settings, depth);
    settings_release(&settings);
    return changed;
}

/* On the heap; NULL when there is none. */
static char *find_revision(const char *dir)
{
    static const char *const head[] = {"rev-parse", "--verify", "HEAD", NULL};
    struct settings settings;
    struct proc_output output;
    char *revision = NULL;
    size_t length;

    settings_init(&settings);
    if (ask_git(dir, &settings, head, &output)) {
        length = strspn(output.out, "0123456789abcdef");
        if (length >= 40 && length <= REVISION_MAX && output.out[length] == '\n')
            revision = xstrndup(output.out, length);
    }
    proc_output_release(&output);
    settings_release(&settings);
    return revision;
}

void provenance_find(struct provenance *ret, const char *dir)
{
    cleanup_free char *own = xasprintf("%s/.git", dir);
    cleanup_free char *real = NULL;
    struct stat st;

    *ret = (struct provenance){0};
    if (stat(own, &st) != 0)
        return;
    real = realpath(dir, NULL);
    if (real == NULL)
        return;
    ret->revision = find_revision(real);
    ret->is_dirty = ret->revision != NULL && is_changed(real, 0);
}

void provenance_release(struct provenance *provenance)
{
    free(provenance->revision);
    *provenance = (struct provenance){0};
}

char *provenance_text(const struct provenance *provenance)
{
    return provenance->revision == NULL
               ? NULL
               : xasprintf("%s%s", provenance->revision, provenance->is_dirty ? " modified" : "");
}
