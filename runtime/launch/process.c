/* SPDX-License-Identifier: MIT */
#include "process.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bundle.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/port.h"
#include "common/suggest.h"
#include "common/words.h"
#include "start.h"
#include "state.h"

bool process_port(const char *command, size_t number, struct err *err)
{
    char port[24];

    if (!port_is_named(command))
        return true;
    (void)snprintf(port, sizeof(port), "%zu", port_of(number));
    return setenv("PORT", port, 0) == 0 || err_sys(err, "environment");
}

/* The command's own words and the arguments behind them; the strings are borrowed. */
static char **join(char *const words[], char *const arguments[])
{
    size_t count = words_count((const char *const *)words);
    size_t more = words_count((const char *const *)arguments);
    char **joined = calloc(count + more + 1, sizeof(*joined));

    if (joined != NULL) {
        memcpy(joined, words, count * sizeof(*joined));
        memcpy(joined + count, arguments, more * sizeof(*joined));
    }
    return joined;
}

static bool become_simple(const struct bundle *bundle, const char *command, char *const arguments[],
                          struct err *err)
{
    cleanup_with(words_release) struct words words = {0};
    cleanup_free char **argv = NULL;

    if (!words_split(&words, command, getenv, err))
        return false;
    for (size_t i = 0; i < words.assignments; i++) {
        if (putenv(words.items[i]) != 0)
            return err_sys(err, "environment");
    }
    argv = join(words.items + words.assignments, arguments);
    if (argv == NULL)
        return err_sys(err, "'%s'", command);
    return start_command(bundle, argv, err);
}

/* sh -c 'COMMAND "$@"' sh ARGUMENT... */
static bool become_shell(const char *command, char *const arguments[], struct err *err)
{
    cleanup_free char *line = NULL;
    cleanup_free char **argv = NULL;
    char *words[] = {(char *)"sh", (char *)"-c", NULL, (char *)"sh", NULL};

    if (asprintf(&line, arguments[0] != NULL ? "%s \"$@\"" : "%s", command) < 0)
        return err_sys(err, "'%s'", command);
    words[2] = line;
    argv = join(words, arguments);
    if (argv == NULL)
        return err_sys(err, "'%s'", command);
    (void)execvp("sh", argv);
    (void)err_sys(err, "'%.200s' needs a shell: 'sh'", command);
    return err_hint(err, "install one, or write the command without what only a shell knows");
}

bool process_become(const struct bundle *bundle, const char *command, size_t number,
                    char *const arguments[], struct err *err)
{
    if (port_own_default(command) == NULL && !process_port(command, number, err))
        return false;
    return words_need_shell(command) ? become_shell(command, arguments, err)
                                     : become_simple(bundle, command, arguments, err);
}

static bool unknown(const struct bundle *bundle, const char *name, struct err *err)
{
    struct suggest suggest = suggest_begin(name);

    (void)err_set(err, ERR_INPUT, "no process '%.100s'", name);
    for (size_t i = 0; i < bundle->count; i++)
        if (launchfile_is(&bundle->records[i], "process", 2))
            suggest_offer(&suggest, bundle->records[i].fields[1]);
    (void)suggest_hint(&suggest, "see which there are: FILE help", err);
    err->sys_errno = ENOENT;
    return false;
}

/* Without a name: web, or the only one there is. */
static const char *default_name(const struct bundle *bundle)
{
    const struct launchfile_record *first = bundle_find(bundle, "process", NULL);
    size_t count = 0;

    for (size_t i = 0; i < bundle->count; i++)
        count += launchfile_is(&bundle->records[i], "process", 2);
    return count == 1 ? first->fields[1] : "web";
}

bool process_start(const struct bundle *bundle, const char *name, char *const arguments[],
                   struct err *err)
{
    const struct launchfile_record *release = bundle_find(bundle, "release", NULL);
    const char *wanted = name != NULL ? name : default_name(bundle);
    size_t number = 0;

    for (size_t i = 0; i < bundle->count; i++) {
        const struct launchfile_record *record = &bundle->records[i];

        if (!launchfile_is(record, "process", 2))
            continue;
        if (strcmp(record->fields[1], wanted) == 0)
            return state_claim(bundle, wanted, err) &&
                   process_become(bundle, record->fields[2], number, arguments, err);
        number++;
    }
    if (strcmp(wanted, "release") == 0 && release != NULL)
        return process_become(bundle, release->fields[1], 0, arguments, err);
    return unknown(bundle, wanted, err);
}
