/* SPDX-License-Identifier: MIT */
#include "runtime/keeper/retention.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/xalloc.h"

static const char suffix_tar[] = ".tar.zst";
static const char suffix_capsule[] = ".capsule";

struct names {
    char **items;
    size_t count;
    size_t capacity;
};

char *retention_name(const char *app, int64_t seconds, bool is_capsule)
{
    time_t when = (time_t)seconds;
    struct tm parts = {0};
    char stamp[32] = "";

    if (gmtime_r(&when, &parts) != NULL)
        (void)strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &parts);
    return xasprintf("%s-%s%s", app, stamp, is_capsule ? suffix_capsule : suffix_tar);
}

static bool is_snapshot(const char *name, const char *app)
{
    static const char shape[] = "-dddddddd"
                                "T"
                                "dddddd"
                                "Z";
    size_t len = strlen(app);

    if (strncmp(name, app, len) != 0)
        return false;
    name += len;
    for (const char *at = shape; *at != '\0'; at++, name++)
        if (*at == 'd' ? *name < '0' || *name > '9' : *name != *at)
            return false;
    return strcmp(name, suffix_tar) == 0 || strcmp(name, suffix_capsule) == 0;
}

/* Latest first; of one time, whichever. */
static int by_time(const void *a, const void *b)
{
    return strcmp(*(char *const *)b, *(char *const *)a);
}

static void find(const char *directory, const char *app, struct names *ret)
{
    cleanup_dir DIR *entries = opendir(directory);
    const struct dirent *entry;

    while (entries != NULL && (entry = readdir(entries)) != NULL) {
        if (!is_snapshot(entry->d_name, app))
            continue;
        ret->items = xgrow(ret->items, &ret->capacity, ret->count, sizeof(*ret->items));
        ret->items[ret->count++] = xasprintf("%s/%s", directory, entry->d_name);
    }
    if (ret->count > 0)
        qsort(ret->items, ret->count, sizeof(*ret->items), by_time);
}

static void names_release(struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->items[i]);
    free(names->items);
}

char *retention_newest(const char *directory, const char *app, unsigned int newer)
{
    cleanup_with(names_release) struct names names = {0};

    find(directory, app, &names);
    return names.count > newer ? xstrdup(names.items[newer]) : NULL;
}

bool retention_apply(const char *directory, const char *app, const char *made, unsigned int keep,
                     unsigned int *ret_removed, struct err *err)
{
    cleanup_with(names_release) struct names names = {0};
    cleanup_free char *spared = xasprintf("%s/%s", directory, made);
    unsigned int kept = is_snapshot(made, app); /* another name is not counted */

    *ret_removed = 0;
    find(directory, app, &names);
    for (size_t i = 0; i < names.count; i++) {
        if (strcmp(names.items[i], spared) == 0)
            continue;
        if (kept < keep) {
            kept++;
            continue;
        }
        if (unlink(names.items[i]) != 0)
            return err_sys(err, "'%s'", names.items[i]);
        ++*ret_removed;
    }
    return true;
}
