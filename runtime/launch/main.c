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
#include "environment.h"
#include "start.h"
#include "state.h"

enum {
    EXIT_NO_START = 125,
    EXIT_NOT_EXECUTABLE = 126,
    EXIT_NOT_FOUND = 127,
    WORDS_MAX = 256,
};

static const char *const unbuilt_verbs[] = {"console", "service", "backup", "restore",
                                            "inspect", "verify",  "doctor"};

static bool is_one_of(const char *word, const char *const list[], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(word, list[i]) == 0)
            return true;
    }
    return false;
}

static bool not_found(struct err *err)
{
    err->sys_errno = ENOENT;
    return false;
}

static void print_help(const struct bundle *bundle)
{
    const struct launchfile_record *name = bundle_find(bundle, "name", NULL);

    printf("%s: a Ruby application in one file, packed by Rucksack\n\n"
           "  FILE [run [PROCESS]]   start a process (default: web)\n"
           "  FILE exec COMMAND...   run a command of the bundle: ruby, bundle, rake, ...\n"
           "  FILE help              this text\n"
           "  FILE --appimage-help   what every AppImage can do\n\nprocesses:\n",
           name != NULL ? name->fields[1] : "app");
    for (size_t i = 0; i < bundle->count; i++) {
        if (launchfile_is(&bundle->records[i], "process", 2))
            printf("  %-20s %s\n", bundle->records[i].fields[1], bundle->records[i].fields[2]);
    }
}

static bool prepare(const struct bundle *bundle, struct err *err)
{
    cleanup_free char *dir = bundle_path(bundle, FORMAT_APP_DIR);

    if (!state_prepare(bundle, err) || !environment_prepare(bundle, err))
        return false;
    /* PWD as a shell's cd would set it: Puma stats it, wherever the user was. */
    if (dir == NULL || chdir(dir) != 0 || setenv("PWD", dir, 1) != 0)
        return err_sys(err, "'%s'", FORMAT_APP_DIR);
    return true;
}

/* A command of the launch file is words, not shell: a bundle needs no sh on the server. */
static bool run_process(const struct bundle *bundle, const char *name, char *const arguments[],
                        struct err *err)
{
    const struct launchfile_record *process = bundle_find(bundle, "process", name);
    cleanup_free char *text = NULL;
    char *words[WORDS_MAX + 1] = {0};
    size_t used = 0;
    char *rest;

    if (process == NULL) {
        (void)err_set(err, ERR_INPUT, "no process '%s'", name);
        (void)err_hint(err, "see which there are: FILE help");
        return not_found(err);
    }
    text = strdup(process->fields[2]);
    if (text == NULL)
        return err_sys(err, "process '%s'", name);
    for (char *word = strtok_r(text, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        if (used < WORDS_MAX)
            words[used++] = word;
    }
    for (; *arguments != NULL && used < WORDS_MAX; arguments++)
        words[used++] = *arguments;
    if (used == 0)
        return err_set(err, ERR_INPUT, "damaged image: process '%s' has no command", name);
    if (!prepare(bundle, err))
        return false;
    return start_command(bundle, words, err);
}

static bool exec_command(const struct bundle *bundle, char *const arguments[], struct err *err)
{
    if (arguments[0] == NULL) {
        (void)err_set(err, ERR_USAGE, "exec: no command given");
        return err_hint(err, "FILE exec ruby -v");
    }
    return prepare(bundle, err) && start_command(bundle, arguments, err);
}

static bool unknown_verb(const char *verb, struct err *err)
{
    if (is_one_of(verb, unbuilt_verbs, sizeof(unbuilt_verbs) / sizeof(unbuilt_verbs[0])))
        (void)err_set(err, ERR_INPUT, "'%s' is not built yet", verb);
    else
        (void)err_set(err, ERR_INPUT, "unknown verb '%.100s'", verb);
    (void)err_hint(err, "there are: run, exec, help");
    return not_found(err);
}

static bool launch(const struct bundle *bundle, char *const argv[], struct err *err)
{
    static char *const none[] = {NULL};
    const char *verb = getenv("RUCKSACK");
    char *const *arguments = argv[0] != NULL ? argv + 1 : argv;

    if ((verb == NULL || verb[0] == '\0') && arguments[0] != NULL)
        verb = *arguments++;
    if (verb == NULL || verb[0] == '\0')
        return run_process(bundle, "web", none, err);
    if (strcmp(verb, "run") == 0 && arguments[0] == NULL)
        return run_process(bundle, "web", none, err);
    if (strcmp(verb, "run") == 0)
        return run_process(bundle, arguments[0], arguments + 1, err);
    if (strcmp(verb, "exec") == 0)
        return exec_command(bundle, arguments, err);
    if (strcmp(verb, "help") != 0 && strcmp(verb, "--help") != 0)
        return unknown_verb(verb, err);
    print_help(bundle);
    exit(fflush(stdout) == 0 ? 0 : 1);
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
