/* SPDX-License-Identifier: MIT */
#include "runtime/service/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/fs.h"
#include "common/launchfile.h"
#include "common/xalloc.h"

#define SETTINGS_FILE "settings"

enum { SETTINGS_MAX_BYTES = 1 << 16, PORT_MAX = 65535, KEEP_MAX = 100000 };

static const char digits[] = "0123456789";

static void take(struct settings *settings, const struct launchfile_record *record)
{
    const char *value = record->fields[1];
    char **place = launchfile_is(record, "listen", 1)   ? &settings->listen
                   : launchfile_is(record, "backup", 1) ? &settings->backup
                   : launchfile_is(record, "push", 1)   ? &settings->push
                                                        : NULL;

    if (launchfile_is(record, "keep", 1))
        settings->keep = (unsigned int)strtoul(value, NULL, 10);
    if (place == NULL)
        return;
    free(*place);
    *place = xstrdup(value);
}

static bool damaged(const char *path, struct err *err)
{
    *err = (struct err){0};
    (void)err_set(err, ERR_INPUT, "'%s' is damaged", path);
    (void)err_id(err, "E-READ");
    return err_hint(err,
                    "write it anew: 'rucksack<TAB>%d' and 'listen<TAB>" SETTINGS_LISTEN
                    "', a line each; then FILE service upgrade with its other options",
                    LAUNCHFILE_VERSION);
}

bool settings_load(struct settings *ret, const char *dir, struct err *err)
{
    cleanup_free char *path = xasprintf("%s/" SETTINGS_FILE, dir);
    cleanup_free char *text = NULL;
    struct launchfile_record record;
    struct settings settings = {0};
    struct launchfile file;
    size_t size;

    if (!fs_read_file(path, SETTINGS_MAX_BYTES, &text, &size, err))
        return false;
    if (!launchfile_begin(&file, text, size))
        return damaged(path, err);
    while (launchfile_next(&file, &record))
        take(&settings, &record);
    if (file.at != file.end || settings.listen == NULL || !settings_check(&settings, err)) {
        settings_release(&settings);
        return damaged(path, err);
    }
    *ret = settings;
    return true;
}

bool settings_save(const struct settings *settings, const char *dir, struct err *err)
{
    cleanup_free char *path = xasprintf("%s/" SETTINGS_FILE, dir);
    cleanup_free char *backup = xasprintf(
        "backup\t%s\nkeep\t%u\n", settings->backup != NULL ? settings->backup : "", settings->keep);
    cleanup_free char *push = xasprintf("push\t%s\n", settings->push != NULL ? settings->push : "");
    cleanup_free char *text =
        xasprintf("rucksack\t%d\nlisten\t%s\n%s%s", LAUNCHFILE_VERSION, settings->listen,
                  settings->backup != NULL ? backup : "", settings->push != NULL ? push : "");

    return fs_put_file(path, text, strlen(text), 0600, err);
}

void settings_release(struct settings *settings)
{
    free(settings->listen);
    free(settings->backup);
    free(settings->push);
    *settings = (struct settings){0};
}

static bool wrong(const char *option, const char *value, const char *what, struct err *err)
{
    (void)err_set(err, ERR_USAGE, "%s: '%.100s' is no %s", option, value, what);
    return err_hint(err, "try: FILE service --help");
}

static bool is_port(const char *text)
{
    size_t len = strspn(text, digits);
    unsigned long port = len > 0 && len <= 5 ? strtoul(text, NULL, 10) : 0;

    return text[len] == '\0' && port > 0 && port <= PORT_MAX;
}

static bool is_address(const char *listen)
{
    const char *colon = strrchr(listen, ':');
    size_t len = colon != NULL ? (size_t)(colon - listen) : 0;

    if (colon == NULL)
        return is_port(listen);
    if (len >= 2 && listen[0] == '[' && listen[len - 1] == ']')
        return is_port(colon + 1) && strspn(listen + 1, "0123456789abcdefABCDEF:.") == len - 2;
    return len > 0 && is_port(colon + 1) && strspn(listen, "0123456789.") == len;
}

/* It becomes a line of a unit. */
static bool is_calendar(const char *text)
{
    return text[0] != '\0' && strlen(text) < 100 &&
           strspn(text,
                  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 :,*/.~_+-") ==
               strlen(text);
}

static bool is_line(const char *text)
{
    for (const char *at = text; *at != '\0'; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7F)
            return false;
    return text[0] != '\0';
}

bool settings_refuse_calendar(const char *text, struct err *err)
{
    return wrong("--backup", text, "time of systemd.time(7), like daily", err);
}

bool settings_check(const struct settings *settings, struct err *err)
{
    if (!is_address(settings->listen))
        return wrong("--listen", settings->listen, "port, nor IP-ADDRESS:PORT", err);
    if (settings->backup != NULL && !is_calendar(settings->backup))
        return wrong("--backup", settings->backup, "time, like daily", err);
    if (settings->push != NULL && !is_line(settings->push))
        return wrong("--push", "...", "command of one line", err);
    if (settings->keep > KEEP_MAX)
        return wrong("--keep", "...", "number up to 100000", err);
    if (settings->backup != NULL || (settings->push == NULL && settings->keep == 0))
        return true;
    (void)err_set(err, ERR_USAGE, "--keep and --push are of --backup");
    return err_hint(err, "FILE service install --backup daily --keep 14");
}

const char *settings_port(const struct settings *settings)
{
    const char *colon = strrchr(settings->listen, ':');

    return colon != NULL ? colon + 1 : settings->listen;
}
