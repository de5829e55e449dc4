/* SPDX-License-Identifier: MIT */
#include "bundler/annotation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/text.h"
#include "common/xalloc.h"

bool annotation_is_wanted(void)
{
    const char *value = getenv("GITHUB_ACTIONS");

    return value != NULL && strcmp(value, "true") == 0;
}

/* What would end the command, or the value of a property, is written as the runner's toolkit does
 * (escapeData and escapeProperty). */
static void put(const char *text, bool is_property)
{
    for (; *text != '\0'; text++) {
        if (*text == '%' || *text == '\r' || *text == '\n' ||
            (is_property && (*text == ':' || *text == ',')))
            fprintf(stderr, "%%%02X", (unsigned char)*text);
        else
            fputc(*text, stderr);
    }
}

/* "FILE:LINE: " in front of the message, of which FILE is no quoted name; 0: there is none. */
static size_t place_of(const char *msg, size_t *ret_line)
{
    size_t name = strcspn(msg, ": '");
    size_t digits = msg[name] == ':' ? strspn(msg + name + 1, "0123456789") : 0;

    if (name == 0 || digits == 0 || strncmp(msg + name + 1 + digits, ": ", 2) != 0)
        return 0;
    *ret_line = name + 1;
    return name + 1 + digits + 2;
}

void annotation_warn(const char *text)
{
    cleanup_free char *visible = text_visible(text);

    if (!annotation_is_wanted())
        return;
    fputs("::warning title=rucksack::", stderr);
    put(visible, false);
    fputc('\n', stderr);
}

void annotation_fail(const struct err *err)
{
    cleanup_free char *msg = text_visible(err->msg);
    cleanup_free char *hint = text_visible(err->hint);
    size_t line = 0;
    size_t text = place_of(msg, &line);

    if (!annotation_is_wanted())
        return;
    fputs("::error ", stderr);
    if (text > 0) {
        cleanup_free char *file = xstrndup(msg, line - 1);
        cleanup_free char *number = xstrndup(msg + line, text - 2 - line);

        fputs("file=", stderr);
        put(file, true);
        fprintf(stderr, ",line=%s,", number);
    }
    fputs("title=", stderr);
    put(err->id[0] != '\0' ? err->id : "rucksack", true);
    fputs("::", stderr);
    put(msg + text, false);
    if (hint[0] != '\0') {
        put("\nhint: ", false);
        put(hint, false);
    }
    fputc('\n', stderr);
}
