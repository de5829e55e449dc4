/* SPDX-License-Identifier: MIT */
#include "keep.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bundle.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/format.h"
#include "common/words.h"
#include "state.h"

enum { PROGRAM_WORDS = 2 };

/* Becomes PROGRAM IMAGE-ROOT BEFORE... ARGUMENT... of the image; err's errno is ENOENT when it has
 * no such program. */
static void become(const struct bundle *bundle, const char *name, const char *const before[],
                   char *const arguments[], struct err *err)
{
    size_t first = words_count(before);
    size_t count = words_count((const char *const *)arguments);
    cleanup_free char **words = calloc(PROGRAM_WORDS + first + count + 1, sizeof(*words));
    cleanup_free char *program = bundle_path(bundle, name);

    if (words != NULL && program != NULL) {
        words[0] = program;
        words[1] = bundle->root;
        memcpy(words + PROGRAM_WORDS, before, first * sizeof(*words));
        memcpy(words + PROGRAM_WORDS + first, arguments, count * sizeof(*words));
        (void)execv(program, words);
    }
    (void)err_sys(err, "'%s'", program != NULL ? program : name);
}

/* Empty when the image runs unpacked. */
static const char *own_file(void)
{
    const char *file = getenv("APPIMAGE");

    return file != NULL ? file : "";
}

static bool become_keeper(const struct bundle *bundle, const char *verb, char *const arguments[],
                          struct err *err)
{
    cleanup_free char *dir = state_place(bundle);
    const char *const before[] = {dir, own_file(), verb, NULL};

    if (dir == NULL)
        return err_sys(err, "%s", verb);
    (void)unsetenv(FORMAT_IDENTITY);
    become(bundle, FORMAT_KEEPER, before, arguments, err);
    if (err->sys_errno != ENOENT)
        return false;
    *err = (struct err){0};
    (void)err_set(err, ERR_INPUT, "this application has no state: there is nothing to %s",
                  strcmp(verb, "backup") == 0 ? "back up" : verb);
    (void)err_id(err, "E-STATE");
    return err_hint(err, "what it writes is named below 'state:' of rucksack.yml, and built in");
}

bool keep_backup(const struct bundle *bundle, char *const arguments[], struct err *err)
{
    return become_keeper(bundle, "backup", arguments, err);
}

static bool become_service(const struct bundle *bundle, const char *const before[],
                           char *const arguments[], struct err *err)
{
    become(bundle, FORMAT_SERVICE, before, arguments, err);
    if (err->sys_errno != ENOENT)
        return false;
    *err = (struct err){0};
    (void)err_set(err, ERR_INPUT, "this bundle cannot make a service of itself");
    (void)err_id(err, "E-NOSERVICE");
    return err_hint(err, "'service: false' of rucksack.yml left it out; a command has none");
}

bool keep_service(const struct bundle *bundle, char *const arguments[], struct err *err)
{
    const char *const before[] = {own_file(), NULL};

    return become_service(bundle, before, arguments, err);
}

bool keep_restore(const struct bundle *bundle, char *const arguments[], struct err *err)
{
    const char *file = getenv("APPIMAGE");
    const char *const install[] = {own_file(), "install", "--restore", file, NULL};

    if (arguments[0] != NULL && strcmp(arguments[0], "--service") == 0 && file != NULL)
        return become_service(bundle, install, arguments + 1, err);
    return become_keeper(bundle, "restore", arguments, err);
}

bool keep_elsewhere(char *const **arguments, struct err *err)
{
    char *const *words = *arguments;
    const char *place = NULL;

    if (strncmp(words[0], "--state=", 8) == 0)
        place = words[0] + 8;
    else if (strcmp(words[0], "--state") == 0)
        place = *++words;
    if (place == NULL || place[0] == '\0') {
        (void)err_set(err, ERR_USAGE, "--state: no directory given");
        return err_hint(err, "FILE --state DIR run");
    }
    if (setenv("RUCKSACK_STATE", place, 1) != 0)
        return err_sys(err, "--state");
    *arguments = words + 1;
    return true;
}
