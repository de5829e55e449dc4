/* SPDX-License-Identifier: MIT */
#include "common/xalloc.h"

#include <search.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void xdie(void)
{
    fputs("rucksack: out of memory\n", stderr);
    exit(1);
}

void *xcalloc(size_t count, size_t size)
{
    void *ptr = calloc(count > 0 ? count : 1, size > 0 ? size : 1);

    if (ptr == NULL)
        xdie();
    return ptr;
}

void *xrealloc_array(void *ptr, size_t count, size_t size)
{
    void *grown;

    if (size > 0 && count > SIZE_MAX / size)
        xdie();
    grown = realloc(ptr, count * size > 0 ? count * size : 1);
    if (grown == NULL)
        xdie();
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

char *xvasprintf(const char *fmt, va_list args)
{
    char *text = NULL;

    if (vasprintf(&text, fmt, args) < 0)
        xdie();
    return text;
}

char *xasprintf(const char *fmt, ...)
{
    va_list args;
    char *text;

    va_start(args, fmt);
    text = xvasprintf(fmt, args);
    va_end(args);
    return text;
}

/* What open_memstream(3) would be: of glibc's no write tells that memory ran out, the text is just
 * short. */
struct stream {
    char **text;
    size_t *size;
    size_t capacity;
};

static ssize_t stream_write(void *cookie, const char *data, size_t size)
{
    struct stream *stream = cookie;
    size_t used = *stream->size;

    if (size >= stream->capacity - used) {
        stream->capacity = (used + size) * 2;
        *stream->text = xrealloc_array(*stream->text, stream->capacity, 1);
    }
    memcpy(*stream->text + used, data, size);
    (*stream->text)[used + size] = '\0';
    *stream->size = used + size;
    return (ssize_t)size;
}

static int stream_close(void *cookie)
{
    free(cookie);
    return 0;
}

FILE *xmemstream(char **text, size_t *size)
{
    const cookie_io_functions_t functions = {.write = stream_write, .close = stream_close};
    struct stream *stream = xcalloc(1, sizeof(*stream));
    FILE *out = fopencookie(stream, "w", functions);

    if (out == NULL)
        xdie();
    *text = xcalloc(1, 1);
    *size = 0;
    *stream = (struct stream){text, size, 1};
    return out;
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
        xdie();
    return node;
}
