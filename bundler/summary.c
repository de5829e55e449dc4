/* SPDX-License-Identifier: MIT */
#include "bundler/summary.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bundler/appimage.h"
#include "bundler/bundle.h"
#include "bundler/elf.h"
#include "bundler/facts.h"
#include "bundler/image.h"
#include "bundler/jdoc.h"
#include "bundler/manifest.h"
#include "bundler/report.h"
#include "bundler/sheet.h"
#include "bundler/weight.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/text.h"
#include "common/xalloc.h"

enum {
    TEXT_WIDTH = SUMMARY_COLUMNS - SHEET_LABEL,
    PROCESSES_MAX = 4,
    STATES_MAX = 5,
    WARNINGS_MAX = 3,
    WEIGHTS_MAX = 14, /* of a foreign image */
    NAME_WIDTH = 26,  /* of a library */
};

static const char unknown_time[] = "at an unknown time";

/* Lines before they are printed: how many there are decides how long the lists may be. */
struct line {
    char *label;
    char *text; /* visible, at most TEXT_WIDTH wide */
};

struct lines {
    struct line *items;
    size_t count;
    size_t capacity;
};

static void lines_release(struct lines *lines)
{
    for (size_t i = 0; i < lines->count; i++) {
        free(lines->items[i].label);
        free(lines->items[i].text);
    }
    free(lines->items);
}

[[gnu::format(printf, 3, 4)]] static void add(struct lines *lines, const char *label,
                                              const char *fmt, ...)
{
    char *given;
    cleanup_free char *visible = NULL;
    va_list args;

    va_start(args, fmt);
    given = xvasprintf(fmt, args);
    va_end(args);
    visible = text_visible(given);
    free(given);
    lines->items = xgrow(lines->items, &lines->capacity, lines->count, sizeof(*lines->items));
    lines->items[lines->count++] = (struct line){xstrdup(label), sheet_cut(visible, TEXT_WIDTH)};
}

static void print_lines(const struct lines *lines)
{
    for (size_t i = 0; i < lines->count; i++) {
        sheet_label(lines->items[i].label);
        puts(lines->items[i].text);
    }
}

/* What is known of one bundle. */
struct view {
    const struct bundle *bundle;
    const struct jdoc *manifest;
    struct jdoc *facts;
    struct jdoc *sbom; /* NULL: it has none */
    struct weights weights;
};

static void view_release(struct view *view)
{
    jdoc_free(view->facts);
    jdoc_free(view->sbom);
    weights_release(&view->weights);
}

static bool view_read(struct view *view, struct err *err)
{
    struct image *image = NULL;
    bool ok = bundle_open_image(view->bundle, &image, err);

    if (ok)
        view->facts = facts_of(view->bundle, image, err);
    ok = view->facts != NULL && weights_read(&view->weights, image, view->manifest, err) &&
         (!image_has(image, FORMAT_SBOM) ||
          (view->sbom = manifest_document(image, FORMAT_SBOM, err)) != NULL);
    image_free(image);
    return ok || err_wrap(err, "'%s'", view->bundle->path);
}

/* ---- the file ---- */

static void add_name(struct lines *lines, const struct view *view)
{
    const struct format_header *header = &view->bundle->header;
    const char *version = jdoc_text_or(view->manifest, "version", "");

    add(lines, "name", "%s%s%s, %s", header->name, version[0] != '\0' ? " " : "", version,
        header->kind == FORMAT_KIND_CLI ? "a command: every argument is the program's"
                                        : "an application");
}

static void add_file(struct lines *lines, const struct view *view)
{
    const struct bundle *bundle = view->bundle;
    const struct format_header *header = &bundle->header;
    uint64_t end = header->image_offset + header->image_size;
    cleanup_free char *size = report_size(bundle->file_size);
    cleanup_free char *image = report_size(header->image_size);
    cleanup_free char *more = report_size(bundle->file_size - end);

    add(lines, "file", "%s for %s: stub %llu kB, image %s", size, elf_machine_name(bundle->machine),
        (unsigned long long)header->image_offset / 1000, image);
    if (bundle->file_size > end)
        add(lines, "", "and %s behind it: a snapshot of a state, which it carries", more);
}

