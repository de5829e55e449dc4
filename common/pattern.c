/* SPDX-License-Identifier: MIT */
#include "common/pattern.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/xalloc.h"

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_plain(const char *name)
{
    for (; *name != '\0'; name++) {
        if (strchr("*?[", *name) != NULL)
            return false;
        if (*name == '\\' && name[1] != '\0')
            name++;
    }
    return true;
}

/* As it is named: without the backslashes that quote. */
static void unquote(char *name)
{
    char *to = name;

    for (const char *from = name; *from != '\0'; from++) {
        if (*from == '\\' && from[1] != '\0')
            from++;
        *to++ = *from;
    }
    *to = '\0';
}

static void search(struct pattern_found *found, const char *dir, const char *pattern);

/* A name of a directory that has matched, and what the rest of the pattern finds there. rest: from
 * the slash behind it, or empty. */
static void enter(struct pattern_found *found, const char *dir, const char *name, const char *rest)
{
    size_t slashes = strspn(rest, "/");
    cleanup_free char *path = xasprintf("%s%s%.*s", dir, name, (int)slashes, rest);
    struct stat st;

    if (rest[slashes] != '\0') {
        search(found, path, rest + slashes);
        return;
    }
    /* A slash at the end asks for a directory, which a link may lead to. */
    if ((slashes > 0 ? stat(path, &st) : lstat(path, &st)) != 0)
        return;
    found->paths = xgrow(found->paths, &found->capacity, found->count, sizeof(*found->paths));
    found->paths[found->count++] = steal_ptr(&path);
}

/* dir: empty, or ends in a slash. */
static void search(struct pattern_found *found, const char *dir, const char *pattern)
{
    size_t len = strcspn(pattern, "/");
    cleanup_free char *name = xstrndup(pattern, len);
    struct dirent **entries = NULL;
    int count;

    if (is_plain(name)) {
        unquote(name);
        enter(found, dir, name, pattern + len);
        return;
    }
    count = scandir(dir[0] != '\0' ? dir : ".", &entries, NULL, NULL);
    if (count < 0 && errno == ENOMEM)
        xdie();
    if (count < 0 && (errno == EIO || errno == EMFILE || errno == ENFILE))
        found->sys_errno = errno;
    for (int i = 0; i < count; i++) {
        if (fnmatch(name, entries[i]->d_name, FNM_PERIOD) == 0)
            enter(found, dir, entries[i]->d_name, pattern + len);
        free(entries[i]);
    }
    free(entries);
}

void pattern_find(struct pattern_found *ret, const char *pattern)
{
    size_t slashes = strspn(pattern, "/");
    cleanup_free char *root = xstrndup(pattern, slashes);

    *ret = (struct pattern_found){0};
    if (pattern[slashes] != '\0')
        search(ret, root, pattern + slashes);
    if (ret->count > 0)
        qsort(ret->paths, ret->count, sizeof(*ret->paths), by_bytes);
}

char *pattern_quote(const char *text)
{
    char *quoted = xcalloc(2 * strlen(text) + 1, 1);
    char *to = quoted;

    for (; *text != '\0'; text++) {
        if (strchr("*?[\\", *text) != NULL)
            *to++ = '\\';
        *to++ = *text;
    }
    return quoted;
}

void pattern_release(struct pattern_found *found)
{
    for (size_t i = 0; i < found->count; i++)
        free(found->paths[i]);
    free(found->paths);
    *found = (struct pattern_found){0};
}
