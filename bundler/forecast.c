/* SPDX-License-Identifier: MIT */
#include "bundler/forecast.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bundler/jdoc.h"
#include "bundler/plan.h"
#include "bundler/report.h"
#include "common/cleanup.h"
#include "common/text.h"
#include "common/xalloc.h"

/* A decision, with what it decides about. */
struct decision {
    const struct plan_entry *entry;
    uint64_t bytes;
    uint64_t files;
};

struct forecast {
    struct decision *items; /* by path */
    size_t count;
    uint64_t bytes;
    uint64_t files;
};

static void forecast_release(struct forecast *forecast)
{
    free(forecast->items);
}

static int by_path(const void *a, const void *b)
{
    return plan_path_compare(((const struct decision *)a)->entry->path,
                             ((const struct decision *)b)->entry->path);
}

static int find(const void *key, const void *item)
{
    return plan_path_compare(key, ((const struct decision *)item)->entry->path);
}

/* Of the path, or of the nearest directory above it; NULL for the root's own. */
static struct decision *decision_of(const struct forecast *forecast, const char *path)
{
    cleanup_free char *at = xstrdup(path);

    for (;;) {
        struct decision *found =
            bsearch(at, forecast->items, forecast->count, sizeof(*forecast->items), find);
        char *slash = strrchr(at, '/');

        if (found != NULL || slash == NULL)
            return found;
        *slash = '\0';
    }
}

static void make(struct forecast *forecast, const struct plan *plan)
{
    forecast->items = xcalloc(plan->count + 1, sizeof(*forecast->items));
    for (size_t i = 0; i < plan->count; i++)
        if (plan_has_own_reason(plan, plan->entries[i]))
            forecast->items[forecast->count++] = (struct decision){.entry = plan->entries[i]};
    qsort(forecast->items, forecast->count, sizeof(*forecast->items), by_path);
    for (size_t i = 0; i < plan->count; i++) {
        const struct plan_entry *entry = plan->entries[i];
        struct decision *decision = decision_of(forecast, entry->path);
        bool is_file = entry->type == PLAN_FILE || entry->type == PLAN_DATA;

        forecast->bytes += entry->size_bytes;
        forecast->files += is_file;
        if (decision == NULL)
            continue;
        decision->bytes += entry->size_bytes;
        decision->files += is_file;
    }
}

void forecast_explain(const struct plan *plan, const struct report *report)
{
    cleanup_with(forecast_release) struct forecast forecast = {0};

    if (!report->verbose)
        return;
    make(&forecast, plan);
    for (size_t i = 0; i < forecast.count; i++)
        report_detail(report, "in", forecast.items[i].entry->path, forecast.items[i].entry->reason);
    for (size_t i = 0; i < plan->left_out_count; i++)
        report_detail(report, "out", plan->left_out[i].path, plan->left_out[i].reason);
}

void forecast_print(const struct plan *plan)
{
    cleanup_with(forecast_release) struct forecast forecast = {0};
    cleanup_free char *total = NULL;

    make(&forecast, plan);
    for (size_t i = 0; i < forecast.count; i++) {
        const struct decision *decision = &forecast.items[i];
        cleanup_free char *size = report_size(decision->bytes);
        cleanup_free char *path = text_visible(decision->entry->path);
        cleanup_free char *reason = text_visible(decision->entry->reason);

        printf("%10s %6llu  %s (%s)\n", size, (unsigned long long)decision->files, path, reason);
    }
    total = report_size(forecast.bytes);
    printf("%10s %6llu  in all, before compression\n", total, (unsigned long long)forecast.files);
}

void forecast_fill(const struct plan *plan, struct jdoc *document)
{
    cleanup_with(forecast_release) struct forecast forecast = {0};
    struct jdoc *entries = jdoc_array();
    struct jdoc *left_out = jdoc_array();

    make(&forecast, plan);
    for (size_t i = 0; i < forecast.count; i++) {
        const struct decision *decision = &forecast.items[i];
        struct jdoc *one = jdoc_object();

        jdoc_set_text(one, "path", decision->entry->path);
        jdoc_set_text(one, "part", plan_part_name(decision->entry->part));
        jdoc_set_text(one, "reason", decision->entry->reason);
        jdoc_set_number(one, "files", (int64_t)decision->files);
        jdoc_set_number(one, "bytes", (int64_t)decision->bytes);
        jdoc_push(entries, one);
    }
    for (size_t i = 0; i < plan->left_out_count; i++) {
        struct jdoc *one = jdoc_object();

        jdoc_set_text(one, "path", plan->left_out[i].path);
        jdoc_set_text(one, "reason", plan->left_out[i].reason);
        jdoc_push(left_out, one);
    }
    jdoc_set_number(document, "files", (int64_t)forecast.files);
    jdoc_set_number(document, "bytes", (int64_t)forecast.bytes);
    jdoc_set(document, "entries", entries);
    jdoc_set(document, "left_out", left_out);
}
