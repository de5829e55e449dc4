/* SPDX-License-Identifier: MIT */
#include "runtime/keeper/receipt.h"

#include <stddef.h>

#include "common/cleanup.h"
#include "common/text.h"
#include "common/xalloc.h"
#include "runtime/keeper/manifest.h"
#include "runtime/keeper/progress.h"

struct counts {
    size_t databases;
    unsigned long long rows;
    size_t files;
};

static struct counts count(const struct manifest *manifest)
{
    struct counts counts = {.rows = manifest_rows(manifest)};

    for (size_t i = 0; i < manifest->file_count; i++) {
        if (manifest->files[i].is_gone)
            continue;
        counts.databases += manifest->files[i].is_database;
        counts.files += !manifest->files[i].is_database;
    }
    return counts;
}

/* `, "KEY": "TEXT"`; NULL is null. */
static void put_text(FILE *to, const char *key, const char *text)
{
    cleanup_free char *quoted = text != NULL ? text_json(text) : xstrdup("null");

    fprintf(to, ", \"%s\": %s", key, quoted);
}

/* The members that both documents end with: which snapshot, and what is in it. */
static void put_snapshot(const struct receipt *receipt, FILE *to)
{
    const struct manifest *manifest = receipt->manifest;
    struct counts counts = count(manifest);
    char when[MANIFEST_TIME_SIZE];
    char hex[DIGEST_HEX];

    manifest_time(manifest->time, when);
    put_text(to, "time", when);
    digest_hex(manifest->lineage.id, sizeof(manifest->lineage.id), hex);
    put_text(to, "lineage", hex);
    fprintf(to, ", \"epoch\": %llu, \"number\": %llu", (unsigned long long)manifest->lineage.epoch,
            (unsigned long long)manifest->lineage.number);
    fprintf(to, ", \"bytes\": %llu, \"databases\": %zu, \"rows\": %llu, \"files\": %zu}\n",
            (unsigned long long)receipt->size_bytes, counts.databases, counts.rows, counts.files);
}

void receipt_backup(const struct receipt *receipt, bool is_json, FILE *to)
{
    struct counts counts = count(receipt->manifest);
    char size[PROGRESS_SIZE];

    if (is_json) {
        fputs("{\"format\": 1", to);
        put_text(to, "file", receipt->place);
        put_text(to, "name", receipt->name);
        fprintf(to, ", \"capsule\": %s, \"pushed\": %s, \"removed\": %u",
                receipt->is_capsule ? "true" : "false", receipt->is_pushed ? "true" : "false",
                receipt->removed);
        put_snapshot(receipt, to);
        return;
    }
    progress_size(receipt->size_bytes, size);
    fprintf(to, "wrote    %s  %s  %zu databases, %llu rows, %zu files\n",
            receipt->place != NULL ? receipt->place : receipt->name, size, counts.databases,
            counts.rows, counts.files);
    if (receipt->removed > 0)
        fprintf(to, "removed  %u older\n", receipt->removed);
}

void receipt_restore(const struct receipt *receipt, bool is_json, FILE *to)
{
    struct counts counts = count(receipt->manifest);
    cleanup_free char *kept =
        receipt->kept != NULL ? xasprintf("%s/%s", receipt->place, receipt->kept) : NULL;
    char when[MANIFEST_TIME_SIZE];
    char size[PROGRESS_SIZE];

    if (is_json) {
        fprintf(to, "{\"format\": 1, \"restored\": %s", receipt->is_check ? "false" : "true");
        put_text(to, "state", receipt->place);
        put_text(to, "kept", kept);
        put_snapshot(receipt, to);
        return;
    }
    manifest_time(receipt->manifest->time, when);
    progress_size(receipt->size_bytes, size);
    if (receipt->is_check)
        fprintf(to, "intact   %s  ", when);
    else
        fprintf(to, "restored %s  from %s  ", receipt->place, when);
    fprintf(to, "%s  %zu databases, %llu rows, %zu files\n", size, counts.databases, counts.rows,
            counts.files);
    if (kept != NULL)
        fprintf(to, "kept     %s  what was there before\n", kept);
}
