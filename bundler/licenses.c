/* SPDX-License-Identifier: MIT */
#include "bundler/licenses.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bundler/jdoc.h"
#include "bundler/packages.h"
#include "bundler/plan.h"
#include "bundler/probe.h"
#include "bundler/secret.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/format.h"
#include "common/fs.h"
#include "common/path.h"
#include "common/text.h"
#include "common/xalloc.h"

#define COMMON "/usr/share/common-licenses/"

enum { TEXT_MAX_BYTES = 1 << 20, NAMES_MAX = 64, FILES_MAX = 64, NAME_MAX_BYTES = 100 };

/* Names of files; upper or lower case. */
static const char *const patterns[] = {"LICENSE*",   "LICENCE*", "COPYING*",   "*-LICENSE*",
                                       "COPYRIGHT*", "NOTICE*",  "UNLICENSE*", "BSDL",
                                       "*.LICENSE",  "LEGAL*",   "*_LICENSE*"};

static struct plan_origin origin(void)
{
    return (struct plan_origin){PLAN_PART_RUNTIME, "licences"};
}

static bool has(char **texts, size_t count, const char *text)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(texts[i], text) == 0)
            return true;
    return false;
}

static void add_name(struct licenses_item *item, const char *name, size_t length)
{
    cleanup_free char *text = xstrndup(name, length < NAME_MAX_BYTES ? length : NAME_MAX_BYTES);

    if (text[0] == '\0' || item->name_count == NAMES_MAX ||
        has(item->names, item->name_count, text))
        return;
    item->names = xrealloc_array(item->names, item->name_count + 1, sizeof(*item->names));
    item->names[item->name_count++] = steal_ptr(&text);
}

static bool add_file(struct licenses_item *item, const char *image, const char *source,
                     struct plan *plan, struct err *err)
{
    struct stat st;

    if (item->file_count == FILES_MAX || stat(source, &st) != 0 || !S_ISREG(st.st_mode) ||
        st.st_size > TEXT_MAX_BYTES || plan_find(plan, image) != NULL)
        return true;
    if (!plan_add_file(plan, image, source, origin(), err))
        return false;
    item->files = xrealloc_array(item->files, item->file_count + 1, sizeof(*item->files));
    item->files[item->file_count++] = xstrdup(image);
    return true;
}

/* A gem's source tree is somebody's desk: "license.key" is what was paid for, not a text. */
static bool is_key(const char *name)
{
    return fnmatch("*[-_.]key", name, FNM_CASEFOLD) == 0 ||
           fnmatch("*[-_.]key.*", name, FNM_CASEFOLD) == 0 || secret_by_name(name) != NULL;
}

/* Of a gem: a regular file of its own directory, and of a source tree none that may be a secret. */
static bool is_text_of(const struct probe_gem *gem, const char *name)
{
    cleanup_free char *path = xasprintf("%s/%s", gem->dir, name);
    cleanup_free char *real = realpath(path, NULL);
    cleanup_free char *dir = realpath(gem->dir, NULL);

    return real != NULL && dir != NULL && path_lies_in(real, dir) &&
           (gem->files == NULL ||
            (!is_key(name) && !is_key(text_base_name(real)) && !secret_is_in_file(real)));
}

static int is_license(const struct dirent *entry)
{
    for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++)
        if (fnmatch(patterns[i], entry->d_name, FNM_CASEFOLD) == 0)
            return 1;
    return 0;
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int compare_entries(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* What is not there says nothing; what is there is not left out because it cannot be read. */
static bool is_absent(int error)
{
    return error == ENOENT || error == ENOTDIR;
}

static bool not_read(struct err *err)
{
    (void)err_id(err, "E-READ");
    return err_hint(err, "make it readable, or build without such texts: 'licenses: false' in "
                         "rucksack.yml");
}

/* Those files of a directory, below image; gem: whose it is, or NULL. */
static bool add_directory(struct licenses_item *item, const char *image, const char *dir,
                          int (*filter)(const struct dirent *), const struct probe_gem *gem,
                          struct plan *plan, struct err *err)
{
    struct dirent **entries = NULL;
    int count = scandir(dir, &entries, filter, compare_entries);
    bool ok = count >= 0 || is_absent(errno);

    if (!ok) {
        (void)err_sys(err, "'%s'", dir);
        return not_read(err);
    }
    for (int i = 0; i < count; i++) {
        cleanup_free char *source = xasprintf("%s/%s", dir, entries[i]->d_name);
        cleanup_free char *path = xasprintf("%s/%s", image, entries[i]->d_name);

        if (gem == NULL || is_text_of(gem, entries[i]->d_name))
            ok = ok && add_file(item, path, source, plan, err);
        free(entries[i]);
    }
    free(entries);
    return ok;
}

/* A default gem is in Ruby's own tree, and under Ruby's licence. */
static bool plan_gem(struct licenses_item *item, const struct probe_gem *gem, bool without_texts,
                     struct plan *plan, struct err *err)
{
    cleanup_free char *image = xasprintf(FORMAT_LICENSES "/gems/%s", gem->full_name);

    for (size_t i = 0; i < jdoc_count(gem->licenses); i++) {
        const char *name = jdoc_text_at(gem->licenses, i);

        if (name != NULL)
            add_name(item, name, strlen(name));
    }
    return gem->is_default || without_texts ||
           add_directory(item, image, gem->dir, is_license, gem, plan, err);
}

/* "License: GPL-2+ with exception", of a machine-readable file; its fields begin a line. */
static void read_names(struct licenses_item *item, const char *text)
{
    static const char field[] = "License:";

    if (strncmp(text, "Format:", 7) != 0)
        return;
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, field, strlen(field)) == 0) {
            const char *name = line + strlen(field);

            name += strspn(name, " \t");
            add_name(item, name, strcspn(name, "\n"));
        }
    }
}

