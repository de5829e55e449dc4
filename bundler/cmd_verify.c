/* SPDX-License-Identifier: MIT */
/* `rucksack verify FILE`: whether a bundle is, byte for byte, what was built. */
#include <stdio.h>

#include "bundler/bundle.h"
#include "bundler/command.h"
#include "common/err.h"

static void print_findings(const struct bundle_findings *findings)
{
    puts(findings->is_stub_ok ? "stub ok" : "stub differs");
    puts(findings->is_image_ok ? "image ok" : "image differs");
    if (findings->is_capsule)
        puts(findings->is_snapshot_ok ? "snapshot ok" : "snapshot differs");
    if (findings->trailing_bytes > 0)
        printf("%llu bytes follow the image\n", (unsigned long long)findings->trailing_bytes);
    if (findings->is_content_ok)
        printf("content ok %llu files\n", (unsigned long long)findings->files);
    else
        puts("content damaged");
}

static bool run(const struct command_args *args, struct err *err)
{
    struct bundle_findings findings;
    struct bundle bundle;
    bool ok;

    if (!bundle_open(&bundle, args->operands[0], err))
        return false;
    ok = bundle_verify(&bundle, &findings, err);
    if (ok || err->kind == ERR_CHECK)
        print_findings(&findings);
    bundle_close(&bundle);
    return ok;
}

const struct command cmd_verify = {
    .name = "verify",
    .summary = "check that a bundle is complete and unchanged",
    .operands = "FILE",
    .operands_min = 1,
    .operands_max = 1,
    .examples = "  rucksack verify blog-x86_64.AppImage\n",
    .run = run,
};
