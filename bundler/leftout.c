/* SPDX-License-Identifier: MIT */
#include "bundler/leftout.h"

#include <dirent.h>
#include <fnmatch.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bundler/config.h"
#include "common/cleanup.h"
#include "common/xalloc.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

struct rule {
    const char *pattern;
    enum leftout_class class;
};

/* At the top of a gem. */
static const struct rule dirs[] = {
    {"test", LEFTOUT_TESTS},     {"tests", LEFTOUT_TESTS},    {"spec", LEFTOUT_TESTS},
    {"specs", LEFTOUT_TESTS},    {"doc", LEFTOUT_DOCS},       {"docs", LEFTOUT_DOCS},
    {"benchmark", LEFTOUT_DOCS}, {"ports", LEFTOUT_BUILD},    {"tmp", LEFTOUT_BUILD},
    {".git", LEFTOUT_AUTHOR},    {".github", LEFTOUT_AUTHOR}, {"sig", LEFTOUT_AUTHOR},
};

/* Anywhere. */
static const struct rule files[] = {
    {"*.o", LEFTOUT_OBJECTS},        {"*.a", LEFTOUT_STATIC},     {"*.la", LEFTOUT_STATIC},
    {"*.c", LEFTOUT_SOURCES},        {"*.h", LEFTOUT_HEADERS},    {"*.cc", LEFTOUT_SOURCES},
    {"*.cpp", LEFTOUT_SOURCES},      {"*.java", LEFTOUT_SOURCES}, {"*.rl", LEFTOUT_SOURCES},
    {"gem_make.out", LEFTOUT_BUILD}, {"mkmf.log", LEFTOUT_BUILD}, {"Makefile", LEFTOUT_BUILD},
};

/* At the top of a gem that was published: what its author works with. */
static const char *const author_files[] = {
    "Rakefile", "Gemfile",     "Gemfile.lock", "Dockerfile", ".rspec",        ".yardopts",
    ".gemtest", ".travis.yml", ".document",    ".gitignore", ".rdoc_options", ".rubocop.yml"};

static enum leftout_class match(const struct rule *rules, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (fnmatch(rules[i].pattern, name, 0) == 0)
            return rules[i].class;
    return LEFTOUT_NOTHING;
}

static bool is_of_author(const char *relative)
{
    for (size_t i = 0; i < COUNT(author_files); i++)
        if (strcmp(author_files[i], relative) == 0)
            return true;
    return false;
}

/* "README.md", "History.txt": what a gem's author tells readers. Licences stay. */
static bool is_prose(const char *relative)
{
    static const char *const patterns[] = {"*.md", "*.rdoc", "README*", "CHANGELOG*", "HISTORY*"};

    for (size_t i = 0; strchr(relative, '/') == NULL && i < COUNT(patterns); i++) {
        if (fnmatch(patterns[i], relative, FNM_CASEFOLD) == 0)
            return strcasestr(relative, "licen") == NULL && strcasestr(relative, "copy") == NULL;
    }
    return false;
}

/* Below ext/ lie the sources of the extensions; some gems load what was compiled there, with the
 * libraries beside it. */
static bool is_source(const char *relative)
{
    size_t len = strlen(relative);

    return strncmp(relative, "ext/", 4) == 0 &&
           (len < 3 || strcmp(relative + len - 3, ".so") != 0) && strstr(relative, ".so.") == NULL;
}

/*
 * Precompiled gems carry one object for each Ruby, as lib/sqlite3/3.1/sqlite3_native.so: those of
 * the others can never be loaded. Where ours is missing, the gem counts in another way.
 */
static bool is_for_other_ruby(const struct leftout_tree *tree, const char *relative)
{
    const char *dot = strrchr(tree->api, '.');
    size_t ours = dot == NULL ? strlen(tree->api) : (size_t)(dot - tree->api);
    cleanup_free char *sibling = NULL;
    const char *dir = NULL;

    for (const char *at = relative; (at = strchr(at, '/')) != NULL; at++) {
        size_t len = strspn(at + 1, "0123456789.");

        if (len >= 3 && memchr(at + 1, '.', len) != NULL && at[1 + len] == '/')
            dir = at + 1;
    }
    if (dir == NULL || fnmatch("*.so", relative, 0) != 0 ||
        (strncmp(dir, tree->api, ours) == 0 && dir[ours] == '/'))
        return false;
    sibling =
        xasprintf("%s/%.*s%.*s", tree->dir, (int)(dir - relative), relative, (int)ours, tree->api);
    return access(sibling, F_OK) == 0;
}