static void add_signature(struct lines *lines, const struct view *view)
{
    const struct jdoc *signature = jdoc_member(view->facts, "signature");

    if (!jdoc_bool(signature, "signed")) {
        add(lines, "signed", "%s",
            jdoc_bool(signature, "minisig") ? "only by the file .minisig beside it: verify -p KEY"
                                            : "by nobody");
        return;
    }
    add(lines, "signed", "%s", jdoc_text_or(signature, "key", "?"));
    if (jdoc_bool(signature, "valid"))
        add(lines, "", "\"%s\"; whose key it is, ask them", jdoc_text_or(signature, "comment", ""));
    else
        add(lines, "", "AND DOES NOT FIT: do not run it. See rucksack verify");
}

static char *age_text(int64_t given)
{
    int64_t days = ((int64_t)time(NULL) - given) / (24 * 60 * 60);

    if (given <= 0 || days < 0)
        return xstrdup("in the future");
    return days == 0 ? xstrdup("today")
                     : xasprintf("%lld day%s ago", (long long)days, days == 1 ? "" : "s");
}

static void add_origin(struct lines *lines, const struct view *view)
{
    int64_t seconds = jdoc_number(view->manifest, "time");
    const struct jdoc *source = jdoc_member(view->manifest, "source");
    const char *revision = jdoc_text_or(source, "revision", "");
    cleanup_free char *newest = sheet_time(seconds);
    cleanup_free char *age = age_text(seconds);

    add(lines, "newest", "file of %s, %s", newest != NULL ? newest : unknown_time, age);
    if (revision[0] != '\0')
        add(lines, "source", "%s%s", revision,
            jdoc_bool(source, "modified") ? ", with changes" : "");
}

static void add_needs(struct lines *lines, const struct view *view)
{
    const struct jdoc *requires = jdoc_member(view->manifest, "requires");
    const char *cpu = jdoc_text_or(requires, "cpu", "");

    if (cpu[0] == '\0')
        add(lines, "needs", "Linux %s or newer, any %s CPU", jdoc_text_or(requires, "linux", "?"),
            elf_machine_name(view->bundle->machine));
    else
        add(lines, "needs", "Linux %s or newer, a CPU of %s, which this asks for:",
            jdoc_text_or(requires, "linux", "?"), cpu);
    if (cpu[0] != '\0')
        add(lines, "", "%s", jdoc_text_or(requires, "cpu_of", "?"));
}

static void add_ruby(struct lines *lines, const struct view *view)
{
    const struct jdoc *ruby = jdoc_member(view->manifest, "ruby");
    const char *package = jdoc_text_or(ruby, "package", "");
    const char *version = jdoc_text_or(ruby, "package_version", "");

    if (package[0] != '\0')
        add(lines, "ruby", "%s from package %s%s%s", jdoc_text_or(ruby, "version", "?"), package,
            version[0] != '\0' ? " " : "", version);
    else
        add(lines, "ruby", "%s from %s", jdoc_text_or(ruby, "version", "?"),
            jdoc_text_or(ruby, "source", "?"));
}

/* ---- what it does ---- */

/* A list that is cut after so many. */
struct cut {
    struct lines *lines;
    const char *label;
    size_t shown;
    size_t most;
    size_t count;
};

static void add_more(const struct cut *cut)
{
    if (cut->count > cut->shown)
        add(cut->lines, "", "and %zu more: --all", cut->count - cut->shown);
}

static void add_process(const char *name, const struct jdoc *command, void *context)
{
    const char *text = jdoc_value_text(command);
    struct cut *cut = context;

    if (cut->count++ >= cut->most)
        return;
    add(cut->lines, cut->shown++ == 0 ? cut->label : "", "%s: %s", name, text != NULL ? text : "?");
}

