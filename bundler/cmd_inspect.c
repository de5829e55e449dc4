/* SPDX-License-Identifier: MIT */
/*
 * `rucksack inspect FILE`: what is in a bundle and why, from its manifest. Nothing of the bundle
 * runs, and no string of it reaches the terminal before it was made visible.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bundler/bundle.h"
#include "bundler/command.h"
#include "bundler/elf.h"
#include "bundler/image.h"
#include "bundler/jdoc.h"
#include "bundler/listing.h"
#include "bundler/manifest.h"
#include "bundler/page.h"
#include "bundler/report.h"
#include "bundler/sbom.h"
#include "bundler/weight.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/format.h"
#include "common/text.h"
#include "common/xalloc.h"

enum { LABEL_WIDTH = 11, LINE_WIDTH = 96, COLUMN_MAX = 32, BAR_WIDTH = 24 };

struct inspect_options {
    bool json;
    bool sbom;
    bool licenses;
    const char *age;
    bool sizes;
    bool tree;
    unsigned int depth;
    const char *html;
};

static const struct inspect_options defaults = {.depth = 3};

static const struct option_entry options[] = {
    {"json", 0, OPTION_FLAG, offsetof(struct inspect_options, json), NULL,
     "one JSON document on stdout"},
    {"sbom", 0, OPTION_FLAG, offsetof(struct inspect_options, sbom), NULL,
     "the bill of materials: CycloneDX 1.5, JSON"},
    {"licenses", 0, OPTION_FLAG, offsetof(struct inspect_options, licenses), NULL,
     "the licences of Ruby, gems and packages, and where their texts are"},
    {"age", 0, OPTION_TEXT, offsetof(struct inspect_options, age), "DAYS",
     "exit code 3 when nothing in it is newer than so many days"},
    {"sizes", 0, OPTION_FLAG, offsetof(struct inspect_options, sizes), NULL,
     "what each gem, library and directory weighs in the file"},
    {"tree", 0, OPTION_FLAG, offsetof(struct inspect_options, tree), NULL,
     "directories and files with what they weigh in the file"},
    {"depth", 0, OPTION_COUNT, offsetof(struct inspect_options, depth), "N",
     "so many levels of the tree (default: 3)"},
    {"html", 0, OPTION_TEXT, offsetof(struct inspect_options, html), "PAGE",
     "write all of it as one page for a browser; - is stdout"},
    {.type = OPTION_END},
};

/* Columns of a visible text: characters, as wide as they are nearly everywhere. */
static size_t width_of(const char *text)
{
    size_t width = 0;

    for (; *text != '\0'; text++)
        width += ((unsigned char)*text & 0xC0) != 0x80;
    return width;
}

static void print_padded(const char *text, size_t width)
{
    size_t used = width_of(text);

    printf("%s%*s", text, used < width ? (int)(width - used) : 0, "");
}

static void print_label(const char *label)
{
    print_padded(label, LABEL_WIDTH);
}

/* The first line of a list carries its label, the others are indented. */
static void print_label_once(const char *label, bool is_first)
{
    print_label(is_first ? label : "");
}

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

    print_label("name");
    printf("%s%s%s\n", header->name, version[0] != '\0' ? " " : "", version);
    print_label("kind");
    printf("%s, format %u, %s\n", header->kind == FORMAT_KIND_CLI ? "cli" : "app", header->version,
           elf_machine_name(bundle->machine));
    print_label("file");
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

    print_label("ruby");
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

    print_label_once(listing->label, listing->is_first);
    print_padded(name, LABEL_WIDTH);
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

    print_label_once(listing->label, listing->is_first);
    print_padded(name, LABEL_WIDTH + 3);
    printf("%10s in %llu file%s\n", size, (unsigned long long)files, files == 1 ? "" : "s");
    listing->is_first = false;
}

