/* SPDX-License-Identifier: MIT */
/* `rucksack zsync FILE`: the control file by which AppImage tools update older versions. */
#include <stddef.h>
#include <stdio.h>

#include "bundler/bundle.h"
#include "bundler/command.h"
#include "bundler/jdoc.h"
#include "bundler/output.h"
#include "bundler/zsync.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/text.h"
#include "common/xalloc.h"

struct options {
    bool json;
    const char *output;
    const char *url;
};

static const struct option_entry options[] = {
    {"output", 'o', OPTION_TEXT, offsetof(struct options, output), "FILE",
     "write FILE (default: that of the bundle with .zsync behind it, here)"},
    {"url", 'u', OPTION_TEXT, offsetof(struct options, url), "URL",
     "where the bundle will be (default: beside the control file)"},
    {"json", 0, OPTION_FLAG, offsetof(struct options, json), NULL, "one JSON document on stdout"},
    {.type = OPTION_END},
};

/* Who publishes a capsule publishes the state of a site. */
static bool check(const struct bundle *bundle, struct err *err)
{
    struct bundle_findings findings;

    if (!bundle_verify(bundle, &findings, err))
        return false;
    if (!findings.is_capsule)
        return true;
    (void)err_set(err, ERR_INPUT, "'%s' is a capsule: with it a site's data would be published",
                  bundle->path);
    (void)err_id(err, "E-BUNDLE");
    return err_hint(err, "name the bundle that 'rucksack build' wrote");
}

static bool write_control(const struct bundle *bundle, const char *path, const char *url,
                          struct err *err)
{
    const char *name = text_base_name(bundle->path);
    const struct zsync_input input = {.fd = bundle->fd,
                                      .size_bytes = bundle->file_size,
                                      .name = name,
                                      .url = url != NULL ? url : name};
    struct output output;
    bool ok;

    if (!check(bundle, err))
        return false;
    ok = output_open_beside(&output, path, bundle->fd, err);
    if (ok && (!zsync_write(&input, output.fd, err) || !output_publish(&output, 0644, err)))
        ok = output_explain(path, err);
    output_release(&output);
    return ok;
}

static bool run(const struct command_args *args, struct err *err)
{
    const struct options *given = args->options;
    cleanup_free char *path = given->output != NULL
                                  ? xstrdup(given->output)
                                  : xasprintf("%s.zsync", text_base_name(args->operands[0]));
    struct bundle bundle;
    bool ok;

    if (!bundle_open(&bundle, args->operands[0], err))
        return false;
    ok = write_control(&bundle, path, given->url, err);
    bundle_close(&bundle);
    if (ok && given->json)
        jdoc_print(jdoc_files(path, NULL));
    else if (ok)
        puts(path);
    return ok;
}

const struct command cmd_zsync = {
    .name = "zsync",
    .summary = "write what AppImage tools need to update a bundle",
    .operands = "FILE",
    .operands_min = 1,
    .operands_max = 1,
    .options = options,
    .options_size = sizeof(struct options),
    .examples = "  rucksack zsync blog-x86_64.AppImage\n"
                "  rucksack zsync -u https://files.example/blog.AppImage blog.AppImage\n",
    .run = run,
};
