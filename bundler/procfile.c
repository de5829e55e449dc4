/* SPDX-License-Identifier: MIT */
#include "bundler/procfile.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bundler/config.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/fs.h"
#include "common/xalloc.h"

enum { PROCFILE_MAX_BYTES = 1 << 20 };

static void add(struct config *config, const char *name, size_t len, const char *command)
{
    cleanup_free char *copy = xstrndup(name, len);

    config_add_pair(&config->processes, copy, command);
}

static bool is_taken(const struct config_pairs *list, const char *name, size_t len)
{
    for (size_t i = 0; i < list->count; i++)
        if (strncmp(list->items[i].name, name, len) == 0 && list->items[i].name[len] == '\0')
            return true;
    return false;
}

static bool is_called(const char *line, size_t len, const char *name)
{
    return strlen(name) == len && memcmp(line, name, len) == 0;
}

static void keep_first(char **text, const char *command)
{
    if (*text == NULL)
        *text = xstrdup(command);
}

/* As foreman reads it: a name of letters, digits, '_' and '-'. */
static bool take_line(struct config *config, char *line, struct err *err)
{
    size_t len = 0;
    char *command;

    line += strspn(line, " \t");
    if (line[0] == '\0' || line[0] == '#')
        return true;
    while (isalnum((unsigned char)line[len]) || line[len] == '_' || line[len] == '-')
        len++;
    if (len == 0 || line[len] != ':')
        return err_set(err, ERR_INPUT, "'%.100s' is no 'name: command'", line);
    command = line + len + 1 + strspn(line + len + 1, " \t");
    for (const char *at = command; *at != '\0'; at++) {
        if (iscntrl((unsigned char)*at) && *at != '\t')
            return err_set(err, ERR_INPUT, "a control character in the command of '%.*s'", (int)len,
                           line);
    }
    if (!config_check_command(command, err))
        return false;
    if (is_called(line, len, "release"))
        keep_first(&config->release, command);
    else if (is_called(line, len, "console"))
        keep_first(&config->console, command);
    else if (is_taken(&config->processes, line, len))
        return err_set(err, ERR_INPUT, "process '%.*s' for the second time", (int)len, line);
    else
        add(config, line, len, command);
    return true;
}

/* file: for messages. */
static bool take_lines(struct config *config, const char *file, char *text, struct err *err)
{
    int number = 1;

    for (char *line = text; line != NULL; number++) {
        char *next = strchr(line, '\n');
        size_t len = next != NULL ? (size_t)(next - line) : strlen(line);

        while (len > 0 && isspace((unsigned char)line[len - 1]))
            len--;
        line[len] = '\0';
        if (!take_line(config, line, err))
            return err_wrap(err, "%s:%d", file, number);
        line = next != NULL ? next + 1 : NULL;
    }
    return true;
}

bool procfile_read(const char *dir, struct config *config, bool *ret_found, struct err *err)
{
    cleanup_free char *path = xasprintf("%s/Procfile", dir);
    cleanup_free char *text = NULL;
    size_t size;

    *ret_found = access(path, F_OK) == 0;
    if (!*ret_found || config->processes.count > 0)
        return true;
    if (!fs_read_file(path, PROCFILE_MAX_BYTES, &text, &size, err) ||
        !take_lines(config, fs_shown(path), text, err)) {
        (void)err_id(err, "E-PROCFILE");
        return err_hint(err, "a line is 'web: bundle exec puma'");
    }
    return true;
}
