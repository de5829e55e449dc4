/* SPDX-License-Identifier: MIT */
#include "bundler/details.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "bundler/bundle.h"
#include "bundler/elf.h"
#include "bundler/jdoc.h"
#include "bundler/report.h"
#include "bundler/sheet.h"
#include "common/cleanup.h"
#include "common/format.h"
#include "common/text.h"
#include "common/xalloc.h"

enum { LINE_WIDTH = 96, COLUMN_MAX = 32 };

static uint64_t bytes_of(int64_t number)
{
    return number > 0 ? (uint64_t)number : 0;
}

static void print_file(const struct bundle *bundle, const struct jdoc *manifest)
{
    const struct format_header *header = &bundle->header;
    cleanup_free char *size = report_size(bundle->file_size);
    cleanup_free char *stub = report_size(header->image_offset);
    cleanup_free char *image = report_size(header->image_size);
    cleanup_free char *version = text_visible(jdoc_text_or(manifest, "version", ""));

    sheet_label("name");
    printf("%s%s%s\n", header->name, version[0] != '\0' ? " " : "", version);
    sheet_label("kind");
    printf("%s, format %u, %s\n", header->kind == FORMAT_KIND_CLI ? "cli" : "app", header->version,
           elf_machine_name(bundle->machine));
    sheet_label("file");
    printf("%s: stub %s, image %s\n", size, stub, image);
}

/* " (zlib1g 1:1.2.13)", or nothing */
static void print_package(const struct jdoc *object)
{
    cleanup_free char *package = text_visible(jdoc_text_or(object, "package", ""));
    cleanup_free char *version = text_visible(jdoc_text_or(object, "package_version", ""));

    if (package[0] != '\0')
        printf(" (%s%s%s)", package, version[0] != '\0' ? " " : "", version);
}

static void print_ruby(const struct jdoc *ruby)
{
    cleanup_free char *version = text_visible(jdoc_text_or(ruby, "version", "?"));
    cleanup_free char *platform = text_visible(jdoc_text_or(ruby, "platform", "?"));
    cleanup_free char *source = text_visible(jdoc_text_or(ruby, "source", "?"));
    cleanup_free char *bundler = text_visible(jdoc_text_or(ruby, "bundler", ""));

    sheet_label("ruby");
    printf("%s for %s, from %s", version, platform, source);
    print_package(ruby);
    printf(bundler[0] != '\0' ? ", Bundler %s\n" : "%s\n", bundler);
}

struct listing {
    const char *label;
    bool is_first;
};

static void print_part(const char *key, const struct jdoc *value, void *context)
{
    struct listing *listing = context;
    cleanup_free char *name = text_visible(key);
    cleanup_free char *size = report_size(bytes_of(jdoc_value_number(value)));

    sheet_label_once(listing->label, listing->is_first);
    sheet_pad(name, SHEET_LABEL);
    printf("%10s\n", size);
    listing->is_first = false;
}

/* Of one class: "tests  1.2 MB in 33 files". */
static void print_left_out(const char *key, const struct jdoc *value, void *context)
{
    struct listing *listing = context;
    cleanup_free char *name = text_visible(key);
    cleanup_free char *size = report_size(bytes_of(jdoc_number(value, "bytes")));
    uint64_t files = bytes_of(jdoc_number(value, "files"));
    bool has_size = jdoc_member(value, "bytes") != NULL;

    sheet_label_once(listing->label, listing->is_first);
    sheet_pad(name, SHEET_LABEL + 3);
    printf("%10s %s %llu file%s\n", has_size ? size : "", has_size ? "in" : "  ",
           (unsigned long long)files, files == 1 ? "" : "s");
    listing->is_first = false;
}

static void print_process(const char *key, const struct jdoc *value, void *context)
{
    struct listing *listing = context;
    const char *given = jdoc_value_text(value);
    cleanup_free char *name = text_visible(key);
    cleanup_free char *command = text_visible(given != NULL ? given : "?");

    sheet_label_once(listing->label, listing->is_first);
    sheet_pad(name, SHEET_LABEL);
    printf(" %s\n", command);
    listing->is_first = false;
}

/* "pg 1.5.4*": the mark of a native gem is explained in the heading. */
static char *gem_text(const struct jdoc *gem)
{
    cleanup_free char *name = text_visible(jdoc_text_or(gem, "name", "?"));
    cleanup_free char *version = text_visible(jdoc_text_or(gem, "version", "?"));

    return xasprintf("%s %s%s", name, version, jdoc_bool(gem, "native") ? "*" : "");
}

