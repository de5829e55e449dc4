/* SPDX-License-Identifier: MIT */
#include "common/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Marks a text that vsnprintf had to cut, without splitting a UTF-8 character. */
static void mark_cut(char *text, size_t size)
{
    size_t end = size - sizeof("...");

    while (end > 0 && ((unsigned char)text[end] & 0xC0) == 0x80)
        end--;
    memcpy(text + end, "...", sizeof("..."));
}

[[gnu::format(printf, 3, 0)]] static void format(char *text, size_t size, const char *fmt,
                                                 va_list args)
{
    int length = vsnprintf(text, size, fmt, args);

    if (length < 0)
        text[0] = '\0';
    else if ((size_t)length >= size)
        mark_cut(text, size);
}

bool err_set(struct err *err, enum err_kind kind, const char *fmt, ...)
{
    va_list args;

    *err = (struct err){.kind = kind};
    va_start(args, fmt);
    format(err->msg, sizeof(err->msg), fmt, args);
    va_end(args);
    return false;
}

bool err_sys(struct err *err, const char *fmt, ...)
{
    char subject[sizeof(err->msg) - 128];
    int sys_errno = errno;
    va_list args;

    va_start(args, fmt);
    format(subject, sizeof(subject), fmt, args);
    va_end(args);
    (void)err_set(err, ERR_SYSTEM, "%s: %s", subject, strerror(sys_errno));
    err->sys_errno = sys_errno;
    return false;
}

bool err_wrap(struct err *err, const char *fmt, ...)
{
    char context[sizeof(err->msg) / 2];
    char message[sizeof(err->msg)];
    va_list args;
    int length;

    va_start(args, fmt);
    format(context, sizeof(context), fmt, args);
    va_end(args);
    memcpy(message, err->msg, sizeof(message));
    length = snprintf(err->msg, sizeof(err->msg), "%s: %s", context, message);
    if (length >= (int)sizeof(err->msg))
        mark_cut(err->msg, sizeof(err->msg));
    return false;
}

bool err_hint(struct err *err, const char *fmt, ...)
{
    va_list args;

    if (err->hint[0] != '\0')
        return false;
    va_start(args, fmt);
    format(err->hint, sizeof(err->hint), fmt, args);
    va_end(args);
    return false;
}

bool err_id(struct err *err, const char *id)
{
    if (err->id[0] == '\0')
        (void)snprintf(err->id, sizeof(err->id), "%s", id);
    return false;
}
