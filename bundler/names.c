/* SPDX-License-Identifier: MIT */
#include "bundler/names.h"

#include <stdlib.h>
#include <string.h>

#include "common/xalloc.h"

void names_add(struct names *names, char *name)
{
    names->items = xgrow(names->items, &names->capacity, names->count, sizeof(char *));
    names->items[names->count++] = name;
}

bool names_have(const struct names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->items[i], name) == 0)
            return true;
    return false;
}

void names_cut(struct names *names, size_t count)
{
    while (names->count > count)
        free(names->items[--names->count]);
}

char *names_join(const struct names *names, const char *separator)
{
    size_t size = 1;
    char *text;
    char *end;

    for (size_t i = 0; i < names->count; i++)
        size += strlen(names->items[i]) + strlen(separator);
    text = xcalloc(size, 1);
    end = text;
    for (size_t i = 0; i < names->count; i++) {
        if (i > 0)
            end = stpcpy(end, separator);
        end = stpcpy(end, names->items[i]);
    }
    return text;
}

void names_release(struct names *names)
{
    names_cut(names, 0);
    free(names->items);
    *names = (struct names){0};
}
