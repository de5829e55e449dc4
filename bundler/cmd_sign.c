/* SPDX-License-Identifier: MIT */
/* `rucksack sign -s KEY FILE`: signs a bundle, in its header and as FILE.minisig. */
#include <stddef.h>
#include <stdio.h>

#include "bundler/command.h"
#include "bundler/jdoc.h"
#include "bundler/signer.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/xalloc.h"

struct sign_options {
    bool json;
    const char *key;
    const char *comment;
};

static const struct option_entry options[] = {
    {"secret-key", 's', OPTION_TEXT, offsetof(struct sign_options, key), "KEY",
     "the secret key: a file of 'rucksack keygen' or minisign"},
    {"comment", 0, OPTION_TEXT, offsetof(struct sign_options, comment), "TEXT",
     "what the signature says beside the name: signed, too"},
    {"json", 0, OPTION_FLAG, offsetof(struct sign_options, json), NULL,
     "one JSON document on stdout"},
    {.type = OPTION_END},
};

static void print_files(const char *file, bool is_json)
{
    cleanup_free char *beside = xasprintf("%s.minisig", file);

    if (is_json)
        jdoc_print(jdoc_files(file, beside, NULL));
    else
        printf("%s\n%s\n", file, beside);
}

static bool run(const struct command_args *args, struct err *err)
{
    const struct sign_options *given = args->options;
    cleanup_free char *signed_file = NULL;
    struct minisign_secret secret;
    bool ok;

    if (given->key == NULL)
        return err_set(err, ERR_USAGE, "sign: name the secret key: --secret-key KEY");
    signer_hide_memory();
    if (!signer_load(given->key, args->signing, &secret, err))
        return false;
    ok = signer_sign(args->operands[0], &secret, given->comment, &signed_file, err);
    prim_wipe(&secret, sizeof(secret));
    if (ok)
        print_files(signed_file, given->json);
    return ok;
}

const struct command cmd_sign = {
    .name = "sign",
    .summary = "sign a bundle",
    .operands = "FILE",
    .operands_min = 1,
    .operands_max = 1,
    .options = options,
    .options_size = sizeof(struct sign_options),
    .examples = "  rucksack sign -s blog.key blog-x86_64.AppImage\n",
    .run = run,
};
