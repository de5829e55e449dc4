/* SPDX-License-Identifier: MIT */
/* `rucksack oci FILE`: the bundle as an image for Kubernetes, Nomad, podman and their like. */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "bundler/bundle.h"
#include "bundler/command.h"
#include "bundler/jdoc.h"
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
    bool json;
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
    {"json", 0, OPTION_FLAG, offsetof(struct options, json), NULL, "one JSON document on stdout"},
    {"quiet", 'q', OPTION_FLAG, offsetof(struct options, quiet), NULL, "say nothing but errors"},
    {.type = OPTION_END},
};

static void print_result(const char *output, const char *tag, bool is_json)
{
    struct jdoc *document;

    if (!is_json) {
        puts(output);
        return;
    }
    document = jdoc_files(output, NULL);
    jdoc_set_text(document, "tag", tag);
    jdoc_print(document);
}

static bool write_image(const struct bundle *bundle, const struct options *given,
                        const char *output, struct err *err)
{
    const struct report report = {.quiet = given->quiet};
    struct oci_options request = {0};
    char *tag;

    request.output = output;
    request.tag = given->tag;
    request.process = given->process;
    request.port = given->port;
    if (!oci_write(bundle, &request, &report, &tag, err))
        return false;
    report_phase(&report, "image", tag, NULL);
    print_result(output, tag, given->json);
    free(tag);
    return true;
}

static bool run(const struct command_args *args, struct err *err)
{
    const struct options *given = args->options;
    cleanup_free char *output = NULL;
    struct bundle bundle;
    bool ok;

    if (given->port > PORT_MAX)
        return err_set(err, ERR_USAGE, "oci: there is no port %u", given->port);
    if (!bundle_open(&bundle, args->operands[0], err))
        return false;
    output = given->output != NULL ? xstrdup(given->output)
                                   : xasprintf("%s.oci.tar", bundle.header.name);
    ok = write_image(&bundle, given, output, err);
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
