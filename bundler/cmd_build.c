/* SPDX-License-Identifier: MIT */
/* `rucksack build [DIR]`: packs an application. */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "bundler/build.h"
#include "bundler/command.h"
#include "common/cleanup.h"

struct build_options {
    const char *output;
    const char *name;
    const char *trace;
    bool fast;
    bool hwcaps;
    bool no_check;
    bool quiet;
};

static const struct option_entry options[] = {
    {"output", 'o', OPTION_TEXT, offsetof(struct build_options, output), "FILE",
     "write FILE (default: NAME-x86_64.AppImage)"},
    {"name", 'n', OPTION_TEXT, offsetof(struct build_options, name), "NAME",
     "identity of the app (default: the directory's name)"},
    {"fast", 0, OPTION_FLAG, offsetof(struct build_options, fast), NULL,
     "compress less: for development"},
    {"trace", 0, OPTION_TEXT, offsetof(struct build_options, trace), "CMD",
     "run CMD in the application's directory, and pack the libraries that it loads"},
    {"hwcaps", 0, OPTION_FLAG, offsetof(struct build_options, hwcaps), NULL,
     "pack variants of libraries for newer processors, too"},
    {"no-check", 0, OPTION_FLAG, offsetof(struct build_options, no_check), NULL,
     "do not start the bundle to see whether it answers"},
    {"quiet", 'q', OPTION_FLAG, offsetof(struct build_options, quiet), NULL,
     "say nothing but errors"},
    {.type = OPTION_END},
};

static bool run(const struct command_args *args, struct err *err)
{
    const struct build_options *given = args->options;
    struct build_request request = {
        .dir = args->operand_count > 0 ? args->operands[0] : ".",
        .name = given->name,
        .output = given->output,
        .fast = given->fast,
        .hwcaps = given->hwcaps,
        .no_check = given->no_check,
        .trace = given->trace,
        .quiet = given->quiet,
    };
    cleanup_free char *output = NULL;

    if (!build_run(&request, &output, err))
        return false;
    puts(output);
    return true;
}

const struct command cmd_build = {
    .name = "build",
    .summary = "pack an application into one executable file",
    .operands = "[DIR]",
    .operands_max = 1,
    .options = options,
    .options_size = sizeof(struct build_options),
    .examples = "  rucksack build\n  rucksack build -o /srv/blog.AppImage ~/blog\n",
    .run = run,
};