static enum leftout_class classify(const struct leftout_tree *tree, const char *relative,
                                   bool is_dir)
{
    size_t len = strcspn(relative, "/");
    cleanup_free char *top = xstrndup(relative, len);
    const char *slash = strrchr(relative, '/');
    enum leftout_class class = LEFTOUT_NOTHING;

    if (is_dir || relative[len] == '/')
        class = match(dirs, COUNT(dirs), top);
    if (class != LEFTOUT_NOTHING || is_dir)
        return class;
    class = match(files, COUNT(files), slash != NULL ? slash + 1 : relative);
    if (class != LEFTOUT_NOTHING)
        return class;
    if (tree->is_published && is_of_author(relative))
        return LEFTOUT_AUTHOR;
    if (is_prose(relative))
        return LEFTOUT_DOCS;
    if (is_source(relative))
        return LEFTOUT_SOURCES;
    return is_for_other_ruby(tree, relative) ? LEFTOUT_RUBIES : LEFTOUT_NOTHING;
}

static bool is_kept(const struct leftout *leftout, const struct leftout_tree *tree,
                    const char *relative)
{
    cleanup_free char *path = xasprintf("%s/%s", tree->gem, relative);

    for (size_t i = 0; leftout->keep != NULL && leftout->keep[i] != NULL; i++)
        for (size_t j = 0; j < leftout->keep[i]->count; j++)
            if (fnmatch(leftout->keep[i]->items[j], path, FNM_LEADING_DIR) == 0)
                return true;
    return false;
}

static void count_file(struct leftout *leftout, enum leftout_class class, const char *path)
{
    struct stat st;

    if (lstat(path, &st) != 0)
        return;
    leftout->files[class]++;
    leftout->bytes[class] += S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
}

/* True as soon as a file of it is kept; until then they are counted. */
static bool count_tree(struct leftout *leftout, const struct leftout_tree *tree,
                       const char *relative, enum leftout_class class)
{
    cleanup_free char *path = xasprintf("%s/%s", tree->dir, relative);
    cleanup_dir DIR *stream = opendir(path);
    const struct dirent *entry;

    while (stream != NULL && (entry = readdir(stream)) != NULL) {
        cleanup_free char *below = xasprintf("%s/%s", relative, entry->d_name);
        cleanup_free char *file = xasprintf("%s/%s", tree->dir, below);

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (entry->d_type == DT_DIR ? count_tree(leftout, tree, below, class)
                                    : is_kept(leftout, tree, below))
            return true;
        if (entry->d_type != DT_DIR)
            count_file(leftout, class, file);
    }
    return false;
}

enum leftout_class leftout_judge(struct leftout *leftout, const struct leftout_tree *tree,
                                 const char *relative, bool is_dir)
{
    enum leftout_class class = classify(tree, relative, is_dir);
    cleanup_free char *path = xasprintf("%s/%s", tree->dir, relative);
    struct leftout before = *leftout;

    if (class == LEFTOUT_NOTHING)
        return LEFTOUT_NOTHING;
    if (is_dir && count_tree(leftout, tree, relative, class)) {
        *leftout = before; /* they are asked about one by one */
        return LEFTOUT_NOTHING;
    }
    if (is_dir)
        return class;
    if (is_kept(leftout, tree, relative))
        return LEFTOUT_NOTHING;
    count_file(leftout, class, path);
    return class;
}

const char *leftout_name(enum leftout_class class)
{
    static const char *const names[LEFTOUT_COUNT] = {
        [LEFTOUT_RUBIES] = "other Rubies",
        [LEFTOUT_HEADERS] = "headers",
        [LEFTOUT_STATIC] = "archives",
        [LEFTOUT_OBJECTS] = "object files",
        [LEFTOUT_SOURCES] = "sources",
        [LEFTOUT_TESTS] = "tests",
        [LEFTOUT_DOCS] = "docs",
        [LEFTOUT_BUILD] = "build trees",
        [LEFTOUT_AUTHOR] = "authors' files",
        [LEFTOUT_SLIM] = "libraries of Ruby",
    };

    return names[class];
}

bool leftout_is_made(enum leftout_class class)
{
    return class == LEFTOUT_BUILD || class == LEFTOUT_OBJECTS || class == LEFTOUT_STATIC;
}
