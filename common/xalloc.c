/* SPDX-License-Identifier: MIT */
#include "common/xalloc.h"

#include <search.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

[[gnu::noreturn]] static void die(void)
{
    fputs("rucksack: out of memory\n", stderr);
    exit(1);
}

void *xcalloc(size_t count, size_t size)
{
    void *ptr = calloc(count > 0 ? count : 1, size > 0 ? size : 1);

    if (ptr == NULL)
        die();
    return ptr;
}

void *xrealloc_array(void *ptr, size_t count, size_t size)
{
    void *grown;

    if (size > 0 && count > SIZE_MAX / size)
        die();
    grown = realloc(ptr, count * size > 0 ? count * size : 1);
    if (grown == NULL)
        die();
    return grown;
}

char *xstrndup(const char *text, size_t len)
{
    char *copy = xcalloc(len + 1, 1);

    memcpy(copy, text, len);
    return copy;
}

char *xstrdup(const char *text)
{
    return xstrndup(text, strlen(text));
}

char *xasprintf(const char *fmt, ...)
{
    char *text = NULL;
    va_list args;
    int length;

    va_start(args, fmt);
    length = vasprintf(&text, fmt, args);
    va_end(args);
    if (length < 0)
        die();
    return text;
}

void *xgrow(void *items, size_t *capacity, size_t count, size_t size)
{
    if (count < *capacity)
        return items;
    *capacity = *capacity > 0 ? *capacity * 2 : 16;
    return xrealloc_array(items, *capacity, size);
}

void *xtsearch(const void *key, void **root, int (*compare)(const void *, const void *))
{
    void *node = tsearch(key, root, compare);

    if (node == NULL)
        die();
    return node;
}
