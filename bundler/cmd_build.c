/* SPDX-License-Identifier: MIT */
/* `rucksack build [DIR|SCRIPT]`: packs an application, a script or a published gem. */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "bundler/build.h"
#include "bundler/command.h"
#include "bundler/forecast.h"
#include "bundler/guard.h"
#include "bundler/jdoc.h"
#include "bundler/signer.h"
#include "bundler/updateinfo.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/xalloc.h"

struct build_options {
    const char *output;
    const char *name;
    const char *gem;
    const char *executable;
    const char *trace;
    const char *check;
    const char *update_info;
    const char *sign;
    struct option_list keep;
    struct option_list allowed;
    bool dry_run;
    bool fast;
    bool slim;
    bool json;
    bool hwcaps;
    bool no_cache;
    bool no_check;
    bool quiet;
    bool verbose;
};

static const struct option_entry options[] = {
    {"output", 'o', OPTION_TEXT, offsetof(struct build_options, output), "FILE",
     "write FILE (default: NAME-x86_64.AppImage)"},
    {"name", 'n', OPTION_TEXT, offsetof(struct build_options, name), "NAME",
     "identity of the app (default: the name of the directory, script or gem)"},
    {"gem", 'g', OPTION_TEXT, offsetof(struct build_options, gem), "NAME[@VERSION]",
     "pack the executable of a published gem"},
    {"executable", 0, OPTION_TEXT, offsetof(struct build_options, executable), "NAME",
     "which executable of a gem (default: the one called like it)"},
    {"dry-run", 0, OPTION_FLAG, offsetof(struct build_options, dry_run), NULL,
     "pack nothing: list what would be, and why"},
    {"fast", 0, OPTION_FLAG, offsetof(struct build_options, fast), NULL,
     "compress less: for development"},
    {"slim", 0, OPTION_FLAG, offsetof(struct build_options, slim), NULL,
     "of Ruby's standard library, pack what something names"},
    {"trace", 0, OPTION_TEXT, offsetof(struct build_options, trace), "CMD",
     "run CMD in the application's directory, and pack the libraries that it loads"},
    {"check", 0, OPTION_TEXT, offsetof(struct build_options, check), "ARGS",
     "start the packed command with ARGS, which must succeed (default: --help, which may fail)"},
    {"keep", 0, OPTION_LIST, offsetof(struct build_options, keep), "PATTERN",
     "pack files of gems that would be left out: GEM/PATH; again for more"},
    {"update-info", 0, OPTION_TEXT, offsetof(struct build_options, update_info), "TEXT",
     "where AppImage tools find a newer version: 'zsync|URL' and others"},
    {"allow-secret", 0, OPTION_LIST, offsetof(struct build_options, allowed), "PATH",
     "pack this file of the application though it looks like a secret; again for more"},
    {"sign", 0, OPTION_TEXT, offsetof(struct build_options, sign), "KEY",
     "sign it with this secret key, as 'rucksack sign' does"},
    {"hwcaps", 0, OPTION_FLAG, offsetof(struct build_options, hwcaps), NULL,
     "pack variants of libraries for newer processors, too"},
    {"json", 0, OPTION_FLAG, offsetof(struct build_options, json), NULL,
     "one JSON document on stdout"},
    {"no-cache", 0, OPTION_FLAG, offsetof(struct build_options, no_cache), NULL,
     "build all of it again, whatever earlier builds have left"},
    {"no-check", 0, OPTION_FLAG, offsetof(struct build_options, no_check), NULL,
     "do not start the bundle to see whether it answers"},
    {"quiet", 'q', OPTION_FLAG, offsetof(struct build_options, quiet), NULL,
     "say nothing but errors"},
    {"verbose", 'v', OPTION_FLAG, offsetof(struct build_options, verbose), NULL,
     "say of each gem, library and file why it is in or out"},
    {.type = OPTION_END},
};

struct job {
    const struct build_request *request;
    bool is_json;
};

static struct jdoc *result_json(const struct build_request *request,
                                const struct build_result *result)
{
    struct jdoc *document = jdoc_object();
    struct jdoc *warnings = jdoc_array();

    jdoc_set_number(document, "format", 1);
    jdoc_set_text(document, "file", result->output);
    jdoc_set_text(document, "name", result->name);
    jdoc_set_text(document, "kind", result->kind);
    for (size_t i = 0; i < result->warning_count; i++)
        jdoc_push_text(warnings, result->warnings[i]);
    jdoc_set(document, "warnings", warnings);
    jdoc_set_bool(document, "dry_run", request->dry_run);
    if (request->dry_run) {
        forecast_fill(&result->plan, document);
        return document;
    }
    jdoc_set_number(document, "size", (int64_t)result->size_bytes);
    jdoc_set_bool(document, "unchanged", result->is_unchanged);
    if (request->secret != NULL) {
        cleanup_free char *beside = xasprintf("%s.minisig", result->output);

        jdoc_set_text(document, "minisig", beside);
    }
    return document;
}

/* In the process that builds. */
static bool build(void *context, struct err *err)
{
    const struct job *job = context;
    cleanup_with(build_result_release) struct build_result result = {0};

    if (!build_run(job->request, &result, err))
        return false;
    if (job->is_json)
        jdoc_print(result_json(job->request, &result));
    else if (job->request->dry_run)
        forecast_print(&result.plan);
    else
        puts(result.output);
    return true;
}

static bool run(const struct command_args *args, struct err *err)
{
    const struct build_options *given = args->options;
    struct build_request request = {
        .app = {.path = args->operand_count > 0 ? args->operands[0] : ".",
                .gem = given->gem,
                .executable = given->executable,
                .name = given->name,
                .allowed = {given->allowed.items, given->allowed.count}},
        .output = given->output,
        .fast = given->fast,
        .slim = given->slim,
        .hwcaps = given->hwcaps,
        .no_cache = given->no_cache,
        .no_check = given->no_check,
        .check = given->check,
        .keep = given->keep.items,
        .keep_count = given->keep.count,
        .trace = given->trace,
        .update_info = given->update_info,
        .dry_run = given->dry_run,
        .quiet = given->quiet,
        .verbose = given->verbose && !given->quiet,
    };
    struct job job = {&request, given->json};
    struct minisign_secret secret;
    bool ok;

    if (given->gem != NULL && args->operand_count > 0)
        return err_set(err, ERR_USAGE, "build: --gem and '%.200s': one of them", args->operands[0]);
    if (given->update_info != NULL && !updateinfo_check(given->update_info, err))
        return false;
    /* Before anything of the application runs: a wrong password is said at once, and nobody else
     * gets to see the right one. */
    if (given->sign != NULL) {
        if (!signer_load(given->sign, args->signing, &secret, err))
            return false;
        request.secret = &secret;
    }
    ok = guard_run(build, &job, err);
    prim_wipe(&secret, sizeof(secret));
    return ok;
}

const struct command cmd_build = {
    .name = "build",
    .summary = "pack an application, script or gem into one executable file",
    .operands = "[DIR|SCRIPT]",
    .operands_max = 1,
    .options = options,
    .options_size = sizeof(struct build_options),
    .examples = "  rucksack build\n  rucksack build -o /srv/blog.AppImage ~/blog\n"
                "  rucksack build --dry-run\n  rucksack build report.rb\n  rucksack build --gem "
                "rubocop --check --version\n",
    .run = run,
};
