/* SPDX-License-Identifier: MIT */
#include "runtime/service/envfile.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/fs.h"
#include "common/xalloc.h"
#include "runtime/service/app.h"

enum { ENV_MAX_BYTES = 1 << 20 };

static char *place_of(const char *name)
{
    return xasprintf("/etc/%s/env", name);
}

/* Whether a line sets the variable to anything. */
static bool sets(const char *text, const char *name)
{
    size_t len = strlen(name);

    for (const char *at = text; *at != '\0'; at += strcspn(at, "\n"), at += *at == '\n') {
        at += strspn(at, " \t");
        if (strncmp(at, name, len) == 0 && at[len] == '=' && strchr("\n\r\"'", at[len + 1]) == NULL)
            return true;
        if (strncmp(at, name, len) == 0 && at[len] == '=' && strchr("\"'", at[len + 1]) != NULL &&
            at[len + 1] != '\0' && at[len + 2] != at[len + 1])
            return true;
    }
    return false;
}

bool envfile_check(const struct app *app, const char *given, struct err *err)
{
    cleanup_free char *place = place_of(app->name);
    cleanup_free char *text = NULL;
    struct err none = {0};
    size_t size;

    if (given != NULL && !fs_read_file(given, ENV_MAX_BYTES, &text, &size, err))
        return err_id(err, "E-READ");
    if (given == NULL && !fs_read_file(place, ENV_MAX_BYTES, &text, &size, &none))
        text = xstrdup("");
    for (size_t i = 0; i < app->count; i++) {
        const struct launchfile_record *record = &app->records[i];
        bool is_set = !launchfile_is(record, "secret", 1);

        for (size_t j = 1; j < record->count && !is_set; j++)
            is_set = sets(text, record->fields[j]);
        if (is_set)
            continue;
        (void)err_set(err, ERR_INPUT, "the secret '%s' is not set in '%s'", record->fields[1],
                      given != NULL ? given : place);
        (void)err_id(err, "E-SECRET");
        return err_hint(err,
                        "write '%s=...' into a file, one a line, and: --env-file FILE; "
                        "or into '%s'",
                        record->fields[1], place);
    }
    return true;
}

static char *template_of(const struct app *app)
{
    char *text = xasprintf("# The environment of %s, NAME=VALUE a line. Then: systemctl restart "
                           "%s.target\n",
                           app->name, app->name);

    for (size_t i = 0; i < app->count; i++) {
        char *longer;

        if (!launchfile_is(&app->records[i], "secret", 1))
            continue;
        longer = xasprintf("%s#%s=\n", text, app->records[i].fields[1]);
        free(text);
        text = longer;
    }
    return text;
}

/* A link, not a rename: there is no moment without the file. The oldest one is kept: what an
 * interrupted installation put in its place was never in use. */
static bool keep_before(const char *place, struct err *err)
{
    cleanup_free char *before = xasprintf("%s.before", place);

    return link(place, before) == 0 || errno == EEXIST || errno == ENOENT ||
           err_sys(err, "'%s'", before);
}

bool envfile_install(const struct app *app, const char *given, struct err *err)
{
    cleanup_free char *place = place_of(app->name);
    cleanup_free char *dir = xasprintf("/etc/%s", app->name);
    cleanup_free char *text = NULL;
    size_t size;

    if (given == NULL && access(place, F_OK) == 0)
        return true;
    if (given == NULL) {
        text = template_of(app);
        size = strlen(text);
    } else if (!fs_read_file(given, ENV_MAX_BYTES, &text, &size, err)) {
        return false;
    }
    return fs_mkdir_p(dir, 0755, err) && keep_before(place, err) &&
           fs_put_file(place, text, size, 0600, err);
}

void envfile_settle(const char *name)
{
    cleanup_free char *place = place_of(name);
    cleanup_free char *before = xasprintf("%s.before", place);

    (void)unlink(before);
}

void envfile_revert(const char *name)
{
    cleanup_free char *place = place_of(name);
    cleanup_free char *before = xasprintf("%s.before", place);

    (void)rename(before, place);
}
