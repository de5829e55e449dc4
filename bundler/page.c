/* SPDX-License-Identifier: MIT */
#include "bundler/page.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bundler/asset.h"
#include "bundler/bundle.h"
#include "bundler/elf.h"
#include "bundler/image.h"
#include "bundler/jdoc.h"
#include "bundler/manifest.h"
#include "bundler/report.h"
#include "bundler/timeline.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/format.h"
#include "common/fs.h"
#include "common/text.h"
#include "common/unfinished.h"
#include "common/xalloc.h"

struct page {
    FILE *out;
    const struct bundle *bundle;
    const struct jdoc *document;
};

static void put_text(const struct page *page, const char *text)
{
    cleanup_free char *shown = text_visible(text);

    for (const char *at = shown; *at != '\0'; at++) {
        if (strchr("<>&\"'", *at) != NULL)
            (void)fprintf(page->out, "&#%d;", *at);
        else
            (void)fputc(*at, page->out);
    }
}

/* JSON has these inside of strings only, where any character may be written by its number. */
static void put_json(const struct page *page, const char *json)
{
    for (const char *at = json; *at != '\0'; at++) {
        if (strchr("<>&", *at) != NULL)
            (void)fprintf(page->out, "\\u%04x", (unsigned int)*at);
        else
            (void)fputc(*at, page->out);
    }
}

static void put_term(const struct page *page, const char *term, const char *text)
{
    if (text[0] == '\0')
        return;
    (void)fprintf(page->out, "<div><dt>%s</dt><dd>", term);
    put_text(page, text);
    (void)fputs("</dd></div>\n", page->out);
}

static void append(char **list, const char *item)
{
    text_join(list, ", ", item != NULL ? item : "");
}

static void append_process(const char *key, const struct jdoc *value, void *context)
{
    const char *command = jdoc_value_text(value);
    cleanup_free char *item = xasprintf("%s: %s", key, command != NULL ? command : "?");

    append(context, item);
}

static void append_state(const char *key, const struct jdoc *value, void *context)
{
    for (size_t i = 0; i < jdoc_count(value); i++) {
        const char *path = jdoc_text_at(value, i);
        cleanup_free char *item = xasprintf("%s (%s)", path != NULL ? path : "?", key);

        append(context, item);
    }
}

static void append_left_out(const char *key, const struct jdoc *value, void *context)
{
    int64_t bytes = jdoc_number(value, "bytes");
    cleanup_free char *size = report_size(bytes > 0 ? (uint64_t)bytes : 0);
    cleanup_free char *item = bytes > 0 ? xasprintf("%s %s", key, size) : xstrdup(key);

    append(context, item);
}

static void put_list(const struct page *page, const char *term, const char *member,
                     void (*visit)(const char *, const struct jdoc *, void *))
{
    char *list = xstrdup("");

    jdoc_each(jdoc_member(page->document, member), visit, &list);
    put_term(page, term, list);
    free(list);
}

static void put_lines(const struct page *page, const char *term, const char *member)
{
    const struct jdoc *lines = jdoc_member(page->document, member);

    if (jdoc_count(lines) == 0)
        return;
    (void)fprintf(page->out, "<div><dt>%s</dt>", term);
    for (size_t i = 0; i < jdoc_count(lines); i++) {
        const char *line = jdoc_text_at(lines, i);

        (void)fputs("<dd>", page->out);
        put_text(page, line != NULL ? line : "?");
        (void)fputs("</dd>", page->out);
    }
    (void)fputs("</div>\n", page->out);
}

static void put_ruby(const struct page *page)
{
    const struct jdoc *ruby = jdoc_member(page->document, "ruby");
    const char *package = jdoc_text_or(ruby, "package", "");
    cleanup_free char *text = xasprintf(
        "%s for %s, from %s%s%s%s", jdoc_text_or(ruby, "version", "?"),
        jdoc_text_or(ruby, "platform", "?"), jdoc_text_or(ruby, "source", "?"),
        package[0] != '\0' ? " of " : "", package, package[0] != '\0' ? " (package)" : "");

    put_term(page, "Ruby", text);
    put_term(page, "Bundler", jdoc_text_or(ruby, "bundler", ""));
}

static void put_requires(const struct page *page)
{
    const struct jdoc *requires = jdoc_member(page->document, "requires");
    const char *cpu = jdoc_text(requires, "cpu");
    cleanup_free char *text =
        cpu != NULL
            ? xasprintf("Linux %s, a CPU of %s (for %s)", jdoc_text_or(requires, "linux", "?"), cpu,
                        jdoc_text_or(requires, "cpu_of", "?"))
            : xasprintf("Linux %s", jdoc_text_or(requires, "linux", "?"));

    put_term(page, "Requires", text);
}

static void put_source(const struct page *page)
{
    const struct jdoc *source = jdoc_member(page->document, "source");
    const char *revision = jdoc_text_or(source, "revision", "");
    cleanup_free char *text =
        xasprintf("%s%s", revision, jdoc_bool(source, "modified") ? ", with changes" : "");

    put_term(page, "Source", revision[0] != '\0' ? text : "");
}

static void put_title(const struct page *page)
{
    const char *version = jdoc_text_or(page->document, "version", "");

    put_text(page, page->bundle->header.name);
    if (version[0] != '\0')
        (void)fputc(' ', page->out);
    put_text(page, version);
}

