/* SPDX-License-Identifier: MIT */
/* `rucksack oci FILE`: the bundle as an image for Kubernetes, Nomad, podman and their like. */
#include <stddef.h>
#include <stdio.h>

#include "bundler/bundle.h"
#include "bundler/command.h"
#include "bundler/oci.h"
#include "bundler/report.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/xalloc.h"

enum { PORT_MAX = 65535 };

struct options {
    const char *output;
    const char *tag;
    const char *process;
    unsigned int port;
    bool quiet;
};

static const struct option_entry options[] = {
    {"output", 'o', OPTION_TEXT, offsetof(struct options, output), "FILE",
     "write FILE (default: NAME.oci.tar)"},
    {"tag", 't', OPTION_TEXT, offsetof(struct options, tag), "NAME[:TAG]",
     "what the image is called (default: the app's name and version)"},
    {"process", 0, OPTION_TEXT, offsetof(struct options, process), "NAME",
     "which process it starts (default: web, or the only one)"},
    {"port", 0, OPTION_COUNT, offsetof(struct options, port), "N",
     "the port that it is told to listen on, by PORT (default: 9292)"},
    {"quiet", 'q', OPTION_FLAG, offsetof(struct options, quiet), NULL, "say nothing but errors"},
    {.type = OPTION_END},
};

static bool run(const struct command_args *args, struct err *err)
{
    const struct options *given = args->options;
    const struct report report = {.quiet = given->quiet};
    struct oci_options request = {
        .tag = given->tag, .process = given->process, .port = given->port};
    cleanup_free char *output = NULL;
    cleanup_free char *tag = NULL;
    struct bundle bundle;
    bool ok;

    if (given->port > PORT_MAX)
        return err_set(err, ERR_USAGE, "oci: there is no port %u", given->port);
    if (!bundle_open(&bundle, args->operands[0], err))
        return false;
    output = given->output != NULL ? xstrdup(given->output)
                                   : xasprintf("%s.oci.tar", bundle.header.name);
    request.output = output;
    ok = oci_write(&bundle, &request, &report, &tag, err);
    if (ok) {
        report_phase(&report, "image", tag, NULL);
        puts(output);
    }
    bundle_close(&bundle);
    return ok;
}

const struct command cmd_oci = {
    .name = "oci",
    .summary = "write a bundle as an OCI image, for containers",
    .operands = "FILE",
    .operands_min = 1,
    .operands_max = 1,
    .options = options,
    .options_size = sizeof(struct options),
    .examples = "  rucksack oci blog-x86_64.AppImage\n"
                "  rucksack oci -o worker.tar --process worker --tag blog-worker:7 blog.AppImage\n",
    .run = run,
};
