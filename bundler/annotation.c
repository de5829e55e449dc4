/* SPDX-License-Identifier: MIT */
#include "bundler/annotation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/path.h"
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

/*
 * From the repository's root, which GitHub takes paths from: the runner has it checked out in
 * GITHUB_WORKSPACE. As it is where it lies elsewhere; NULL: it is no file. Owned by the caller.
 */
static char *place_in_repository(const char *file)
{
    const char *workspace = getenv("GITHUB_WORKSPACE");
    cleanup_free char *real = realpath(file, NULL);
    cleanup_free char *root = workspace != NULL ? realpath(workspace, NULL) : NULL;
    struct stat st;

    if (real == NULL || stat(real, &st) != 0 || !S_ISREG(st.st_mode))
        return NULL;
    if (root == NULL || !path_lies_in(real, root) || strlen(real) <= strlen(root) + 1)
        return xstrdup(file);
    return xstrdup(real + strlen(root) + 1);
}

/* Where a message says that it is: "FILE:LINE: text" or "FILE: text", with a FILE that is there. */
struct place {
    char *file; /* NULL: nowhere */
    char *line; /* NULL: all of it */
    size_t text;
};

static void place_release(struct place *place)
{
    free(place->file);
    free(place->line);
}

static struct place place_of(const char *msg)
{
    size_t name = strcspn(msg, ":");
    size_t digits = msg[name] == ':' ? strspn(msg + name + 1, "0123456789") : 0;
    size_t end = digits > 0 ? name + 1 + digits : name;
    cleanup_free char *file = xstrndup(msg, name);
    struct place place = {0};

    if (strncmp(msg + end, ": ", 2) != 0)
        return place;
    place.file = place_in_repository(file);
    if (place.file == NULL)
        return place;
    place.line = digits > 0 ? xstrndup(msg + name + 1, digits) : NULL;
    place.text = end + 2;
    return place;
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
    if (!annotation_is_wanted())
        return;

    cleanup_with(place_release) struct place place = place_of(err->msg);
    cleanup_free char *text = text_visible(err->msg + place.text);
    cleanup_free char *hint = text_visible(err->hint);

    fputs("::error ", stderr);
    if (place.file != NULL) {
        cleanup_free char *file = text_visible(place.file);

        fputs("file=", stderr);
        put(file, true);
        if (place.line != NULL)
            fprintf(stderr, ",line=%s", place.line);
        fputc(',', stderr);
    }
    fputs("title=", stderr);
    put(err->id[0] != '\0' ? err->id : "rucksack", true);
    fputs("::", stderr);
    put(text, false);
    if (hint[0] != '\0') {
        put("\nhint: ", false);
        put(hint, false);
    }
    fputc('\n', stderr);
}
