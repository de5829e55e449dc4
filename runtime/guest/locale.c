/* SPDX-License-Identifier: MIT */
/*
 * The bundled libc looks for locale and character set data at the paths of the build machine, which
 * on the server hold another libc's. LOCPATH and GCONV_PATH say otherwise, but in the environment
 * every child would see them: they are set around the calls that read them, and only there.
 * locale(7), iconv_open(3).
 */
#include <iconv.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "common/launchfile.h"
#include "guest.h"

static char locale_dir[GUEST_PATH_MAX];
static char gconv_dir[GUEST_PATH_MAX];

void locale_record(const struct launchfile_record *record)
{
    if (launchfile_is(record, "locale", 1))
        (void)guest_path(locale_dir, record->fields[1]);
    else if (launchfile_is(record, "gconv", 1))
        (void)guest_path(gconv_dir, record->fields[1]);
}

static void enter(void)
{
    if (locale_dir[0] != '\0')
        (void)setenv("LOCPATH", locale_dir, 1);
    if (gconv_dir[0] != '\0')
        (void)setenv("GCONV_PATH", gconv_dir, 1);
}

static void leave(void)
{
    (void)unsetenv("LOCPATH");
    (void)unsetenv("GCONV_PATH");
}

static struct {
    char *(*setlocale)(int, const char *);
    locale_t (*newlocale)(int, const char *, locale_t);
    iconv_t (*iconv_open)(const char *, const char *);
} libc;

void locale_init(void)
{
    libc.setlocale = (__typeof__(libc.setlocale))guest_next("setlocale");
    libc.newlocale = (__typeof__(libc.newlocale))guest_next("newlocale");
    libc.iconv_open = (__typeof__(libc.iconv_open))guest_next("iconv_open");
}

GUEST_EXPORT char *setlocale(int category, const char *locale)
{
    char *result;

    guest_prepare();
    if (locale == NULL)
        return libc.setlocale(category, locale);
    enter();
    result = libc.setlocale(category, locale);
    leave();
    return result;
}

GUEST_EXPORT locale_t newlocale(int mask, const char *locale, locale_t base)
{
    locale_t result;

    guest_prepare();
    enter();
    result = libc.newlocale(mask, locale, base);
    leave();
    return result;
}

GUEST_EXPORT iconv_t iconv_open(const char *to, const char *from)
{
    iconv_t result;

    guest_prepare();
    enter();
    result = libc.iconv_open(to, from);
    leave();
    return result;
}
