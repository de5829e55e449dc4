/* SPDX-License-Identifier: MIT */
#include "bundler/childenv.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/words.h"
#include "common/xalloc.h"

extern char **environ;

static bool begins_with_one(const char *assignment, const char *const *prefixes)
{
    for (size_t i = 0; prefixes[i] != NULL; i++)
        if (strncmp(assignment, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    return false;
}

char **childenv_make(const char *const *without, const char *const *with)
{
    size_t ours = words_count((const char *const *)environ);
    char **list = xcalloc(ours + words_count(with) + 1, sizeof(*list));
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
