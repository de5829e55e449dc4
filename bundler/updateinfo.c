/* SPDX-License-Identifier: MIT */
#include "bundler/updateinfo.h"

#include <stddef.h>
#include <string.h>

#include "common/err.h"
#include "common/format.h"

static const struct {
    const char *kind;
    size_t fields; /* behind the kind */
    const char *form;
} kinds[] = {
    {"zsync", 1, "zsync|https://HOST/FILE.zsync"},
    {"gh-releases-zsync", 4, "gh-releases-zsync|OWNER|REPO|latest|NAME-*x86_64.AppImage.zsync"},
    {"pling-v1-zsync", 2, "pling-v1-zsync|NUMBER|NAME-*x86_64.AppImage.zsync"},
};

static bool wrong(const char *why, const char *form, struct err *err)
{
    (void)err_set(err, ERR_USAGE, "option '--update-info': %s", why);
    return err_hint(err, "it has the form %s", form);
}

/* Every field holds something, and the last one names a control file. */
static bool check_fields(const char *text, size_t fields, const char *form, struct err *err)
{
    static const char ending[] = ".zsync";
    size_t len = strlen(text);
    size_t count = 0;

    for (const char *at = text; *at != '\0'; at += strcspn(at, "|")) {
        at++;
        count++;
        if (*at == '|' || *at == '\0')
            return wrong("a field is empty", form, err);
    }
    if (count != fields)
        return wrong(count < fields ? "a field is missing" : "there are too many fields", form,
                     err);
    if (len < sizeof(ending) || strcmp(text + len - (sizeof(ending) - 1), ending) != 0)
        return wrong("it does not end with the name of a .zsync file", form, err);
    return true;
}

bool updateinfo_check(const char *text, struct err *err)
{
    size_t len = strcspn(text, "|");

    if (strlen(text) >= FORMAT_UPD_INFO_SIZE)
        return wrong("it is longer than 1023 bytes", kinds[0].form, err);
    for (const char *at = text; *at != '\0'; at++)
        if (*at <= ' ' || *at > '~')
            return wrong("it holds a blank, or what is not ASCII", kinds[0].form, err);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strlen(kinds[i].kind) != len || strncmp(text, kinds[i].kind, len) != 0)
            continue;
        if (i == 0 && strncmp(text + len, "|https://", 9) != 0 &&
            strncmp(text + len, "|http://", 8) != 0)
            return wrong("no URL of http or https", kinds[i].form, err);
        return check_fields(text + len, kinds[i].fields, kinds[i].form, err);
    }
    (void)err_set(err, ERR_USAGE, "option '--update-info': unknown kind '%.*s'",
                  len < 100 ? (int)len : 100, text);
    return err_hint(err, "there are: zsync|..., gh-releases-zsync|..., pling-v1-zsync|...");
}
