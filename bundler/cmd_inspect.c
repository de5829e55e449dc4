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

#include "bundler/appimage.h"
#include "bundler/bundle.h"
#include "bundler/command.h"
#include "bundler/details.h"
#include "bundler/facts.h"
#include "bundler/image.h"
#include "bundler/jdoc.h"
#include "bundler/listing.h"
#include "bundler/manifest.h"
#include "bundler/page.h"
#include "bundler/report.h"
#include "bundler/sbom.h"
#include "bundler/sheet.h"
#include "bundler/summary.h"
#include "bundler/weight.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/format.h"
#include "common/text.h"

enum { COLUMN_MAX = 32 };

struct inspect_options {
    bool all;
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
    {"all", 0, OPTION_FLAG, offsetof(struct inspect_options, all), NULL,
     "all gems, libraries and warnings, however many lines that are"},
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

    if (sbom == NULL)
        return false;
    if (!only_licenses) {
        jdoc_print(sbom);
        return true;
    }
    print_licenses(sbom);
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
    details_print_time(manifest);
    sheet_label("age");
    printf("%lld day%s\n", (long long)days, days == 1 ? "" : "s");
    if (days <= most)
        return true;
    (void)err_set(err, ERR_CHECK, "nothing in '%s' is newer than %lld days", bundle->path,
                  (long long)days);
    (void)err_id(err, "E-AGE");
    return err_hint(err, "update Ruby, gems and packages where it is built, and build it again");
}

static void print_weight(const struct weight *weight, size_t width, uint64_t most)
{
    cleanup_free char *name = text_visible(weight->name);
    cleanup_free char *packed = report_size(weight->packed);
    cleanup_free char *bytes = report_size(weight->bytes);
    cleanup_free char *bar = sheet_bar(weight->packed, most);

    sheet_pad(weight->part, SHEET_LABEL);
    sheet_pad(name, width);
    printf("%10s%10s  %s\n", packed, bytes, bar);
}

static void print_sizes(const struct weights *weights)
{
    uint64_t most = weights->count > 0 ? weights->items[0].packed : 0;
    size_t width = 0;

    for (size_t i = 0; i < weights->count; i++) {
        cleanup_free char *name = text_visible(weights->items[i].name);

        width = sheet_width(name) > width ? sheet_width(name) : width;
    }
    width = width < COLUMN_MAX ? width : COLUMN_MAX;
    sheet_pad("", SHEET_LABEL + width);
    printf("%10s%10s\n", "in file", "unpacked");
    for (size_t i = 0; i < weights->count; i++)
        print_weight(&weights->items[i], width, most);
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
    jdoc_set(manifest, "sizes", weights_json(weights));
}

static void add_fact(const char *key, const struct jdoc *value, void *context)
{
    jdoc_set_shared(context, key, value);
}

/* What one needs to know beside the manifest: for programs. */
static bool add_facts(const struct bundle *bundle, struct image *image, struct jdoc *manifest,
                      struct err *err)
{
    struct jdoc *facts = facts_of(bundle, image, err);

    if (facts == NULL)
        return false;
    jdoc_each(facts, add_fact, manifest);
    jdoc_free(facts);
    return true;
}

static bool complete(const struct bundle *bundle, bool only_sizes, struct jdoc *manifest,
                     struct weights *ret, struct err *err)
{
    struct image *image = NULL;
    bool ok = bundle_open_image(bundle, &image, err) && weights_read(ret, image, manifest, err);

    if (ok && !only_sizes) {
        add_figures(bundle, ret, manifest);
        ok = add_facts(bundle, image, manifest, err);
    }
    image_free(image);
    return ok || err_wrap(err, "'%s'", bundle->path);
}

/* Takes the manifest. */
static bool show_document(const struct bundle *bundle, const struct inspect_options *given,
                          struct jdoc *manifest, struct err *err)
{
    cleanup_with(weights_release) struct weights weights = {0};
    bool ok = complete(bundle, given->sizes, manifest, &weights, err);

    if (ok && given->json) {
        jdoc_print(manifest);
        return true;
    }
    if (ok && given->sizes)
        print_sizes(&weights);
    else if (ok)
        ok = page_save(bundle, manifest, given->html, err);
    jdoc_free(manifest);
    return ok;
}