static void add_ports(struct lines *lines, const struct view *view)
{
    const struct jdoc *ports = jdoc_member(view->facts, "ports");
    const char *health = jdoc_text_or(view->facts, "health", "");
    size_t count = jdoc_count(ports) < PROCESSES_MAX ? jdoc_count(ports) : PROCESSES_MAX;

    for (size_t i = 0; i < count; i++) {
        const struct jdoc *port = jdoc_at(ports, i);
        const char *usual = jdoc_text(port, "default");
        bool is_variable = jdoc_text(port, "variable") != NULL;

        add(lines, i == 0 ? "ports" : "", "%s: %s%s%s", jdoc_text_or(port, "process", "?"),
            is_variable ? "PORT" : "", is_variable && usual != NULL ? ", else " : "",
            usual != NULL ? usual : ", else what its server takes");
    }
    if (health[0] != '\0')
        add(lines, "health", "GET %s", health);
}

static char *joined(const struct jdoc *list)
{
    char *text = xstrdup("");

    for (size_t i = 0; i < jdoc_count(list); i++) {
        const char *item = jdoc_text_at(list, i);

        text_join(&text, ", ", item != NULL ? item : "?");
    }
    return text;
}

static void add_state(const char *class, const struct jdoc *paths, void *context)
{
    cleanup_free char *list = joined(paths);
    struct cut *cut = context;

    if (jdoc_count(paths) == 0 || cut->count++ >= cut->most)
        return;
    add(cut->lines, cut->shown++ == 0 ? cut->label : "", "%-7s %s", class, list);
}

static void add_states(struct lines *lines, const struct view *view)
{
    struct cut cut = {.lines = lines, .label = "state", .most = STATES_MAX};

    jdoc_each(jdoc_member(view->manifest, "state"), add_state, &cut);
    if (cut.count == 0)
        add(lines, "state", "none: it keeps nothing");
    else
        add(lines, "", "in %s.state beside the file, or where RUCKSACK_STATE says",
            view->bundle->header.name);
}

static void add_behaviour(struct lines *lines, const struct view *view)
{
    struct cut cut = {.lines = lines, .label = "processes", .most = PROCESSES_MAX};
    cleanup_free char *secrets = joined(jdoc_member(view->facts, "secrets"));

    jdoc_each(jdoc_member(view->manifest, "processes"), add_process, &cut);
    add_more(&cut);
    add_ports(lines, view);
    add_states(lines, view);
    if (secrets[0] != '\0')
        add(lines, "secrets", "%s", secrets);
}

static void add_warnings(struct lines *lines, const struct view *view)
{
    const struct jdoc *warnings = jdoc_member(view->manifest, "warnings");
    struct cut cut = {.lines = lines, .count = jdoc_count(warnings)};

    for (; cut.shown < cut.count && cut.shown < WARNINGS_MAX; cut.shown++) {
        const char *text = jdoc_text_at(warnings, cut.shown);

        add(lines, cut.shown == 0 ? "warnings" : "", "%s", text != NULL ? text : "?");
    }
    add_more(&cut);
}

/* ---- what is in it ---- */

static void add_parts(struct lines *lines, const struct view *view)
{
    static const char *const parts[] = {"ruby", "libraries", "gems", "app", "runtime"};
    enum { PARTS = sizeof(parts) / sizeof(parts[0]) };
    uint64_t packed[PARTS] = {0};
    uint64_t bytes[PARTS] = {0};
    uint64_t most = 0;

    for (size_t i = 0; i < view->weights.count; i++) {
        const struct weight *weight = &view->weights.items[i];

        for (size_t part = 0; part < PARTS; part++) {
            if (strcmp(weight->part, parts[part]) != 0)
                continue;
            packed[part] += weight->packed;
            bytes[part] += weight->bytes;
            most = packed[part] > most ? packed[part] : most;
        }
    }
    for (size_t part = 0; part < PARTS; part++) {
        cleanup_free char *size = report_size(packed[part]);
        cleanup_free char *unpacked = report_size(bytes[part]);
        cleanup_free char *bar = sheet_bar(packed[part], most);

        add(lines, part == 0 ? "sizes" : "", "%-10s%10s%10s unpacked%s%s", parts[part], size,
            unpacked, bar[0] != '\0' ? "  " : "", bar);
    }
}