static void print_process(const char *key, const struct jdoc *value, void *context)
{
    struct listing *listing = context;
    const char *given = jdoc_value_text(value);
    cleanup_free char *name = text_visible(key);
    cleanup_free char *command = text_visible(given != NULL ? given : "?");

    print_label_once(listing->label, listing->is_first);
    print_padded(name, LABEL_WIDTH);
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
    print_label("gems");
    printf("%zu, %zu of them native (*)\n", count, native);
    for (size_t i = 0; i < count; i++) {
        cleanup_free char *text = gem_text(jdoc_at(gems, i));
        size_t width = width_of(text) + 2;

        if (column == 0 || column + width > LINE_WIDTH) {
            printf("%s%*s", column > 0 ? ",\n" : "", LABEL_WIDTH, "");
            column = LABEL_WIDTH;
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
        size_t width = width_of(name);

        widest = width > widest ? width : widest;
    }
    return widest < COLUMN_MAX ? widest : COLUMN_MAX;
}

static void print_libraries(const struct jdoc *libraries)
{
    size_t width = widest_name(libraries);

    print_label("libraries");
    printf("%zu\n", jdoc_count(libraries));
    for (size_t i = 0; i < jdoc_count(libraries); i++) {
        const struct jdoc *library = jdoc_at(libraries, i);
        cleanup_free char *name = text_visible(jdoc_text_or(library, "name", "?"));
        cleanup_free char *reason = text_visible(jdoc_text_or(library, "reason", ""));
        cleanup_free char *size = report_size(bytes_of(jdoc_number(library, "bytes")));

        print_label("");
        print_padded(name, width);
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

    print_label("requires");
    if (cpu[0] != '\0')
        printf("a CPU of %s for %s, ", cpu, cpu_of);
    printf("Linux %s\n", version);
}

static void print_lines(const char *label, const struct jdoc *lines)
{
    for (size_t i = 0; i < jdoc_count(lines); i++) {
        const char *given = jdoc_text_at(lines, i);
        cleanup_free char *line = text_visible(given != NULL ? given : "?");

        print_label_once(label, i == 0);
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

        print_label_once(listing->label, listing->is_first);
        listing->is_first = false;
        printf("%s (%s)\n", path, shown);
    }
}

static void print_time(const struct jdoc *manifest)
{
    time_t seconds = (time_t)jdoc_number(manifest, "time");
    struct tm parts;
    char text[sizeof("2026-01-01 00:00")];

    if (seconds <= 0 || seconds > UINT32_MAX || gmtime_r(&seconds, &parts) == NULL ||
        strftime(text, sizeof(text), "%Y-%m-%d %H:%M", &parts) == 0)
        return;
    print_label("newest");
    printf("%s UTC\n", text);
}

static void print_source(const struct jdoc *source)
{
    cleanup_free char *revision = text_visible(jdoc_text_or(source, "revision", ""));

    if (revision[0] == '\0')
        return;
    print_label("source");
    printf("%s%s\n", revision, jdoc_bool(source, "modified") ? ", with changes" : "");
}

/* " MIT", or " ?" */
static void print_license_names(const struct jdoc *licenses)
{
    for (size_t i = 0; i < jdoc_count(licenses); i++) {
        const struct jdoc *license = jdoc_member(jdoc_at(licenses, i), "license");
        cleanup_free char *name = text_visible(jdoc_text_or(license, "name", "?"));

        printf("%s%s", i > 0 ? "; " : "", name);
    }
    puts(jdoc_count(licenses) == 0 ? "not named" : "");
}

static void print_licenses(const struct jdoc *sbom)
{
    const struct jdoc *components = jdoc_member(sbom, "components");

    for (size_t i = 0; i < jdoc_count(components); i++) {
        const struct jdoc *component = jdoc_at(components, i);
        const struct jdoc *properties = jdoc_member(component, "properties");
        cleanup_free char *url = text_visible(jdoc_text_or(component, "purl", ""));

        if (url[0] == '\0')
            continue;
        printf("%s: ", url);
        print_license_names(jdoc_member(component, "licenses"));
        for (size_t j = 0; j < jdoc_count(properties); j++) {
            const struct jdoc *property = jdoc_at(properties, j);
            cleanup_free char *file = text_visible(jdoc_text_or(property, "value", ""));

            if (strcmp(jdoc_text_or(property, "name", ""), SBOM_LICENSE_FILE) == 0)
                printf("    /%s\n", file);
        }
    }
}

static bool show_sbom(const struct bundle *bundle, bool only_licenses, struct err *err)
{
    struct jdoc *sbom = manifest_read_sbom(bundle, err);
    cleanup_free char *text = NULL;

    if (sbom == NULL)
        return false;
    if (only_licenses) {
        print_licenses(sbom);
    } else {
        text = jdoc_format(sbom);
        fputs(text, stdout);
    }
    jdoc_free(sbom);
    return true;
}

/* Of its newest file, Ruby's and the system's included: since then no update got in. */
static bool check_age(const struct bundle *bundle, const struct jdoc *manifest, const char *given,
                      struct err *err)
{
    int64_t newest = jdoc_number(manifest, "time");
    int64_t days = ((int64_t)time(NULL) - newest) / (24 * 60 * 60);
    char *end;
    long most;

    errno = 0;
    most = strtol(given, &end, 10);
    if (errno != 0 || *end != '\0' || given[0] < '0' || given[0] > '9')
        return err_set(err, ERR_USAGE, "option '--age': '%.100s' is no number of days", given);
    if (newest <= 0) {
        (void)err_set(err, ERR_INPUT, "'%s' does not say how old it is", bundle->path);
        (void)err_id(err, "E-IMAGE");
        return err_hint(err, "build the bundle again with this version");
    }
    print_time(manifest);
    print_label("age");
    printf("%lld day%s\n", (long long)days, days == 1 ? "" : "s");
    if (days <= most)
        return true;
    (void)err_set(err, ERR_CHECK, "nothing in '%s' is newer than %lld days", bundle->path,
                  (long long)days);
    (void)err_id(err, "E-AGE");
    return err_hint(err, "update Ruby, gems and packages where it is built, and build it again");
}

static void print_text(const struct bundle *bundle, const struct jdoc *manifest)
{
    struct listing parts = {.label = "unpacked", .is_first = true};
    struct listing left_out = {.label = "left out", .is_first = true};
    struct listing processes = {.label = "processes", .is_first = true};
    struct listing state = {.label = "state", .is_first = true};

    print_file(bundle, manifest);
    print_time(manifest);
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

/* The heaviest has the whole width, and whatever is there at all one mark. */
static void print_bar(uint64_t bytes, uint64_t most)
{
    uint64_t marks = most > 0 ? (bytes * BAR_WIDTH + most - 1) / most : 0;

    while (marks-- > 0)
        putchar('#');
    putchar('\n');
}

static void print_weight(const struct weight *weight, size_t width, uint64_t most)
{
    cleanup_free char *name = text_visible(weight->name);
    cleanup_free char *packed = report_size(weight->packed);
    cleanup_free char *bytes = report_size(weight->bytes);

    print_padded(weight->part, LABEL_WIDTH);
    print_padded(name, width);
    printf("%10s%10s  ", packed, bytes);
    print_bar(weight->packed, most);
}

static void print_sizes(const struct weights *weights)
{
    uint64_t most = weights->count > 0 ? weights->items[0].packed : 0;
    size_t width = 0;

    for (size_t i = 0; i < weights->count; i++) {
        cleanup_free char *name = text_visible(weights->items[i].name);

        width = width_of(name) > width ? width_of(name) : width;
    }
    width = width < COLUMN_MAX ? width : COLUMN_MAX;
    print_padded("", LABEL_WIDTH + width);
    printf("%10s%10s\n", "in file", "unpacked");
    for (size_t i = 0; i < weights->count; i++)
        print_weight(&weights->items[i], width, most);
}

static struct jdoc *sizes_of(const struct weights *weights)
{
    struct jdoc *sizes = jdoc_array();

    for (size_t i = 0; i < weights->count; i++) {
        const struct weight *weight = &weights->items[i];
        struct jdoc *one = jdoc_object();

        jdoc_set_text(one, "name", weight->name);
        jdoc_set_text(one, "part", weight->part);
        jdoc_set_number(one, "files", (int64_t)weight->files);
        jdoc_set_number(one, "bytes", (int64_t)weight->bytes);
        jdoc_set_number(one, "packed", (int64_t)weight->packed);
        jdoc_push(sizes, one);
    }
    return sizes;
}

static bool weigh(const struct bundle *bundle, const struct jdoc *manifest, struct weights *ret,
                  struct err *err)
{
    const struct format_header *header = &bundle->header;
    struct image *image;
    bool ok;

    if (!image_open(&image, bundle->fd, header->image_offset, header->image_size, err))
        return false;
    ok = weights_read(ret, image, manifest, err);
    image_free(image);
    return ok;
}

static void add_figures(const struct bundle *bundle, const struct weights *weights,
                        struct jdoc *manifest)
{
    const struct format_header *header = &bundle->header;
    char hex[2 * FORMAT_HASH_SIZE + 1];
    struct jdoc *file = jdoc_object();

    format_hex(header->image_hash, FORMAT_HASH_SIZE, hex);
    jdoc_set_number(file, "size", (int64_t)bundle->file_size);
    jdoc_set_number(file, "image_offset", (int64_t)header->image_offset);
    jdoc_set_number(file, "image_size", (int64_t)header->image_size);
    jdoc_set_text(file, "image_hash", hex);
    jdoc_set(manifest, "file", file);
    jdoc_set(manifest, "sizes", sizes_of(weights));
}

static void print_json(const struct jdoc *manifest)
{
    cleanup_free char *text = jdoc_format(manifest);

    fputs(text, stdout);
}

static bool show(const struct bundle *bundle, const struct inspect_options *given, struct err *err)
{
    cleanup_with(weights_release) struct weights weights = {0};
    struct jdoc *manifest;
    bool ok = true;

    if (given->sbom || given->licenses)
        return show_sbom(bundle, given->licenses, err);
    manifest = manifest_read(bundle, err);
    if (manifest == NULL)
        return false;
    if (given->json || given->sizes || given->html != NULL)
        ok = weigh(bundle, manifest, &weights, err);
    if (ok && (given->json || given->html != NULL))
        add_figures(bundle, &weights, manifest);
    if (ok && given->age != NULL)
        ok = check_age(bundle, manifest, given->age, err);
    else if (ok && given->html != NULL)
        ok = page_save(bundle, manifest, given->html, err);
    else if (ok && given->json)
        print_json(manifest);
    else if (ok && given->sizes)
        print_sizes(&weights);
    else if (ok)
        print_text(bundle, manifest);
    jdoc_free(manifest);
    return ok;
}

static bool run(const struct command_args *args, struct err *err)
{
    const struct inspect_options *given = args->options;
    struct bundle bundle;
    bool ok;

    if (given->json + given->sizes + given->tree + given->sbom + given->licenses +
            (given->age != NULL) + (given->html != NULL) >
        1)
        return err_set(
            err, ERR_USAGE,
            "inspect: --json, --sizes, --tree, --html, --sbom, --licenses, --age: one of "
            "them");
    if (!bundle_open(&bundle, args->operands[0], err))
        return false;
    ok = given->tree ? listing_print(&bundle, given->depth, err) : show(&bundle, given, err);
    bundle_close(&bundle);
    return ok;
}

const struct command cmd_inspect = {
    .name = "inspect",
    .summary = "show what is in a bundle and why",
    .operands = "FILE",
    .operands_min = 1,
    .operands_max = 1,
    .options = options,
    .options_size = sizeof(struct inspect_options),
    .defaults = &defaults,
    .examples = "  rucksack inspect blog-x86_64.AppImage\n"
                "  rucksack inspect --sizes blog-x86_64.AppImage\n"
                "  rucksack inspect --html blog.html blog-x86_64.AppImage\n"
                "  rucksack inspect --json blog-x86_64.AppImage\n"
                "  rucksack inspect --age 30 blog-x86_64.AppImage\n",
    .run = run,
};