static bool show_manifest(const struct bundle *bundle, const struct inspect_options *given,
                          struct err *err)
{
    struct jdoc *manifest = manifest_read(bundle, err);
    bool ok = manifest != NULL;

    if (ok && (given->json || given->sizes || given->html != NULL))
        return show_document(bundle, given, manifest, err);
    if (ok && given->age != NULL)
        ok = check_age(bundle, manifest, given->age, err);
    else if (ok && given->all)
        details_print(bundle, manifest);
    else if (ok)
        ok = summary_print(bundle, manifest, err);
    jdoc_free(manifest);
    return ok;
}

static bool show_tree(const struct bundle *bundle, unsigned int depth, struct err *err)
{
    struct image *image = NULL;
    bool ok = bundle_open_image(bundle, &image, err) && listing_print(image, depth, err);

    image_free(image);
    return ok || err_wrap(err, "'%s'", bundle->path);
}

static bool show(const struct bundle *bundle, const struct inspect_options *given, struct err *err)
{
    if (given->tree)
        return show_tree(bundle, given->depth, err);
    if (given->sbom || given->licenses)
        return show_sbom(bundle, given->licenses, err);
    return show_manifest(bundle, given, err);
}

/* ---- AppImages of others ---- */

static bool show_appimage_sizes(const struct appimage *appimage, struct err *err)
{
    cleanup_with(weights_release) struct weights weights = {0};

    if (!weights_read(&weights, appimage->image, NULL, err))
        return false;
    print_sizes(&weights);
    return true;
}

static bool show_appimage(const struct appimage *appimage, const struct inspect_options *given,
                          struct err *err)
{
    if (given->sbom || given->licenses || given->age != NULL || given->html != NULL) {
        (void)err_set(err, ERR_INPUT, "'%s' was made by another tool, and has no manifest",
                      appimage->path);
        (void)err_id(err, "E-BUNDLE");
        return err_hint(err, "there are: no option, --all, --json, --sizes, --tree");
    }
    if (given->json) {
        struct jdoc *document = summary_of_appimage(appimage, err);

        if (document == NULL)
            return false;
        jdoc_print(document);
        return true;
    }
    if (given->tree || given->sizes)
        return (given->tree ? listing_print(appimage->image, given->depth, err)
                            : show_appimage_sizes(appimage, err)) ||
               err_wrap(err, "'%s', an AppImage of another tool", appimage->path);
    return summary_print_appimage(appimage, err);
}

/* What is no bundle may be one of them; if it is not, err has said what it is. */
static bool inspect_other(const char *path, const struct inspect_options *given, struct err *err)
{
    struct appimage appimage = {.fd = -1};
    struct err why = {0};
    bool is_one = false;
    bool ok;

    if (strcmp(err->id, "E-BUNDLE") != 0 && strcmp(err->id, "E-TRUNCATED") != 0)
        return false;
    if (!appimage_open(&appimage, path, &is_one, &why)) {
        if (is_one)
            *err = why;
        return false;
    }
    *err = (struct err){0};
    ok = show_appimage(&appimage, given, err);
    appimage_close(&appimage);
    return ok;
}

static bool run(const struct command_args *args, struct err *err)
{
    const struct inspect_options *given = args->options;
    const char *path = args->operands[0];
    struct bundle bundle;
    bool ok;

    if (given->all + given->json + given->sizes + given->tree + given->sbom + given->licenses +
            (given->age != NULL) + (given->html != NULL) >
        1)
        return err_set(
            err, ERR_USAGE,
            "inspect: --all, --json, --sizes, --tree, --html, --sbom, --licenses, --age: one of "
            "them");
    if (!bundle_open(&bundle, path, err))
        return inspect_other(path, given, err);
    ok = show(&bundle, given, err);
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
                "  rucksack inspect --all blog-x86_64.AppImage\n"
                "  rucksack inspect --sizes blog-x86_64.AppImage\n"
                "  rucksack inspect --html blog.html blog-x86_64.AppImage\n"
                "  rucksack inspect --json blog-x86_64.AppImage\n"
                "  rucksack inspect --age 30 blog-x86_64.AppImage\n",
    .run = run,
};
