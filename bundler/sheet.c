/* SPDX-License-Identifier: MIT */
#include "bundler/sheet.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bundler/terminal.h"
#include "common/xalloc.h"

static bool continues(char byte)
{
    return ((unsigned char)byte & 0xC0) == 0x80;
}

size_t sheet_width(const char *text)
{
    size_t width = 0;

    for (; *text != '\0'; text++)
        width += !continues(*text);
    return width;
}

void sheet_pad(const char *text, size_t width)
{
    size_t used = sheet_width(text);

    printf("%s%*s", text, used < width ? (int)(width - used) : 0, "");
}

void sheet_label(const char *label)
{
    bool is_bold = label[0] != '\0' && terminal_is_colored(STDOUT_FILENO);

    if (is_bold)
        fputs(TERMINAL_BOLD, stdout);
    sheet_pad(label, SHEET_LABEL);
    if (is_bold)
        fputs(TERMINAL_PLAIN, stdout);
}

void sheet_label_once(const char *label, bool is_first)
{
    sheet_label(is_first ? label : "");
}

char *sheet_cut(const char *text, size_t width)
{
    static const char mark[] = "...";
    const char *end = text;
    size_t used = 0;

    if (sheet_width(text) <= width || width < strlen(mark))
        return xstrdup(text);
    while (used < width - strlen(mark)) {
        end++;
        while (continues(*end))
            end++;
        used++;
    }
    return xasprintf("%.*s%s", (int)(end - text), text, mark);
}

char *sheet_bar(uint64_t amount, uint64_t most)
{
    char *bar = xcalloc(SHEET_BAR + 1, 1);
    double share = most > 0 ? (double)amount / (double)most : 0;
    size_t marks = (size_t)(share * SHEET_BAR + 0.5);

    marks += marks == 0 && amount > 0;
    memset(bar, '#', marks < SHEET_BAR ? marks : SHEET_BAR);
    return bar;
}

char *sheet_time(int64_t given)
{
    time_t seconds = (time_t)given;
    struct tm parts;
    char text[sizeof("2026-01-01 00:00 UTC")];

    if (given <= 0 || given > UINT32_MAX || gmtime_r(&seconds, &parts) == NULL ||
        strftime(text, sizeof(text), "%Y-%m-%d %H:%M UTC", &parts) == 0)
        return NULL;
    return xstrdup(text);
}
