/* SPDX-License-Identifier: MIT */
#include "bundler/childenv.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/xalloc.h"

extern char **environ;

static size_t count_of(const char *const *list)
{
    size_t count = 0;

    while (list[count] != NULL)
        count++;
    return count;
}

static bool begins_with_one(const char *assignment, const char *const *prefixes)
{
    for (size_t i = 0; prefixes[i] != NULL; i++)
        if (strncmp(assignment, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    return false;
}

char **childenv_make(const char *const *without, const char *const *with)
{
    size_t ours = count_of((const char *const *)environ);
    char **list = xcalloc(ours + count_of(with) + 1, sizeof(*list));
    size_t used = 0;

    for (size_t i = 0; i < ours; i++)
        if (!begins_with_one(environ[i], without))
            list[used++] = xstrdup(environ[i]);
    for (size_t i = 0; with[i] != NULL; i++)
        list[used++] = xstrdup(with[i]);
    return list;
}

void childenv_free(char **list)
{
    for (size_t i = 0; list != NULL && list[i] != NULL; i++)
        free(list[i]);
    free(list);
}