/* The names of the licences, or "": the bill of materials has gems by name and version. */
static char *license_of(const struct view *view, const struct jdoc *gem)
{
    const struct jdoc *components = jdoc_member(view->sbom, "components");
    const char *name = jdoc_text_or(gem, "name", "");
    const char *version = jdoc_text_or(gem, "version", "");
    char *text = xstrdup("");

    for (size_t i = 0; i < jdoc_count(components); i++) {
        const struct jdoc *component = jdoc_at(components, i);
        const struct jdoc *licenses = jdoc_member(component, "licenses");

        if (strncmp(jdoc_text_or(component, "purl", ""), "pkg:gem/", 8) != 0 ||
            strcmp(jdoc_text_or(component, "name", ""), name) != 0 ||
            strcmp(jdoc_text_or(component, "version", ""), version) != 0)
            continue;
        for (size_t l = 0; l < jdoc_count(licenses); l++) {
            const struct jdoc *license = jdoc_member(jdoc_at(licenses, l), "license");

            text_join(&text, "/", jdoc_text_or(license, "name", "?"));
        }
        break;
    }
    return text;
}

/* Gems run on like words of a text, in lines of their own. */
static void flow_gems(struct lines *lines, const struct view *view)
{
    const struct jdoc *gems = jdoc_member(view->manifest, "gems");
    cleanup_free char *line = xstrdup("");

    for (size_t i = 0; i < jdoc_count(gems); i++) {
        const struct jdoc *gem = jdoc_at(gems, i);
        cleanup_free char *license = license_of(view, gem);
        cleanup_free char *raw =
            xasprintf("%s %s%s%s%s%s", jdoc_text_or(gem, "name", "?"),
                      jdoc_text_or(gem, "version", "?"), jdoc_bool(gem, "native") ? "*" : "",
                      license[0] != '\0' ? " " : "", license, i + 1 < jdoc_count(gems) ? "," : "");
        cleanup_free char *text = text_visible(raw);
        char *longer = xasprintf("%s%s%s", line, line[0] != '\0' ? " " : "", text);

        if (line[0] != '\0' && sheet_width(longer) > TEXT_WIDTH) {
            add(lines, "", "%s", line);
            free(longer);
            longer = xstrdup(text);
        }
        free(line);
        line = longer;
    }
    if (line[0] != '\0')
        add(lines, "", "%s", line);
}

static int by_bytes(const void *a, const void *b)
{
    const struct jdoc *left = *(const struct jdoc *const *)a;
    const struct jdoc *right = *(const struct jdoc *const *)b;
    int64_t x = jdoc_number(left, "bytes");
    int64_t y = jdoc_number(right, "bytes");

    return x != y ? (x < y) - (x > y)
                  : strcmp(jdoc_text_or(left, "name", "?"), jdoc_text_or(right, "name", "?"));
}

/* The heaviest first. */
static void list_libraries(struct lines *lines, const struct view *view)
{
    const struct jdoc *libraries = jdoc_member(view->manifest, "libraries");
    size_t count = jdoc_count(libraries);
    cleanup_free const struct jdoc **sorted = xcalloc(count + 1, sizeof(const struct jdoc *));

    for (size_t i = 0; i < count; i++)
        sorted[i] = jdoc_at(libraries, i);
    qsort(sorted, count, sizeof(const struct jdoc *), by_bytes);
    for (size_t i = 0; i < count; i++) {
        int64_t bytes = jdoc_number(sorted[i], "bytes");
        const char *package = jdoc_text(sorted[i], "package");
        cleanup_free char *size = report_size(bytes > 0 ? (uint64_t)bytes : 0);
        cleanup_free char *visible = text_visible(jdoc_text_or(sorted[i], "name", "?"));
        cleanup_free char *name = sheet_cut(visible, NAME_WIDTH);

        add(lines, "", "%s%*s%10s  %s %s", name, (int)(NAME_WIDTH - sheet_width(name)), "", size,
            package != NULL ? package : jdoc_text_or(sorted[i], "reason", ""),
            package != NULL ? jdoc_text_or(sorted[i], "package_version", "") : "");
    }
}

