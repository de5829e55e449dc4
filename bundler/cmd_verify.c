/* SPDX-License-Identifier: MIT */
/* `rucksack verify FILE`: whether a bundle is, byte for byte, what was built and signed. */
#include <stddef.h>
#include <stdio.h>

#include "bundler/bundle.h"
#include "bundler/command.h"
#include "bundler/signer.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/text.h"

struct verify_options {
    const char *key;
};

static const struct option_entry options[] = {
    {"public-key", 'p', OPTION_TEXT, offsetof(struct verify_options, key), "KEY",
     "it must be signed with this key: a file, or its base64"},
    {.type = OPTION_END},
};

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

/* "RWQ... (rucksack blog)": the comment was signed, and has no control characters but tabs. */
static void print_signatures(const struct signer_findings *findings, bool is_known)
{
    cleanup_free char *comment = text_visible(findings->comment);
    char key[MINISIGN_PUBLIC_TEXT];

    if (findings->is_signed) {
        minisign_name_key(&findings->key, key);
        printf("signature ok %s (%s)\n", key, comment);
        if (!is_known)
            puts("whose key that is, only they can say: -p KEY");
    } else if (!findings->has_file && !findings->is_file_unknown) {
        puts("not signed");
    }
    if (findings->has_file)
        printf("minisig ok%s%s%s\n", findings->is_signed ? "" : " (",
               findings->is_signed ? "" : comment, findings->is_signed ? "" : ")");
    if (findings->is_file_unknown)
        puts("minisig not compared: -p KEY");
}

static bool verify(const struct bundle *bundle, const struct minisign_key *key, struct err *err)
{
    struct bundle_findings findings;
    struct signer_findings signatures;
    bool ok = bundle_verify(bundle, &findings, err);

    if (ok || err->kind == ERR_CHECK)
        print_findings(&findings);
    if (!ok || !signer_verify(bundle, key, &signatures, err))
        return false;
    print_signatures(&signatures, key != NULL);
    return true;
}

static bool run(const struct command_args *args, struct err *err)
{
    const struct verify_options *given = args->options;
    struct minisign_key key;
    struct bundle bundle;
    bool ok;

    if (given->key != NULL && !signer_load_key(given->key, &key, err))
        return false;
    if (!bundle_open(&bundle, args->operands[0], err))
        return false;
    ok = verify(&bundle, given->key != NULL ? &key : NULL, err);
    bundle_close(&bundle);
    return ok;
}

const struct command cmd_verify = {
    .name = "verify",
    .summary = "check that a bundle is complete, unchanged and signed",
    .operands = "FILE",
    .operands_min = 1,
    .operands_max = 1,
    .options = options,
    .options_size = sizeof(struct verify_options),
    .examples = "  rucksack verify blog-x86_64.AppImage\n"
                "  rucksack verify -p blog.pub blog-x86_64.AppImage\n",
    .run = run,
};