static void put_summary(const struct page *page)
{
    const struct bundle *bundle = page->bundle;
    const struct format_header *header = &bundle->header;
    cleanup_free char *size = report_size(bundle->file_size);
    cleanup_free char *stub = report_size(header->image_offset);
    cleanup_free char *image = report_size(header->image_size);
    cleanup_free char *kind =
        xasprintf("%s for %s, format %u", header->kind == FORMAT_KIND_CLI ? "command" : "app",
                  elf_machine_name(bundle->machine), header->version);
    cleanup_free char *file = xasprintf("%s: stub %s, image %s", size, stub, image);

    put_term(page, "Kind", kind);
    put_term(page, "File", file);
    put_source(page);
    put_ruby(page);
    put_requires(page);
    put_list(page, "Processes", "processes", append_process);
    put_list(page, "State", "state", append_state);
    put_list(page, "Left out of gems", "left_out", append_left_out);
    put_lines(page, "Edited", "edited");
    put_lines(page, "Warnings", "warnings");
    put_term(page, "Image hash",
             jdoc_text_or(jdoc_member(page->document, "file"), "image_hash", ""));
}

static void put_size(const struct page *page, int64_t bytes)
{
    cleanup_free char *size = report_size(bytes > 0 ? (uint64_t)bytes : 0);

    (void)fprintf(page->out, "<td>%s</td>", size);
}

/* The script makes better ones in their place. */
static void put_rows(const struct page *page)
{
    const struct jdoc *sizes = jdoc_member(page->document, "sizes");

    for (size_t i = 0; i < jdoc_count(sizes); i++) {
        const struct jdoc *one = jdoc_at(sizes, i);

        (void)fputs("<tr><th scope=\"row\">", page->out);
        put_text(page, jdoc_text_or(one, "name", "?"));
        (void)fputs("</th><td>", page->out);
        put_text(page, jdoc_text_or(one, "part", "?"));
        (void)fputs("</td>", page->out);
        put_size(page, jdoc_number(one, "packed"));
        put_size(page, jdoc_number(one, "bytes"));
        (void)fprintf(page->out, "<td>%lld</td></tr>\n", (long long)jdoc_number(one, "files"));
    }
}

static void put_data(const struct page *page)
{
    cleanup_free char *json = jdoc_format(page->document);

    put_json(page, json);
}

/* Marks of page.html. What takes their place is not searched for marks: it may hold some. */
static const struct {
    const char *mark;
    void (*put)(const struct page *page);
} places[] = {
    {"<!--title-->", put_title},
    {"<!--summary-->", put_summary},
    {"<!--rows-->", put_rows},
    {"<!--data-->", put_data},
};

enum { PLACE_COUNT = sizeof(places) / sizeof(places[0]) };

static void put_page(const struct page *page)
{
    struct asset template = asset_get(ASSET_PAGE);
    const char *at = (const char *)template.data;
    const char *end = at + template.size;

    while (at < end) {
        size_t place = 0;

        while (place < PLACE_COUNT &&
               strncmp(at, places[place].mark, strlen(places[place].mark)) != 0)
            place++;
        if (place < PLACE_COUNT) {
            places[place].put(page);
            at += strlen(places[place].mark);
        } else {
            (void)fputc(*at++, page->out);
        }
    }
}

/* An older bundle has none, and the page does without. */
static bool add_sbom(struct image *image, struct jdoc *document, struct err *err)
{
    struct jdoc *sbom;

    if (!image_has(image, FORMAT_SBOM))
        return true;
    sbom = manifest_document(image, FORMAT_SBOM, err);
    if (sbom == NULL)
        return false;
    jdoc_set(document, "sbom", sbom);
    return true;
}

static bool add_more(const struct bundle *bundle, struct jdoc *document, struct err *err)
{
    struct image *image = NULL;
    struct jdoc *start = NULL;
    bool ok = bundle_open_image(bundle, &image, err);

    if (ok)
        start = timeline_of(image, err);
    ok = start != NULL && add_sbom(image, document, err);
    if (start != NULL)
        jdoc_set(document, "start", start);
    image_free(image);
    if (ok)
        return true;
    (void)err_hint(err, "'rucksack verify %s' says whether the file is as it was built",
                   bundle->path);
    return err_wrap(err, "'%s'", bundle->path);
}

static bool check_target(const char *path, struct err *err)
{
    struct stat st;

    if (stat(path, &st) != 0 || S_ISREG(st.st_mode))
        return true;
    (void)err_set(err, ERR_INPUT, "'%s' is no regular file", path);
    return err_hint(err, "name a file for the page, or '-' for standard output");
}

/* Not readable for its owner alone: it is made to be shown. */
static bool write_file(const char *path, const char *text, size_t size, struct err *err)
{
    cleanup_free char *scratch = xasprintf("%s.XXXXXX", path);
    cleanup_fd int fd = -1;
    bool ok;

    if (!check_target(path, err))
        return false;
    fd = mkostemp(scratch, O_CLOEXEC);
    if (fd < 0)
        return err_sys(err, "'%s'", path);
    unfinished_watch(scratch);
    ok = fs_write_all(fd, text, size, err) || err_wrap(err, "'%s'", path);
    if (ok && (fchmod(fd, 0644) != 0 || rename(scratch, path) != 0))
        ok = err_sys(err, "'%s'", path);
    if (!ok)
        (void)unlink(scratch);
    unfinished_forget(scratch);
    return ok;
}

bool page_save(const struct bundle *bundle, struct jdoc *document, const char *path,
               struct err *err)
{
    struct page page = {.bundle = bundle, .document = document};
    cleanup_free char *text = NULL;
    size_t size = 0;

    if (!add_more(bundle, document, err))
        return false;
    page.out = xmemstream(&text, &size);
    put_page(&page);
    (void)fclose(page.out);
    if (strcmp(path, "-") != 0)
        return write_file(path, text, size, err);
    return fs_write_all(STDOUT_FILENO, text, size, err) || err_wrap(err, "standard output");
}