/* So many of them; when there are more, the last line says so. */
static void take(struct lines *to, const struct lines *from, size_t most, size_t total,
                 const char *unit)
{
    bool is_cut = from->count > most && most > 0;
    size_t shown = is_cut ? most - 1 : from->count;

    for (size_t i = 0; i < shown && i < from->count; i++)
        add(to, "", "%s", from->items[i].text);
    if (is_cut && unit == NULL)
        add(to, "", "and %zu more: --all", total - shown);
    else if (is_cut)
        add(to, "", "and more, %zu %s in all: --all", total, unit);
}

/* What is left of the screen goes to the gems and the libraries, half of it to each if need be. */
static void add_contents(struct lines *lines, const struct view *view, size_t reserved)
{
    cleanup_with(lines_release) struct lines gems = {0};
    cleanup_with(lines_release) struct lines libraries = {0};
    const struct jdoc *list = jdoc_member(view->manifest, "gems");
    size_t used = lines->count + reserved + 2;
    size_t room = used < SUMMARY_LINES ? SUMMARY_LINES - used : 2;
    size_t native = 0;
    size_t for_gems;

    for (size_t i = 0; i < jdoc_count(list); i++)
        native += jdoc_bool(jdoc_at(list, i), "native");
    flow_gems(&gems, view);
    list_libraries(&libraries, view);
    for_gems = libraries.count < room / 2 ? room - libraries.count : room - room / 2;
    for_gems = gems.count < for_gems ? gems.count : for_gems;
    add(lines, "gems", "%zu, %zu of them native (*)", jdoc_count(list), native);
    take(lines, &gems, for_gems, jdoc_count(list), "gems");
    add(lines, "libraries", "%zu", libraries.count);
    take(lines, &libraries, room - for_gems, libraries.count, NULL);
}

bool summary_print(const struct bundle *bundle, const struct jdoc *manifest, struct err *err)
{
    cleanup_with(view_release) struct view view = {.bundle = bundle, .manifest = manifest};
    cleanup_with(lines_release) struct lines lines = {0};
    cleanup_with(lines_release) struct lines warnings = {0};

    if (!view_read(&view, err))
        return false;
    add_warnings(&warnings, &view);
    add_name(&lines, &view);
    add_file(&lines, &view);
    add_signature(&lines, &view);
    add_origin(&lines, &view);
    add_needs(&lines, &view);
    add_ruby(&lines, &view);
    add_behaviour(&lines, &view);
    add_parts(&lines, &view);
    add_contents(&lines, &view, warnings.count);
    print_lines(&lines);
    print_lines(&warnings);
    return true;
}

/* ---- AppImages of others ---- */

static void add_runtime(struct lines *lines, const struct appimage *appimage)
{
    const struct image_facts *facts = &appimage->facts;
    cleanup_free char *size = report_size(appimage->file_size);
    cleanup_free char *runtime = report_size(appimage->image_offset);
    cleanup_free char *image = report_size(facts->used_bytes);
    cleanup_free char *made = sheet_time(facts->mtime);

    add(lines, "file", "an AppImage of type 2, which rucksack has not made");
    add(lines, "size", "%s for %s, %d bit: runtime %s, image %s", size,
        elf_machine_name(appimage->machine), appimage->is_64 ? 64 : 32, runtime, image);
    add(lines, "image", "squashfs, %s, made %s", facts->compression,
        made != NULL ? made : unknown_time);
    add(lines, "signed", "%s",
        appimage->is_signed ? "by OpenPGP, which is not checked here" : "by nobody");
    add(lines, "update", "%s", appimage->update != NULL ? appimage->update : "says not where from");
}

static void add_program(struct lines *lines, const struct appimage_contents *contents)
{
    cleanup_free char *bytes = report_size(contents->bytes);

    add(lines, "content", "%llu files, %s unpacked%s", (unsigned long long)contents->files, bytes,
        contents->has_start ? "" : "; without AppRun: it cannot start");
    if (contents->desktop == NULL) {
        add(lines, "name", "says not, it has no desktop entry");
        return;
    }
    add(lines, "name", "%s%s%s (%s)", contents->name != NULL ? contents->name : "?",
        contents->version != NULL ? " " : "", contents->version != NULL ? contents->version : "",
        contents->desktop);
    if (contents->command != NULL)
        add(lines, "command", "%s", contents->command);
}

