/* SPDX-License-Identifier: MIT */
#include "bundler/extras.h"

#include <fnmatch.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/xalloc.h"

enum { WARNING_MAX = 2048 };

void extras_add(struct extras_pairs *pairs, const char *name, const char *value)
{
    for (size_t i = 0; i < pairs->count; i++)
        if (strcmp(pairs->items[i].name, name) == 0 && strcmp(pairs->items[i].value, value) == 0)
            return;
    pairs->items = xgrow(pairs->items, &pairs->capacity, pairs->count, sizeof(*pairs->items));
    pairs->items[pairs->count++] = (struct extras_pair){xstrdup(name), xstrdup(value)};
}

void extras_join(struct extras_pairs *pairs, const char *name, const char *value)
{
    for (size_t i = 0; i < pairs->count; i++) {
        if (strcmp(pairs->items[i].name, name) == 0) {
            char *longer = xasprintf("%s:%s", pairs->items[i].value, value);

            free(pairs->items[i].value);
            pairs->items[i].value = longer;
            return;
        }
    }
    extras_add(pairs, name, value);
}

void extras_warn(struct extras *extras, const char *fmt, ...)
{
    char text[WARNING_MAX];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    extras_add(&extras->notes, "warning", text);
}

bool extras_leave_out(const struct extras *extras, const char *path, const char *soname)
{
    for (size_t i = 0; i < extras->left_out.count; i++) {
        const char *pattern = extras->left_out.items[i].name;

        if (strcmp(pattern, path) == 0 || fnmatch(pattern, soname, 0) == 0)
            return true;
    }
    return false;
}

static void pairs_release(struct extras_pairs *pairs)
{
    for (size_t i = 0; i < pairs->count; i++) {
        free(pairs->items[i].name);
        free(pairs->items[i].value);
    }
    free(pairs->items);
}

void extras_release(struct extras *extras)
{
    pairs_release(&extras->env);
    pairs_release(&extras->fallbacks);
    pairs_release(&extras->hosts);
    pairs_release(&extras->paths);
    pairs_release(&extras->search);
    pairs_release(&extras->programs);
    pairs_release(&extras->sources);
    pairs_release(&extras->left_out);
    pairs_release(&extras->notes);
    *extras = (struct extras){0};
}
