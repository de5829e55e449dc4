/* SPDX-License-Identifier: MIT */
#include "common/text.h"

#include <string.h>

#include "common/xalloc.h"

char *text_replace(const char *text, const char *mark, const char *with)
{
    size_t mark_len = strlen(mark);
    size_t with_len = strlen(with);
    size_t count = 0;
    char *result;
    char *to;

    for (const char *at = strstr(text, mark); at != NULL; at = strstr(at + mark_len, mark))
        count++;
    result = xcalloc(strlen(text) + count * with_len + 1, 1);
    to = result;
    for (;;) {
        const char *at = strstr(text, mark);
        size_t len = at != NULL ? (size_t)(at - text) : strlen(text);

        memcpy(to, text, len);
        to += len;
        if (at == NULL)
            return result;
        memcpy(to, with, with_len);
        to += with_len;
        text = at + mark_len;
    }
}