static void add_weights(struct lines *lines, const struct weights *weights)
{
    struct cut cut = {.lines = lines, .count = weights->count};

    for (; cut.shown < cut.count && cut.shown < WEIGHTS_MAX; cut.shown++) {
        const struct weight *weight = &weights->items[cut.shown];
        cleanup_free char *visible = text_visible(weight->name);
        cleanup_free char *name = sheet_cut(visible, NAME_WIDTH);
        cleanup_free char *size = report_size(weight->packed);
        cleanup_free char *bar = sheet_bar(weight->packed, weights->items[0].packed);

        add(lines, cut.shown == 0 ? "sizes" : "", "%s%*s%10s  %s", name,
            (int)(NAME_WIDTH - sheet_width(name)), "", size, bar);
    }
    if (cut.count > cut.shown)
        add(lines, "", "and %zu more: --sizes", cut.count - cut.shown);
}

bool summary_print_appimage(const struct appimage *appimage, struct err *err)
{
    cleanup_with(appimage_contents_release) struct appimage_contents contents = {0};
    cleanup_with(weights_release) struct weights weights = {0};
    cleanup_with(lines_release) struct lines lines = {0};

    if (!appimage_read(appimage, &contents, err))
        return false;
    if (!weights_read(&weights, appimage->image, NULL, err))
        return err_wrap(err, "'%s'", appimage->path);
    add_runtime(&lines, appimage);
    add_program(&lines, &contents);
    add_weights(&lines, &weights);
    print_lines(&lines);
    return true;
}

static struct jdoc *image_json(const struct appimage *appimage,
                               const struct appimage_contents *contents)
{
    struct jdoc *image = jdoc_object();

    jdoc_set_text(image, "format", "squashfs");
    jdoc_set_text(image, "compression", appimage->facts.compression);
    jdoc_set_number(image, "offset", (int64_t)appimage->image_offset);
    jdoc_set_number(image, "size", (int64_t)appimage->facts.used_bytes);
    jdoc_set_number(image, "time", appimage->facts.mtime);
    jdoc_set_number(image, "files", (int64_t)contents->files);
    jdoc_set_number(image, "bytes", (int64_t)contents->bytes);
    return image;
}

static struct jdoc *desktop_json(const struct appimage_contents *contents)
{
    struct jdoc *desktop = jdoc_object();

    jdoc_set_text(desktop, "path", contents->desktop);
    jdoc_set_text(desktop, "name", contents->name);
    jdoc_set_text(desktop, "command", contents->command);
    jdoc_set_text(desktop, "version", contents->version);
    return desktop;
}

struct jdoc *summary_of_appimage(const struct appimage *appimage, struct err *err)
{
    cleanup_with(appimage_contents_release) struct appimage_contents contents = {0};
    cleanup_with(weights_release) struct weights weights = {0};
    struct jdoc *document;

    if (!appimage_read(appimage, &contents, err))
        return NULL;
    if (!weights_read(&weights, appimage->image, NULL, err)) {
        (void)err_wrap(err, "'%s'", appimage->path);
        return NULL;
    }
    document = jdoc_object();
    jdoc_set_number(document, "format", 1);
    jdoc_set_text(document, "kind", "appimage");
    jdoc_set_number(document, "type", 2);
    jdoc_set_text(document, "machine", elf_machine_name(appimage->machine));
    jdoc_set_number(document, "bits", appimage->is_64 ? 64 : 32);
    jdoc_set_number(document, "size", (int64_t)appimage->file_size);
    jdoc_set_bool(document, "signed", appimage->is_signed);
    jdoc_set_text(document, "update", appimage->update);
    jdoc_set(document, "image", image_json(appimage, &contents));
    if (contents.desktop != NULL)
        jdoc_set(document, "desktop", desktop_json(&contents));
    jdoc_set(document, "sizes", weights_json(&weights));
    return document;
}
