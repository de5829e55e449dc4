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

enum { KEEPER_WORDS = 5, SERVICE_WORDS = 3 };

static bool become(const struct bundle *bundle, const char *verb, char *const arguments[],
                   struct err *err)
{
    size_t count = words_count((const char *const *)arguments);
    cleanup_free char **words = calloc(KEEPER_WORDS + count + 1, sizeof(*words));
    cleanup_free char *keeper = bundle_path(bundle, FORMAT_KEEPER);
    cleanup_free char *dir = state_place(bundle);
    const char *file = getenv("APPIMAGE");

    if (words == NULL || keeper == NULL || dir == NULL)
        return err_sys(err, "%s", verb);
    words[0] = keeper;
    words[1] = bundle->root;
    words[2] = dir;
    words[3] = (char *)(file != NULL ? file : "");
    words[4] = (char *)verb;
    (void)unsetenv(FORMAT_IDENTITY);
    memcpy(words + KEEPER_WORDS, arguments, count * sizeof(*words));
    (void)execv(keeper, words);
    if (errno != ENOENT)
        return err_sys(err, "'%s'", keeper);
    (void)err_set(err, ERR_INPUT, "this application has no state: there is nothing to %s",
                  strcmp(verb, "backup") == 0 ? "back up" : verb);
    (void)err_id(err, "E-STATE");
    return err_hint(err, "what it writes is named below 'state:' of rucksack.yml, and built in");
}

bool keep_backup(const struct bundle *bundle, char *const arguments[], struct err *err)
{
    return become(bundle, "backup", arguments, err);
}

static bool become_service(const struct bundle *bundle, const char *const before[],
                           char *const arguments[], struct err *err)
{
    size_t words_before = words_count(before);
    size_t count = words_count((const char *const *)arguments);
    cleanup_free char **words = calloc(SERVICE_WORDS + words_before + count + 1, sizeof(*words));
    cleanup_free char *service = bundle_path(bundle, FORMAT_SERVICE);
    const char *file = getenv("APPIMAGE");

    if (words == NULL || service == NULL)
        return err_sys(err, "service");
    words[0] = service;
    words[1] = bundle->root;
    words[2] = (char *)(file != NULL ? file : "");
    memcpy(words + SERVICE_WORDS, before, words_before * sizeof(*words));
    memcpy(words + SERVICE_WORDS + words_before, arguments, count * sizeof(*words));
    (void)execv(service, words);
    if (errno != ENOENT)
        return err_sys(err, "'%s'", service);
    (void)err_set(err, ERR_INPUT, "this bundle cannot make a service of itself");
    (void)err_id(err, "E-NOSERVICE");
    return err_hint(err, "'service: false' of rucksack.yml left it out; a command has none");
}

bool keep_service(const struct bundle *bundle, char *const arguments[], struct err *err)
{
    const char *const none[] = {NULL};

    return become_service(bundle, none, arguments, err);
}

bool keep_restore(const struct bundle *bundle, char *const arguments[], struct err *err)
{
    const char *const install[] = {"install", "--restore", getenv("APPIMAGE"), NULL};

    if (arguments[0] != NULL && strcmp(arguments[0], "--service") == 0 && install[2] != NULL)
        return become_service(bundle, install, arguments + 1, err);
    return become(bundle, "restore", arguments, err);
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
