/* SPDX-License-Identifier: MIT */
/*
 * `rucksack diff A B`: what differs between two bundles, for a terminal, a program or a pull
 * request. No string of theirs steers the terminal, or the page that shows the Markdown.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bundler/bundle.h"
#include "bundler/command.h"
#include "bundler/difference.h"
#include "bundler/jdoc.h"
#include "bundler/report.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/text.h"
#include "common/xalloc.h"

enum { LABEL_WIDTH = 11, LIST_MAX = 30 };

struct diff_options {
    bool json;
    bool markdown;
    bool all;
};

static const struct option_entry options[] = {
    {"json", 0, OPTION_FLAG, offsetof(struct diff_options, json), NULL,
     "one JSON document on stdout"},
    {"markdown", 0, OPTION_FLAG, offsetof(struct diff_options, markdown), NULL,
     "tables for a pull request"},
    {"all", 0, OPTION_FLAG, offsetof(struct diff_options, all), NULL,
     "list all files and sizes, not only the first"},
    {.type = OPTION_END},
};

/* How one list is shown. */
struct printer {
    const struct diff_options *given;
    const char *label;
    const char *heading; /* of the Markdown table's columns */
    /* One change as cells, owned by the caller; for text they are joined by blanks. */
    void (*cells)(const struct jdoc *change, char *ret[3]);
};

/* "+25.1 kB" */
static char *growth(int64_t before, int64_t after)
{
    int64_t grown = after - before;
    cleanup_free char *size = report_size((uint64_t)(grown < 0 ? -grown : grown));

    return xasprintf("%s%s", grown < 0 ? "-" : "+", size);
}

static const char *sign_of(const struct jdoc *change)
{
    const char *word = jdoc_text_or(change, "change", "");

    return strcmp(word, "added") == 0 ? "+" : strcmp(word, "removed") == 0 ? "-" : " ";
}

static void version_cells(const struct jdoc *change, char *ret[3])
{
    const char *before = jdoc_text(change, "before");
    const char *after = jdoc_text(change, "after");

    ret[0] = xasprintf("%s %s", sign_of(change), jdoc_text_or(change, "name", "?"));
    ret[1] = xstrdup(before != NULL ? before : "");
    ret[2] = before != NULL && after != NULL ? xasprintf("-> %s", after)
                                             : xstrdup(after != NULL ? after : "");
}

static void file_cells(const struct jdoc *change, char *ret[3])
{
    ret[0] = xasprintf("%s %s", sign_of(change), jdoc_text_or(change, "path", "?"));
    ret[1] = xstrdup("");
    ret[2] = growth(jdoc_number(change, "before"), jdoc_number(change, "after"));
}

static void size_cells(const struct jdoc *change, char *ret[3])
{
    ret[0] = xasprintf("  %s", jdoc_text_or(change, "name", "?"));
    ret[1] = xstrdup(jdoc_text_or(change, "part", ""));
    ret[2] = growth(jdoc_number(change, "before"), jdoc_number(change, "after"));
}

/* A cell of a table: no mark of Markdown or HTML counts in it. */
static void print_cell(const char *text)
{
    cleanup_free char *shown = text_visible(text);

    for (const char *at = shown; *at != '\0'; at++) {
        if (strchr("<>&", *at) != NULL)
            printf("&#%d;", *at);
        else
            printf("%s%c", strchr("|\\`*_[]()#!~", *at) != NULL ? "\\" : "", *at);
    }
}

static void print_change(const struct printer *printer, const struct jdoc *change)
{
    char *cells[3];

    printer->cells(change, cells);
    if (printer->given->markdown) {
        for (size_t i = 0; i < 3; i++) {
            fputs(i == 0 ? "| " : " | ", stdout);
            print_cell(cells[i]);
        }
        puts(" |");
    } else {
        cleanup_free char *line = xasprintf("%s%s%s%s%s", cells[0], cells[1][0] != '\0' ? " " : "",
                                            cells[1], cells[2][0] != '\0' ? " " : "", cells[2]);
        cleanup_free char *shown = text_visible(line);

        printf("%*s%s\n", LABEL_WIDTH - 2, "", shown);
    }
    for (size_t i = 0; i < 3; i++)
        free(cells[i]);
}

static size_t count_of(const struct jdoc *changes, const char *kind)
{
    size_t count = 0;

    for (size_t i = 0; i < jdoc_count(changes); i++)
        count += strcmp(jdoc_text_or(jdoc_at(changes, i), "change", ""), kind) == 0;
    return count;
}

