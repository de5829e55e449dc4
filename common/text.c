/* SPDX-License-Identifier: MIT */
#include "common/text.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
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

/* The bytes of the UTF-8 character at text and its code point; 0 when there is none (RFC 3629). */
static size_t decode(const unsigned char *text, uint32_t *ret_point)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t len = text[0] < 0x80             ? 1
                 : (text[0] & 0xE0) == 0xC0 ? 2
                 : (text[0] & 0xF0) == 0xE0 ? 3
                 : (text[0] & 0xF8) == 0xF0 ? 4
                                            : 0;
    uint32_t point = len == 1 ? text[0] : text[0] & (0x7Fu >> len);

    if (len == 0)
        return 0;
    for (size_t i = 1; i < len; i++) {
        if ((text[i] & 0xC0) != 0x80)
            return 0;
        point = point << 6 | (text[i] & 0x3F);
    }
    if (point < smallest[len] || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF))
        return 0;
    *ret_point = point;
    return len;
}

static bool is_control(uint32_t point)
{
    return point < 0x20 || (point >= 0x7F && point < 0xA0);
}

static bool is_harmless(uint32_t point)
{
    bool reorders = point == 0x061C || point == 0x200E || point == 0x200F ||
                    (point >= 0x2028 && point <= 0x202E) || (point >= 0x2066 && point <= 0x2069);

    return !is_control(point) && !reorders;
}

bool text_is_plain(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;

    while (*at != '\0') {
        uint32_t point = 0;
        size_t len = decode(at, &point);

        if (len == 0 || is_control(point))
            return false;
        at += len;
    }
    return true;
}

char *text_visible(const char *text)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *from = (const unsigned char *)text;
    char *result = xcalloc(strlen(text) + 1, 4);
    char *to = result;

    while (*from != '\0') {
        uint32_t point = 0;
        size_t len = decode(from, &point);
        size_t bytes = len > 0 ? len : 1;

        if (len > 0 && is_harmless(point)) {
            memcpy(to, from, len);
            to += len;
        } else {
            for (size_t i = 0; i < bytes; i++) {
                *to++ = '\\';
                *to++ = 'x';
                *to++ = digits[from[i] >> 4];
                *to++ = digits[from[i] & 15];
            }
        }
        from += bytes;
    }
    return result;
}

char *text_utf8(const char *text)
{
    static const char replacement[] = "\xEF\xBF\xBD";
    const unsigned char *from = (const unsigned char *)text;
    char *result = xcalloc(strlen(text) + 1, sizeof(replacement) - 1);
    char *to = result;

    while (*from != '\0') {
        uint32_t point = 0;
        size_t len = decode(from, &point);

        memcpy(to, len > 0 ? (const char *)from : replacement,
               len > 0 ? len : sizeof(replacement) - 1);
        to += len > 0 ? len : sizeof(replacement) - 1;
        from += len > 0 ? len : 1;
    }
    return result;
}

char *text_json(const char *text)
{
    static const char digits[] = "0123456789abcdef";
    enum { ESCAPE_MAX = 6, QUOTES = 2 };
    char *utf8 = text_utf8(text);
    char *result = xcalloc(strlen(utf8) * ESCAPE_MAX + QUOTES + 1, 1);
    char *to = result;

    *to++ = '"';
    for (const char *from = utf8; *from != '\0'; from++) {
        unsigned char byte = (unsigned char)*from;

        if (byte < 0x20) {
            memcpy(to, "\\u00", 4);
            to[4] = digits[byte >> 4];
            to[5] = digits[byte & 15];
            to += ESCAPE_MAX;
            continue;
        }
        if (byte == '"' || byte == '\\')
            *to++ = '\\';
        *to++ = *from;
    }
    *to = '"';
    free(utf8);
    return result;
}

const char *text_base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL ? path : slash + 1;
}

const char *text_last_lines(char *text, unsigned int lines)
{
    size_t len = strlen(text);

    while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == ' '))
        text[--len] = '\0';
    while (len > 0 && (text[len - 1] != '\n' || --lines > 0))
        len--;
    return text + len;
}

bool text_ends_with(const char *text, const char *end)
{
    size_t len = strlen(text);
    size_t end_len = strlen(end);

    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

void text_join(char **list, const char *separator, const char *item)
{
    char *longer = xasprintf("%s%s%s", *list, (*list)[0] != '\0' ? separator : "", item);

    free(*list);
    *list = longer;
}
