/* SPDX-License-Identifier: MIT */
#include "start.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bundle.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/format.h"
#include "common/suggest.h"
#include "common/words.h"
#include "heap.h"
#include "script.h"

enum { WORDS_BEFORE = 12 }; /* of the loader, and the end */

extern char **environ;

/* The bundled directories as the loader's --library-path wants them. */
static char *library_path(const struct bundle *bundle)
{
    size_t size = 1;
    char *joined;
    char *end;

    for (size_t i = 0; i < bundle->count; i++) {
        if (launchfile_is(&bundle->records[i], "lib", 1))
            size += strlen(bundle->root) + strlen(bundle->records[i].fields[1]) + 2;
    }
    joined = calloc(size, 1);
    if (joined == NULL)
        return NULL;
    end = joined;
    for (size_t i = 0; i < bundle->count; i++) {
        const char *dir = bundle->records[i].fields[1];

        if (!launchfile_is(&bundle->records[i], "lib", 1))
            continue;
        if (end != joined)
            *end++ = ':';
        end = stpcpy(end, bundle->root);
        *end++ = '/';
        end = stpcpy(end, dir);
    }
    return joined;
}

static bool check_root(const struct bundle *bundle, struct err *err)
{
    if (strpbrk(bundle->root, ":;") == NULL)
        return true;
    (void)err_set(err, ERR_INPUT,
                  "the image is at '%s': the loader cannot be given a path with "
                  "':' or ';'",
                  bundle->root);
    return err_hint(err, "move it to a path without them");
}

/* A preload object that is missing would only be a warning of the loader: the app would start
 * with the build machine's load path. */
static bool check_guest(const char *guest, struct err *err)
{
    return access(guest, R_OK) == 0 || err_sys(err, "damaged image: '%s'", guest);
}

/* The copy of the loader that is named like the process, unless the program has one of its own. */
static char *loader_of(const struct bundle *bundle, const struct launchfile_record *program)
{
    const struct launchfile_record *own = bundle_find(bundle, "loader", program->fields[2]);
    char *path = NULL;

    if (own != NULL)
        return bundle_path(bundle, own->fields[2]);
    if (asprintf(&path, "%s/" FORMAT_DIR "/ld/%s", bundle->root, program->fields[3]) < 0)
        return NULL;
    return path;
}

/* Some programs are many, and go by the name that they are started by. Ruby must not be told: its
 * `$0 = "..."` would have no more room than that name. */
static bool gives_name(const struct bundle *bundle, const struct launchfile_record *program)
{
    const struct launchfile_record *name = bundle_find(bundle, "ruby", NULL);
    const struct launchfile_record *ruby =
        name == NULL ? NULL : bundle_find(bundle, "program", name->fields[1]);

    return bundle_find(bundle, "argv0", NULL) != NULL && ruby != NULL &&
           strcmp(program->fields[2], ruby->fields[2]) != 0;
}

static bool start_program(const struct bundle *bundle, const struct launchfile_record *program,
                          const char *script, char *const argv[], struct err *err)
{
    size_t count = words_count((const char *const *)argv);
    cleanup_free char **words = calloc(count + WORDS_BEFORE, sizeof(*words));
    cleanup_free char *libraries = library_path(bundle);
    cleanup_free char *guest = bundle_path(bundle, FORMAT_GUEST);
    cleanup_free char *elf = bundle_path(bundle, program->fields[2]);
    cleanup_free char *file = bundle_path(bundle, script != NULL ? script : "");
    cleanup_free char *loader = loader_of(bundle, program);
    size_t used = 0;

    if (words == NULL || libraries == NULL || guest == NULL || elf == NULL || file == NULL ||
        loader == NULL)
        return err_sys(err, "'%s'", program->fields[1]);
    if (!check_root(bundle, err) || !check_guest(guest, err))
        return false;
    words[used++] = loader;
    words[used++] = (char *)"--inhibit-cache";
    words[used++] = (char *)"--library-path";
    words[used++] = libraries;
    words[used++] = (char *)"--preload";
    words[used++] = guest;
    if (count > 0 && gives_name(bundle, program)) {
        words[used++] = (char *)"--argv0";
        words[used++] = argv[0];
    }
    words[used++] = elf;
    if (script != NULL)
        words[used++] = file;
    for (size_t i = 1; i < count; i++)
        words[used++] = argv[i];
    heap_hush(argv);
    (void)execve(loader, words, environ);
    return err_sys(err, "'%s'", loader);
}