/* Gems run on like words of a text: an application has a hundred of them. */
static void print_gems(const struct jdoc *gems)
{
    size_t count = jdoc_count(gems);
    size_t native = 0;
    size_t column = 0;

    for (size_t i = 0; i < count; i++)
        native += jdoc_bool(jdoc_at(gems, i), "native");
    sheet_label("gems");
    printf("%zu, %zu of them native (*)\n", count, native);
    for (size_t i = 0; i < count; i++) {
        cleanup_free char *text = gem_text(jdoc_at(gems, i));
        size_t width = sheet_width(text) + 2;

        if (column == 0 || column + width > LINE_WIDTH) {
            printf("%s%*s", column > 0 ? ",\n" : "", SHEET_LABEL, "");
            column = SHEET_LABEL;
        } else {
            fputs(", ", stdout);
        }
        fputs(text, stdout);
        column += width;
    }
    if (count > 0)
        putchar('\n');
}

static size_t widest_name(const struct jdoc *libraries)
{
    size_t widest = 0;

    for (size_t i = 0; i < jdoc_count(libraries); i++) {
        cleanup_free char *name = text_visible(jdoc_text_or(jdoc_at(libraries, i), "name", "?"));
        size_t width = sheet_width(name);

        widest = width > widest ? width : widest;
    }
    return widest < COLUMN_MAX ? widest : COLUMN_MAX;
}

static void print_libraries(const struct jdoc *libraries)
{
    size_t width = widest_name(libraries);

    sheet_label("libraries");
    printf("%zu\n", jdoc_count(libraries));
    for (size_t i = 0; i < jdoc_count(libraries); i++) {
        const struct jdoc *library = jdoc_at(libraries, i);
        cleanup_free char *name = text_visible(jdoc_text_or(library, "name", "?"));
        cleanup_free char *reason = text_visible(jdoc_text_or(library, "reason", ""));
        cleanup_free char *size = report_size(bytes_of(jdoc_number(library, "bytes")));

        sheet_label("");
        sheet_pad(name, width);
        printf("%10s  %s", size, reason);
        print_package(library);
        putchar('\n');
    }
}

/* "x86-64-v3, asked for by libfast.so": what the loader will refuse to do without. */
static void print_requires(const struct jdoc *requires)
{
    cleanup_free char *cpu = text_visible(jdoc_text_or(requires, "cpu", ""));
    cleanup_free char *cpu_of = text_visible(jdoc_text_or(requires, "cpu_of", "?"));
    cleanup_free char *version = text_visible(jdoc_text_or(requires, "linux", "?"));

    sheet_label("requires");
    if (cpu[0] != '\0')
        printf("a CPU of %s for %s, ", cpu, cpu_of);
    printf("Linux %s\n", version);
}

static void print_lines(const char *label, const struct jdoc *lines)
{
    for (size_t i = 0; i < jdoc_count(lines); i++) {
        const char *given = jdoc_text_at(lines, i);
        cleanup_free char *line = text_visible(given != NULL ? given : "?");

        sheet_label_once(label, i == 0);
        printf("%s\n", line);
    }
}

/* One class of state: "storage (data)". */
static void print_state(const char *class, const struct jdoc *paths, void *context)
{
    struct listing *listing = context;

    for (size_t i = 0; i < jdoc_count(paths); i++) {
        const char *given = jdoc_text_at(paths, i);
        cleanup_free char *path = text_visible(given != NULL ? given : "?");
        cleanup_free char *shown = text_visible(class);

        sheet_label_once(listing->label, listing->is_first);
        listing->is_first = false;
        printf("%s (%s)\n", path, shown);
    }
}

void details_print_time(const struct jdoc *manifest)
{
    cleanup_free char *time = sheet_time(jdoc_number(manifest, "time"));

    if (time == NULL)
        return;
    sheet_label("newest");
    puts(time);
}

static void print_source(const struct jdoc *source)
{
    cleanup_free char *revision = text_visible(jdoc_text_or(source, "revision", ""));

    if (revision[0] == '\0')
        return;
    sheet_label("source");
    printf("%s%s\n", revision, jdoc_bool(source, "modified") ? ", with changes" : "");
}

void details_print(const struct bundle *bundle, const struct jdoc *manifest)
{
    struct listing parts = {.label = "unpacked", .is_first = true};
    struct listing left_out = {.label = "left out", .is_first = true};
    struct listing processes = {.label = "processes", .is_first = true};
    struct listing state = {.label = "state", .is_first = true};

    print_file(bundle, manifest);
    details_print_time(manifest);
    print_source(jdoc_member(manifest, "source"));
    print_requires(jdoc_member(manifest, "requires"));
    print_ruby(jdoc_member(manifest, "ruby"));
    jdoc_each(jdoc_member(manifest, "parts"), print_part, &parts);
    jdoc_each(jdoc_member(manifest, "left_out"), print_left_out, &left_out);
    jdoc_each(jdoc_member(manifest, "processes"), print_process, &processes);
    jdoc_each(jdoc_member(manifest, "state"), print_state, &state);
    print_gems(jdoc_member(manifest, "gems"));
    print_libraries(jdoc_member(manifest, "libraries"));
    print_lines("edited", jdoc_member(manifest, "edited"));
    print_lines("warnings", jdoc_member(manifest, "warnings"));
}
