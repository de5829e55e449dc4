/* SPDX-License-Identifier: MIT */
/*
 * The launcher: /AppRun of the image, and the trampoline at the path of every bundled program.
 *
 * As AppRun it reads the verb, prepares state and environment and becomes the app's process. As a
 * trampoline (started under any other name of the image) it becomes that program at once, so that
 * RbConfig.ruby, `ruby` on PATH and a gem's executable are ours in every child.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bundle.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/format.h"
#include "common/suggest.h"
#include "environment.h"
#include "group.h"
#include "heap.h"
#include "keep.h"
#include "process.h"
#include "replay.h"
#include "start.h"
#include "state.h"

enum {
    EXIT_NO_START = 125,
    EXIT_NOT_EXECUTABLE = 126,
    EXIT_NOT_FOUND = 127,
};

/* "kind cli": a command, to which every argument belongs. */
static bool is_cli(const struct bundle *bundle)
{
    return bundle_find(bundle, "kind", "cli") != NULL;
}

/* What the words behind FILE, or the variable RUCKSACK, can ask for. */
struct verb {
    const char *name;
    const char *usage; /* NULL: not shown */
    const char *summary;
    bool (*run)(const struct bundle *bundle, char *const arguments[], struct err *err);
};

static bool prepare(const struct bundle *bundle, struct err *err)
{
    cleanup_free char *dir = bundle_path(bundle, FORMAT_APP_DIR);

    (void)unsetenv(FORMAT_IDENTITY); /* of no use to the app */
    if (!state_prepare(bundle, err) || !environment_prepare(bundle, err))
        return false;
    if (is_cli(bundle))
        return true;
    /* PWD as a shell's cd would set it: Puma stats it, wherever the user was. */
    if (dir == NULL || chdir(dir) != 0 || setenv("PWD", dir, 1) != 0)
        return err_sys(err, "'%s'", FORMAT_APP_DIR);
    return true;
}

/* What the app itself needs. */
static bool prepare_app(const struct bundle *bundle, struct err *err)
{
    replay_start(bundle, false);
    heap_prepare(bundle, is_cli(bundle));
    return prepare(bundle, err);
}

/* As far as any Ruby needs it; with more it would be in the way of what is small. */
static bool prepare_command(const struct bundle *bundle, struct err *err)
{
    replay_start(bundle, true);
    return prepare(bundle, err);
}

static bool is_one_set(const struct launchfile_record *record)
{
    for (size_t i = 1; i < record->count; i++) {
        const char *value = getenv(record->fields[i]);

        if (value != NULL && value[0] != '\0')
            return true;
    }
    return false;
}

/* What is named `secrets` comes from whoever starts the app, never from the image. */
static bool check_secrets(const struct bundle *bundle, struct err *err)
{
    for (size_t i = 0; i < bundle->count; i++) {
        const struct launchfile_record *record = &bundle->records[i];
        const char *const *names = record->fields + 1;

        if (!launchfile_is(record, "secret", 1) || is_one_set(record))
            continue;
        if (record->count > 2)
            (void)err_set(err, ERR_INPUT, "the secret '%s' is not set, nor is '%s'%s%s%s", names[0],
                          names[1], record->count > 3 ? " or '" : "", names[2],
                          record->count > 3 ? "'" : "");
        else
            (void)err_set(err, ERR_INPUT, "the secret '%s' is not set", names[0]);
        (void)err_id(err, "E-SECRET");
        return err_hint(err, "set it in the environment: %s=... FILE", names[0]);
    }
    return true;
}

static bool run_all(const struct bundle *bundle, struct err *err)
{
    int code = 0;

    if (!check_secrets(bundle, err) || !state_begin(bundle, err) || !prepare_app(bundle, err) ||
        !group_run(bundle, &code, err))
        return false;
    exit(fflush(stdout) == 0 ? code : 1);
}

static bool verb_run(const struct bundle *bundle, char *const arguments[], struct err *err)
{
    const char *name = arguments[0];

    if (name != NULL && strcmp(name, "--all") == 0)
        return run_all(bundle, err);
    return check_secrets(bundle, err) && state_begin(bundle, err) && prepare_app(bundle, err) &&
           process_start(bundle, name, name != NULL ? arguments + 1 : arguments, err);
}

static bool verb_exec(const struct bundle *bundle, char *const arguments[], struct err *err)
{
    if (arguments[0] == NULL) {
        (void)err_set(err, ERR_USAGE, "exec: no command given");
        return err_hint(err, "FILE exec ruby -v");
    }
    return prepare_command(bundle, err) && start_command(bundle, arguments, err);
}

static bool verb_console(const struct bundle *bundle, char *const arguments[], struct err *err)
{
    const struct launchfile_record *console = bundle_find(bundle, "console", NULL);

    if (console == NULL)
        return err_set(err, ERR_INPUT, "damaged image: it has no console");
    return prepare_app(bundle, err) &&
           process_become(bundle, console->fields[1], 0, arguments, err);
}