bool start_image_path(const struct bundle *bundle, const char *image_path, char *const argv[],
                      struct err *err)
{
    const struct launchfile_record *record = bundle_find(bundle, "program", image_path);
    const struct launchfile_record *script = NULL;
    const struct launchfile_record *ruby;

    if (record == NULL) {
        script = bundle_find(bundle, "script", image_path);
        ruby = bundle_find(bundle, "ruby", NULL);
        record = ruby != NULL ? bundle_find(bundle, "program", ruby->fields[1]) : NULL;
        if (script == NULL || script->count < 3)
            return err_set(err, ERR_INPUT, "damaged image: nothing is known to start as '%s'",
                           image_path);
    }
    if (record == NULL || record->count < 4)
        return err_set(err, ERR_INPUT, "damaged image: no program for '%s'", image_path);
    return start_program(bundle, record, script != NULL ? script->fields[2] : NULL, argv, err);
}

/* ruby OPTION... FILE ARGUMENT... */
static bool start_ruby_script(const struct bundle *bundle, const struct script *script,
                              char *const argv[], struct err *err)
{
    size_t options = words_count((const char *const *)script->options);
    size_t count = words_count((const char *const *)argv);
    cleanup_free char **words = calloc(1 + options + count + 1, sizeof(*words));

    if (words == NULL)
        return err_sys(err, "'%s'", argv[0]);
    words[0] = (char *)"ruby";
    memcpy(words + 1, script->options, options * sizeof(*words));
    memcpy(words + 1 + options, argv, count * sizeof(*words));
    return start_image_path(bundle, FORMAT_DIR "/bin/ruby", words, err);
}

/* What the bundle has under a name like that; of the host's commands nothing is known. */
static void suggest_command(const struct bundle *bundle, const char *name, struct err *err)
{
    static const char dir[] = FORMAT_DIR "/bin/";
    struct suggest suggest = suggest_begin(name);

    for (size_t i = 0; i < bundle->count; i++) {
        const struct launchfile_record *record = &bundle->records[i];

        if ((launchfile_is(record, "program", 2) || launchfile_is(record, "script", 2)) &&
            strncmp(record->fields[1], dir, sizeof(dir) - 1) == 0)
            suggest_offer(&suggest, record->fields[1] + sizeof(dir) - 1);
    }
    (void)suggest_hint(&suggest, NULL, err);
}

bool start_command(const struct bundle *bundle, char *const argv[], struct err *err)
{
    cleanup_free char *own = NULL;
    struct script script = {0};

    if (strchr(argv[0], '/') == NULL) {
        if (asprintf(&own, FORMAT_DIR "/bin/%s", argv[0]) < 0)
            return err_sys(err, "'%s'", argv[0]);
        if (bundle_find(bundle, "program", own) != NULL ||
            bundle_find(bundle, "script", own) != NULL)
            return start_image_path(bundle, own, argv, err);
    } else if (access(argv[0], X_OK) == 0 && script_read(&script, argv[0])) {
        return start_ruby_script(bundle, &script, argv, err);
    }
    (void)execvp(argv[0], argv);
    (void)err_sys(err, "'%s'", argv[0]);
    if (own != NULL && err->sys_errno == ENOENT)
        suggest_command(bundle, argv[0], err);
    return false;
}
