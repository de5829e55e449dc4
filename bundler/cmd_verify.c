/* SPDX-License-Identifier: MIT */
/* `rucksack verify FILE`: whether a bundle is, byte for byte, what was built and signed. */
#include <stddef.h>
#include <stdio.h>

#include "bundler/bundle.h"
#include "bundler/command.h"
#include "bundler/jdoc.h"
#include "bundler/signer.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/text.h"

struct verify_options {
    bool json;
    const char *key;
};

static const struct option_entry options[] = {
    {"public-key", 'p', OPTION_TEXT, offsetof(struct verify_options, key), "KEY",
     "it must be signed with this key: a file, or its base64"},
    {"json", 0, OPTION_FLAG, offsetof(struct verify_options, json), NULL,
     "one JSON document on stdout"},
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
static void print_signatures(const struct signer_findings *findings, bool is_known, bool is_capsule)
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
    if (is_capsule && findings->is_signed && !findings->has_file)
        puts("the snapshot is not signed");
}

static struct jdoc *findings_json(const struct bundle_findings *findings)
{
    struct jdoc *document = jdoc_object();

    jdoc_set_number(document, "format", 1);
    jdoc_set_bool(document, "stub", findings->is_stub_ok);
    jdoc_set_bool(document, "image", findings->is_image_ok);
    jdoc_set_bool(document, "content", findings->is_content_ok);
    jdoc_set_number(document, "files", (int64_t)findings->files);
    if (findings->is_capsule)
        jdoc_set_bool(document, "snapshot", findings->is_snapshot_ok);
    jdoc_set_number(document, "trailing_bytes", (int64_t)findings->trailing_bytes);
    return document;
}

static struct jdoc *signatures_json(const struct signer_findings *findings)
{
    struct jdoc *document = jdoc_object();
    char key[MINISIGN_PUBLIC_TEXT];

    jdoc_set_bool(document, "signed", findings->is_signed);
    jdoc_set_bool(document, "minisig", findings->has_file);
    if (findings->is_signed || findings->has_file)
        jdoc_set_text(document, "comment", findings->comment);
    if (findings->is_signed) {
        minisign_name_key(&findings->key, key);
        jdoc_set_text(document, "key", key);
    }
    return document;
}

/* What was found, also where it is not as it must be; what else went wrong has no document. */
struct verdict {
    bool has_findings;
    bool has_signatures;
    struct bundle_findings findings;
    struct signer_findings signatures;
};

static bool verify(const struct bundle *bundle, const struct minisign_key *key,
                   struct verdict *verdict, struct err *err)
{
    bool ok = bundle_verify(bundle, &verdict->findings, err);

    verdict->has_findings = ok || err->kind == ERR_CHECK;
    verdict->has_signatures = ok && signer_verify(bundle, key, &verdict->signatures, err);
    return verdict->has_signatures;
}

static void print_json(const struct verdict *verdict, const struct err *err)
{
    struct jdoc *document = findings_json(&verdict->findings);

    jdoc_set_bool(document, "ok", verdict->has_signatures);
    if (verdict->has_signatures)
        jdoc_set(document, "signature", signatures_json(&verdict->signatures));
    else
        jdoc_set_text(document, "why", err->msg);
    jdoc_print(document);
}

static bool show(const struct bundle *bundle, const struct minisign_key *key, bool is_json,
                 struct err *err)
{
    struct verdict verdict = {0};
    bool ok = verify(bundle, key, &verdict, err);

    if (verdict.has_findings && is_json) {
        print_json(&verdict, err);
        return ok;
    }
    if (verdict.has_findings)
        print_findings(&verdict.findings);
    if (verdict.has_signatures)
        print_signatures(&verdict.signatures, key != NULL, verdict.findings.is_capsule);
    return ok;
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
    ok = show(&bundle, given->key != NULL ? &key : NULL, given->json, err);
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
