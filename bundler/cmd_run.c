/* SPDX-License-Identifier: MIT */
/*
 * `rucksack run FILE|DIR [ARG...]`: starts a bundle, or packs an application and starts it.
 *
 * The file is started by our own stub, from memory, with TARGET_APPIMAGE: so it needs no execute
 * permission, and works on a file system that is mounted noexec. No byte of it is run before its
 * structure was checked.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bundler/asset.h"
#include "bundler/build.h"
#include "bundler/bundle.h"
#include "bundler/cachedir.h"
#include "bundler/command.h"
#include "bundler/hash.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/xalloc.h"

extern char **environ;

/* Two applications of one name are two files: the directory counts. */
static char *cache_file(const char *cache, const char *real)
{
    uint8_t digest[FORMAT_HASH_SIZE];

    hash_bytes(real, strlen(real), digest);
    return xasprintf("%s/%s-%02x%02x%02x%02x.AppImage", cache, strrchr(real, '/') + 1, digest[0],
                     digest[1], digest[2], digest[3]);
}

/* The state stays where it would be if the file lay in the working directory. */
static bool keep_state_here(const char *name, struct err *err)
{
    cleanup_free char *here = getcwd(NULL, 0);
    cleanup_free char *state = NULL;

    if (here == NULL)
        return err_sys(err, "working directory");
    state = xasprintf("%s/%s.state", here, name);
    return setenv("RUCKSACK_STATE", state, 0) == 0 || err_sys(err, "environment");
}

static bool build_and_name(const char *dir, char **ret_file, struct err *err)
{
    struct build_request request = {.app = {.path = dir}, .fast = true, .no_check = true};
    cleanup_free char *cache = NULL;
    cleanup_free char *real = NULL;
    cleanup_free char *file = NULL;

    if (!cachedir_make("run", &cache, err))
        return false;
    real = realpath(dir, NULL);
    if (real == NULL)
        return err_sys(err, "'%s'", dir);
    file = cache_file(cache, real);
    request.output = file;
    return build_run(&request, ret_file, err);
}

/* The name that the state is kept under is the bundle's own, not derived here again. */
static bool check_bundle(const char *file, bool is_built_here, struct err *err)
{
    struct bundle bundle;
    bool ok;

    if (!bundle_open(&bundle, file, err))
        return false;
    ok = bundle_check_machine(&bundle, err) &&
         (!is_built_here || keep_state_here(bundle.header.name, err));
    bundle_close(&bundle);
    return ok;
}

static bool become(const char *file, const char *const *arguments, size_t count, struct err *err)
{
    cleanup_free char *real = realpath(file, NULL);
    cleanup_free const char **argv = xcalloc(count + 2, sizeof(*argv));
    cleanup_fd int fd = -1;

    if (real == NULL)
        return err_sys(err, "'%s'", file);
    if (!asset_open(ASSET_STUB, &fd, err))
        return false;
    argv[0] = file;
    memcpy(argv + 1, arguments, count * sizeof(*argv));
    if (setenv("TARGET_APPIMAGE", real, 1) != 0)
        return err_sys(err, "environment");
    (void)fexecve(fd, (char *const *)argv, environ);
    return err_sys(err, "'%s'", file);
}

static bool run(const struct command_args *args, struct err *err)
{
    cleanup_free char *file = xstrdup(args->operands[0]);
    struct stat st;
    bool is_dir;

    if (stat(file, &st) != 0) {
        (void)err_sys(err, "'%s'", file);
        (void)err_id(err, "E-BUNDLE");
        return err_hint(err, "name a bundle or the directory of an application");
    }
    is_dir = S_ISDIR(st.st_mode);
    if (is_dir) {
        char *built = NULL;

        if (!build_and_name(args->operands[0], &built, err))
            return false;
        free(file);
        file = built;
    }
    return check_bundle(file, is_dir, err) &&
           become(file, args->operands + 1, args->operand_count - 1, err);
}

const struct command cmd_run = {
    .name = "run",
    .summary = "start a bundle, or pack an application and start it",
    .operands = "FILE|DIR [ARG...]",
    .operands_min = 1,
    .operands_max = SIZE_MAX,
    .passes_on = true,
    .examples = "  rucksack run blog-x86_64.AppImage\n  rucksack run ~/blog exec rake -T\n",
    .run = run,
};