static void print_heading(const struct printer *printer, const struct jdoc *changes)
{
    size_t count = jdoc_count(changes);
    size_t changed = count_of(changes, "changed");
    size_t added = count_of(changes, "added");
    size_t removed = count_of(changes, "removed");
    bool is_told = changed + added + removed > 0;

    if (printer->given->markdown)
        printf("\n### %s", printer->label);
    else
        printf("%-*s", LABEL_WIDTH, printer->label);
    if (is_told)
        printf("%s%zu changed, %zu added, %zu removed\n", printer->given->markdown ? ": " : "",
               changed, added, removed);
    else
        printf("%s%zu differ\n", printer->given->markdown ? ": " : "", count);
    if (printer->given->markdown)
        printf("\n%s\n|---|---|---|\n", printer->heading);
}

static void print_list(const struct printer *printer, const struct jdoc *changes)
{
    size_t count = jdoc_count(changes);
    size_t shown = printer->given->all || count <= LIST_MAX ? count : LIST_MAX;

    if (count == 0)
        return;
    print_heading(printer, changes);
    for (size_t i = 0; i < shown; i++)
        print_change(printer, jdoc_at(changes, i));
    if (shown < count)
        printf("%s%*s%zu more: --all\n", printer->given->markdown ? "\n" : "",
               printer->given->markdown ? 0 : LABEL_WIDTH, "", count - shown);
}

/* "blog 1.2 (Ruby 3.3.8, 12.0 MB)" */
static char *side_text(const struct jdoc *side)
{
    const char *version = jdoc_text_or(side, "version", "");
    cleanup_free char *size = report_size((uint64_t)jdoc_number(side, "size"));
    cleanup_free char *text =
        xasprintf("%s%s%s (Ruby %s, %s)", jdoc_text_or(side, "name", "?"),
                  version[0] != '\0' ? " " : "", version, jdoc_text_or(side, "ruby", "?"), size);

    return text_visible(text);
}

static void print_all(const struct diff_options *given, const struct jdoc *difference)
{
    const struct printer gems = {given, "gems", "| gem | before | after |", version_cells};
    const struct printer libraries = {given, "libraries", "| library | before | after |",
                                      version_cells};
    const struct printer files = {given, "files", "| file | | bytes |", file_cells};
    const struct printer sizes = {given, "sizes", "| component | part | in the file |", size_cells};
    const struct jdoc *was = jdoc_member(difference, "before");
    const struct jdoc *is = jdoc_member(difference, "after");
    cleanup_free char *before = side_text(was);
    cleanup_free char *after = side_text(is);
    cleanup_free char *grown = growth(jdoc_number(was, "size"), jdoc_number(is, "size"));

    if (given->markdown) {
        fputs("## ", stdout);
        print_cell(before);
        fputs(" → ", stdout);
        print_cell(after);
        printf(", %s\n", grown);
    } else {
        printf("%-*s%s\n%-*s%s, %s\n", LABEL_WIDTH, "before", before, LABEL_WIDTH, "after", after,
               grown);
    }
    print_list(&gems, jdoc_member(difference, "gems"));
    print_list(&libraries, jdoc_member(difference, "libraries"));
    print_list(&files, jdoc_member(difference, "files"));
    print_list(&sizes, jdoc_member(difference, "sizes"));
}

static bool show(const struct bundle *before, const struct bundle *after,
                 const struct diff_options *given, struct err *err)
{
    struct jdoc *difference = difference_of(before, after, err);

    if (difference == NULL)
        return false;
    if (given->json) {
        jdoc_print(difference);
        return true;
    }
    if (jdoc_bool(difference, "same"))
        puts("the images are the same");
    else
        print_all(given, difference);
    jdoc_free(difference);
    return true;
}

static bool run(const struct command_args *args, struct err *err)
{
    const struct diff_options *given = args->options;
    struct bundle before;
    struct bundle after;
    bool ok;

    if (given->json && given->markdown)
        return err_set(err, ERR_USAGE, "--json or --markdown, not both");
    if (!bundle_open(&before, args->operands[0], err))
        return false;
    ok = bundle_open(&after, args->operands[1], err);
    if (ok) {
        ok = show(&before, &after, given, err);
        bundle_close(&after);
    }
    bundle_close(&before);
    return ok;
}

const struct command cmd_diff = {
    .name = "diff",
    .summary = "show what differs between two bundles",
    .operands = "BEFORE AFTER",
    .operands_min = 2,
    .operands_max = 2,
    .options = options,
    .options_size = sizeof(struct diff_options),
    .examples = "  rucksack diff blog-1.AppImage blog-2.AppImage\n"
                "  rucksack diff --markdown old.AppImage new.AppImage >>\"$GITHUB_STEP_SUMMARY\"\n",
    .run = run,
};