static bool verb_help(const struct bundle *bundle, char *const arguments[], struct err *err);

static const struct verb verbs[] = {
    {"run", "[run [PROCESS [ARG...]]]", "start a process (default: web)", verb_run},
    {"run", "run --all", "start all processes, for development", verb_run},
    {"exec", "exec COMMAND...", "run a command of the bundle: ruby, bundle, rake, ...", verb_exec},
    {"console", "console", "an interactive Ruby with the application", verb_console},
    {"backup", "backup [--help]", "a snapshot of the state, while the application runs",
     keep_backup},
    {"restore", "restore [--help] SNAPSHOT", "put a snapshot in the place of the state",
     keep_restore},
    {"service", "service [--help] VERB", "install, upgrade, rollback, restore, status, ...",
     keep_service},
    {"help", "help", "this text", verb_help},
    {"--help", NULL, NULL, verb_help},
};

enum { VERBS = sizeof(verbs) / sizeof(verbs[0]) };

static bool verb_help(const struct bundle *bundle, char *const arguments[], struct err *err)
{
    const struct launchfile_record *name = bundle_find(bundle, "name", NULL);
    const struct launchfile_record *release = bundle_find(bundle, "release", NULL);

    (void)arguments;
    printf("%s: a Ruby application in one file, packed by Rucksack\n\n",
           name != NULL ? name->fields[1] : "app");
    for (size_t i = 0; i < VERBS; i++)
        if (verbs[i].usage != NULL)
            printf("  FILE %-26s %s\n", verbs[i].usage, verbs[i].summary);
    printf("  FILE %-26s %s\n\nprocesses:\n", "--appimage-help", "what every AppImage can do");
    for (size_t i = 0; i < bundle->count; i++) {
        if (launchfile_is(&bundle->records[i], "process", 2))
            printf("  %-20s %s\n", bundle->records[i].fields[1], bundle->records[i].fields[2]);
    }
    if (release != NULL)
        printf("  %-20s %s\n", "release", release->fields[1]);
    if (fflush(stdout) != 0)
        return err_sys(err, "standard output");
    exit(0);
}

static bool unknown_verb(const char *given, struct err *err)
{
    struct suggest suggest = suggest_begin(given);

    (void)err_set(err, ERR_INPUT, "unknown verb '%.100s'", given);
    for (size_t i = 0; i < VERBS; i++)
        suggest_offer(&suggest, verbs[i].name);
    suggest_offer(&suggest, "--state");
    (void)suggest_hint(&suggest, "there are: run, exec, console, backup, restore, service, help",
                       err);
    err->sys_errno = ENOENT;
    return false;
}

/* The arguments of a command are its own, all of them: only RUCKSACK speaks to us. */
static bool launch(const struct bundle *bundle, char *const argv[], struct err *err)
{
    const char *given = getenv("RUCKSACK");
    char *const *arguments = argv[0] != NULL ? argv + 1 : argv;

    if (given != NULL && given[0] == '\0')
        given = NULL;
    if (given == NULL && is_cli(bundle))
        return check_secrets(bundle, err) && prepare_app(bundle, err) &&
               process_start(bundle, NULL, arguments, err);
    while (given == NULL && arguments[0] != NULL && strncmp(arguments[0], "--state", 7) == 0)
        if (!keep_elsewhere(&arguments, err))
            return false;
    if (given == NULL && arguments[0] != NULL)
        given = *arguments++;
    if (given == NULL)
        return verb_run(bundle, arguments, err);
    for (size_t i = 0; i < VERBS; i++) {
        if (strcmp(verbs[i].name, given) == 0)
            return verbs[i].run(bundle, arguments, err);
    }
    return unknown_verb(given, err);
}

static int report(const struct err *err)
{
    fprintf(stderr, "rucksack: %s%s%s\n", err->id, err->id[0] != '\0' ? ": " : "", err->msg);
    if (err->hint[0] != '\0')
        fprintf(stderr, "hint: %s\n", err->hint);
    if (err->kind == ERR_USAGE)
        return 2;
    if (err->id[0] != '\0')
        return EXIT_NO_START;
    if (err->sys_errno == ENOENT)
        return EXIT_NOT_FOUND;
    return err->sys_errno == EACCES || err->sys_errno == ENOEXEC ? EXIT_NOT_EXECUTABLE
                                                                 : EXIT_NO_START;
}

int main(int argc, char **argv)
{
    struct bundle bundle = {0};
    struct err err = {0};
    bool ok;
    int code;

    (void)argc;
    ok = bundle_open(&bundle, &err) && environment_clear(&bundle, &err);
    if (!ok)
        (void)err_id(&err, "E-START");
    else if (strcmp(bundle.self, "AppRun") == 0)
        ok = launch(&bundle, argv, &err);
    else
        ok = (environment_renew(&bundle, &err) &&
              start_image_path(&bundle, bundle.self, argv, &err)) ||
             err_id(&err, "E-START");
    code = ok ? 0 : report(&err);
    bundle_release(&bundle);
    return code;
}