/* The texts that one refers to: "/usr/share/common-licenses/GPL-2". */
static bool add_common(struct licenses_item *item, const char *text, const char *root,
                       struct plan *plan, struct err *err)
{
    for (const char *at = text; (at = strstr(at, COMMON)) != NULL;) {
        size_t length;
        cleanup_free char *name = NULL;
        cleanup_free char *source = NULL;
        cleanup_free char *image = NULL;

        at += strlen(COMMON);
        length = strspn(at, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-");
        while (length > 0 && strchr(".-", at[length - 1]) != NULL)
            length--; /* the end of a sentence */
        if (length == 0)
            continue;
        name = xstrndup(at, length);
        source = xasprintf("%s" COMMON "%s", root, name);
        image = xasprintf(FORMAT_LICENSES "/common/%s", name);
        if (!add_file(item, image, source, plan, err))
            return false;
        if (plan_find(plan, image) != NULL && !has(item->files, item->file_count, image)) {
            item->files = xrealloc_array(item->files, item->file_count + 1, sizeof(*item->files));
            item->files[item->file_count++] = steal_ptr(&image);
        }
    }
    return true;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool plan_package(struct licenses_item *item, const struct packages_item *package,
                         const struct licenses_input *input, struct plan *plan, struct err *err)
{
    const char *root = input->root;
    cleanup_free char *dir = xasprintf(FORMAT_LICENSES "/%s/%s", package->kind, package->name);
    cleanup_free char *image = xasprintf("%s/copyright", dir);
    cleanup_free char *debian = xasprintf("%s/usr/share/doc/%s/copyright", root, package->name);
    cleanup_free char *others = xasprintf("%s/usr/share/licenses/%s", root, package->name);
    cleanup_free char *text = NULL;
    struct err why = {0};
    size_t size;

    if (!input->without_texts && (!add_file(item, image, debian, plan, err) ||
                                  !add_directory(item, dir, others, is_visible, NULL, plan, err)))
        return false;
    if (!fs_read_file(debian, TEXT_MAX_BYTES, &text, &size, &why)) {
        if (why.kind != ERR_SYSTEM || is_absent(why.sys_errno))
            return true;
        *err = why;
        return not_read(err);
    }
    read_names(item, text);
    if (item->name_count > 0)
        qsort(item->names, item->name_count, sizeof(*item->names), compare_names);
    return input->without_texts || add_common(item, text, root, plan, err);
}

bool licenses_plan(struct licenses *ret, const struct licenses_input *input, struct plan *plan,
                   struct err *err)
{
    const struct probe *probe = input->probe;
    const struct packages *packages = input->packages;

    *ret = (struct licenses){
        .gems = xcalloc(probe->gem_count + 1, sizeof(*ret->gems)),
        .gem_count = probe->gem_count,
        .packages = xcalloc(packages->count + 1, sizeof(*ret->packages)),
        .package_count = packages->count,
    };
    for (size_t i = 0; i < probe->gem_count; i++)
        if (!plan_gem(&ret->gems[i], &probe->gems[i], input->without_texts, plan, err))
            return err_wrap(err, "licences of gem '%s'", probe->gems[i].name);
    for (size_t i = 0; i < packages->count; i++)
        if (!plan_package(&ret->packages[i], &packages->items[i], input, plan, err))
            return err_wrap(err, "licences of package '%s'", packages->items[i].name);
    return true;
}

static void release_items(struct licenses_item *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < items[i].name_count; j++)
            free(items[i].names[j]);
        for (size_t j = 0; j < items[i].file_count; j++)
            free(items[i].files[j]);
        free(items[i].names);
        free(items[i].files);
    }
    free(items);
}

void licenses_release(struct licenses *licenses)
{
    release_items(licenses->gems, licenses->gem_count);
    release_items(licenses->packages, licenses->package_count);
    *licenses = (struct licenses){0};
}
