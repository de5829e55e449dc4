/* SPDX-License-Identifier: MIT */
/*
 * `rucksack run FILE|DIR [ARG...]`: starts a bundle, or packs an application and starts it.
 *
 * The file is started by our own stub, from memory, with TARGET_APPIMAGE: so it needs no execute
 * permission, and works on a file system that is mounted noexec. No byte of it is run before its
 * structure was checked; where others may write it, or with --verify or a key, all of it was
 * compared. From the check to the mount it is one open file.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stddef.h>
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
#include "bundler/guard.h"
#include "bundler/hash.h"
#include "bundler/signer.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/xalloc.h"

extern char **environ;

struct run_options {
    const char *key;
    bool verify;
};

static const struct option_entry options[] = {
    {"verify", 0, OPTION_FLAG, offsetof(struct run_options, verify), NULL,
     "compare all of the file with its hashes first"},
    {"public-key", 'p', OPTION_TEXT, offsetof(struct run_options, key), "KEY",
     "start it only if it is signed with this key"},
    {.type = OPTION_END},
};

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

/* In a process of its own, of which nothing is left when it is interrupted. */
static bool build(void *context, struct err *err)
{
    cleanup_with(build_result_release) struct build_result result = {0};

    return build_run(context, &result, err);
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
    if (!guard_run(build, &request, err))
        return false;
    *ret_file = steal_ptr(&file);
    return true;
}

/* Whether somebody else may write it: then it need not be what was put there. */
static bool is_shared(const struct stat *st)
{
    return (st->st_uid != geteuid() && st->st_uid != 0) || (st->st_mode & (S_IWGRP | S_IWOTH)) != 0;
}

/* The file, or, in a directory without the sticky bit, its name. */
static bool is_exposed(const struct bundle *bundle, const char *real)
{
    cleanup_free char *directory = xstrdup(real);
    struct stat file;
    struct stat above;

    return fstat(bundle->fd, &file) != 0 || stat(dirname(directory), &above) != 0 ||
           is_shared(&file) || (is_shared(&above) && (above.st_mode & S_ISVTX) == 0);
}

/* The signature in the header is of the program. What follows it, the snapshot of a capsule, would
 * take the place of the state unsigned: that only FILE.minisig covers. */
static bool check_signed(const struct bundle *bundle, const char *given_key, struct err *err)
{
    uint64_t end = bundle->header.image_offset + bundle->header.image_size;
    struct signer_findings findings;
    struct minisign_key key;

    if (!signer_load_key(given_key, &key, err) || !signer_verify(bundle, &key, &findings, err)) {
        err->kind = ERR_INPUT;
        return false;
    }
    if (bundle->file_size == end || findings.has_file)
        return true;
    (void)err_set(err, ERR_INPUT, "what follows the program in '%s' is not signed: its snapshot",
                  bundle->path);
    (void)err_id(err, "E-SIG");
    return err_hint(err, "'rucksack sign -s KEY FILE' signs all of a capsule, in FILE.minisig");
}

/* The name that the state is kept under is the bundle's own, not derived here again. */
static bool check_bundle(const struct bundle *bundle, const char *real,
                         const struct run_options *given, bool is_built_here, struct err *err)
{
    if (!bundle_check_machine(bundle, err) ||
        (is_built_here && !keep_state_here(bundle->header.name, err)))
        return false;
    if ((given->verify || given->key != NULL || (!is_built_here && is_exposed(bundle, real))) &&
        !bundle_check_hashes(bundle, err))
        return false;
    return given->key == NULL || check_signed(bundle, given->key, err);
}

/* By the descriptor that was checked: a file that takes its place meanwhile is not started. Without
 * /proc there is only the name, which is not what was asked for with a key, or with --verify. */
static bool name_target(const struct bundle *bundle, const char *real,
                        const struct run_options *given, struct err *err)
{
    cleanup_free char *target = xasprintf("/proc/self/fd/%d", bundle->fd);

    if (access(target, R_OK) == 0 && fcntl(bundle->fd, F_SETFD, 0) == 0) {
        real = target;
    } else if (given->key != NULL || given->verify) {
        (void)err_set(err, ERR_SYSTEM, "'%s' was checked, but cannot be started as that: no /proc",
                      bundle->path);
        (void)err_id(err, "E-HOST");
        return err_hint(err, "mount /proc, or verify it where nobody can replace it, and start it");
    }
    return setenv("TARGET_APPIMAGE", real, 1) == 0 || err_sys(err, "environment");
}

static bool become(const struct bundle *bundle, const char *real, const struct command_args *args,
                   struct err *err)
{
    size_t count = args->operand_count - 1;
    cleanup_free const char **argv = xcalloc(count + 2, sizeof(*argv));
    cleanup_fd int fd = -1;

    if (!asset_open(ASSET_STUB, &fd, err) || !name_target(bundle, real, args->options, err))
        return false;
    argv[0] = bundle->path;
    memcpy(argv + 1, args->operands + 1, count * sizeof(*argv));
    (void)fexecve(fd, (char *const *)argv, environ);
    return err_sys(err, "'%s'", bundle->path);
}

static bool start(const char *file, const struct command_args *args, bool is_built_here,
                  struct err *err)
{
    cleanup_free char *real = realpath(file, NULL);
    struct bundle bundle;
    bool ok;

    if (!bundle_open(&bundle, file, err))
        return false;
    ok = (real != NULL || err_sys(err, "'%s'", file)) &&
         check_bundle(&bundle, real, args->options, is_built_here, err) &&
         become(&bundle, real, args, err);
    bundle_close(&bundle);
    return ok;
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
    return start(file, args, is_dir, err);
}

const struct command cmd_run = {
    .name = "run",
    .summary = "start a bundle, or pack an application and start it",
    .operands = "FILE|DIR [ARG...]",
    .operands_min = 1,
    .operands_max = SIZE_MAX,
    .passes_on = true,
    .options = options,
    .options_size = sizeof(struct run_options),
    .examples = "  rucksack run blog-x86_64.AppImage\n  rucksack run ~/blog exec rake -T\n",
    .run = run,
};
