/* SPDX-License-Identifier: MIT */
/* `rucksack extract FILE`: unpacks a bundle's image into a new directory. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>

#include "bundler/bundle.h"
#include "bundler/command.h"
#include "bundler/image.h"
#include "bundler/jdoc.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/fs.h"
#include "common/unfinished.h"
#include "common/xalloc.h"

struct extract_options {
    bool json;
    const char *output;
};

static const struct option_entry options[] = {
    {"output", 'o', OPTION_TEXT, offsetof(struct extract_options, output), "DIR",
     "make DIR (default: NAME.root)"},
    {"json", 0, OPTION_FLAG, offsetof(struct extract_options, json), NULL,
     "one JSON document on stdout"},
    {.type = OPTION_END},
};

static bool make_dir(const char *dir, struct err *err)
{
    if (mkdir(dir, 0755) == 0)
        return true;
    if (errno == EEXIST) {
        (void)err_set(err, ERR_INPUT, "'%s' is already there", dir);
        (void)err_hint(err, "remove it, or name another directory with -o");
    } else {
        (void)err_sys(err, "'%s'", dir);
        (void)err_hint(err, "name another directory with -o");
    }
    return err_id(err, "E-OUTPUT");
}

static bool unpack(const struct bundle *bundle, const char *dir, struct err *err)
{
    struct image *image = NULL;
    cleanup_fd int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    bool ok;

    if (fd < 0)
        return err_sys(err, "'%s'", dir);
    ok = bundle_open_image(bundle, &image, err) && image_extract(image, fd, err);
    image_free(image);
    if (ok)
        return true;
    if (err->sys_errno == ENOSPC || err->sys_errno == EDQUOT) {
        (void)err_id(err, "E-SPACE");
        (void)err_hint(err, "make room, or name a directory elsewhere with -o");
    }
    return err_wrap(err, "'%s'", bundle->path);
}

static bool extract(const struct bundle *bundle, const char *dir, bool is_json, struct err *err)
{
    struct err ignored = {0};
    bool ok;

    if (!make_dir(dir, err))
        return false;
    unfinished_watch_tree(dir);
    ok = unpack(bundle, dir, err);
    if (ok && is_json)
        jdoc_print(jdoc_files(dir, NULL));
    else if (ok)
        puts(dir);
    else /* the first error is the one to tell */
        (void)!fs_remove_tree(AT_FDCWD, dir, &ignored);
    unfinished_forget(dir);
    return ok;
}

static bool run(const struct command_args *args, struct err *err)
{
    const struct extract_options *given = args->options;
    cleanup_free char *dir = NULL;
    struct bundle bundle;
    bool ok;

    if (!bundle_open(&bundle, args->operands[0], err))
        return false;
    dir = given->output != NULL ? xstrdup(given->output) : xasprintf("%s.root", bundle.header.name);
    ok = extract(&bundle, dir, given->json, err);
    bundle_close(&bundle);
    return ok;
}

const struct command cmd_extract = {
    .name = "extract",
    .summary = "unpack a bundle into a directory",
    .operands = "FILE",
    .operands_min = 1,
    .operands_max = 1,
    .options = options,
    .options_size = sizeof(struct extract_options),
    .examples = "  rucksack extract blog-x86_64.AppImage\n"
                "  rucksack extract -o /tmp/blog blog-x86_64.AppImage\n",
    .run = run,
};
