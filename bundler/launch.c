/* SPDX-License-Identifier: MIT */
#include "bundler/launch.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/format.h"
#include "common/launchfile.h"
#include "common/xalloc.h"

static void append(struct launch *launch, const char *text)
{
    size_t len = strlen(text);

    launch->text = xrealloc_array(launch->text, launch->size_bytes + len + 1, 1);
    memcpy(launch->text + launch->size_bytes, text, len + 1);
    launch->size_bytes += len;
}

bool launch_is_writable(const char *field)
{
    for (const char *at = field; *at != '\0'; at++)
        if ((unsigned char)*at < 0x20)
            return false;
    return true;
}

static void append_field(struct launch *launch, const char *field)
{
    if (!launch->is_bad && !launch_is_writable(field)) {
        launch->is_bad = true;
        (void)snprintf(launch->bad_field, sizeof(launch->bad_field), "%s", field);
    }
    append(launch, field);
}

void launch_init(struct launch *launch)
{
    char version[16];

    *launch = (struct launch){0};
    (void)snprintf(version, sizeof(version), "%d", LAUNCHFILE_VERSION);
    launch_add(launch, "rucksack", version, NULL);
}

void launch_release(struct launch *launch)
{
    free(launch->text);
    *launch = (struct launch){0};
}

void launch_add(struct launch *launch, const char *key, ...)
{
    va_list fields;
    const char *field;

    append_field(launch, key);
    va_start(fields, key);
    while ((field = va_arg(fields, const char *)) != NULL) {
        append(launch, "\t");
        append_field(launch, field);
    }
    va_end(fields);
    append(launch, "\n");
}

bool launch_finish(const struct launch *launch, struct err *err)
{
    if (launch->is_bad) {
        (void)err_set(err, ERR_INPUT, "'%s' holds a control character", launch->bad_field);
        (void)err_id(err, "E-NAME");
        return err_hint(err, "rename it");
    }
    if (launch->size_bytes > FORMAT_LAUNCH_MAX)
        return err_set(err, ERR_INPUT, "the launch file would have %zu bytes", launch->size_bytes);
    return true;
}
