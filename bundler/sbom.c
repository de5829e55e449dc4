/* SPDX-License-Identifier: MIT */
#include "bundler/sbom.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bundler/app.h"
#include "bundler/closure.h"
#include "bundler/hash.h"
#include "bundler/jdoc.h"
#include "bundler/licenses.h"
#include "bundler/packages.h"
#include "bundler/probe.h"
#include "bundler/walk.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/fs.h"
#include "common/xalloc.h"

#define SERIAL_FORM "urn:uuid:00000000-0000-8000-8000-000000000000"

/* Of os-release(5): what names a distribution's packages. */
struct distribution {
    char *id; /* "debian" */
    char *version;
};

static char *field_of(const char *text, const char *key)
{
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, strlen(key)) == 0) {
            const char *value = line + strlen(key);

            value += *value == '"';
            return xstrndup(value, strcspn(value, "\"\n"));
        }
    }
    return xstrdup("");
}

static struct distribution read_distribution(void)
{
    cleanup_free char *text = NULL;
    struct err ignored = {0};
    size_t size;

    if (!fs_read_file("/etc/os-release", 1 << 16, &text, &size, &ignored))
        return (struct distribution){xstrdup(""), xstrdup("")};
    return (struct distribution){field_of(text, "ID="), field_of(text, "VERSION_ID=")};
}

/* Percent-encoded but for letters, digits and ".-_~". */
static char *encoded(const char *text)
{
    char *result = xcalloc(3 * strlen(text) + 1, 1);
    char *to = result;

    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++) {
        if (isalnum(*at) || strchr(".-_~", *at) != NULL)
            *to++ = (char)*at;
        else
            to += snprintf(to, 4, "%%%02X", *at);
    }
    return result;
}

static char *gem_url(const struct probe_gem *gem)
{
    cleanup_free char *name = encoded(gem->name);
    cleanup_free char *version = encoded(gem->version);
    cleanup_free char *platform = encoded(gem->platform);

    return strcmp(gem->platform, "ruby") == 0
               ? xasprintf("pkg:gem/%s@%s", name, version)
               : xasprintf("pkg:gem/%s@%s?platform=%s", name, version, platform);
}

static char *package_url(const struct packages_item *package, const struct distribution *system)
{
    cleanup_free char *name = encoded(package->name);
    cleanup_free char *version = encoded(package->version != NULL ? package->version : "");
    cleanup_free char *id = encoded(system->id);
    cleanup_free char *release = encoded(system->version);

    return xasprintf("pkg:%s/%s%s%s%s%s%s%s%s%s", package->kind, id, id[0] != '\0' ? "/" : "", name,
                     version[0] != '\0' ? "@" : "", version, id[0] != '\0' ? "?distro=" : "", id,
                     release[0] != '\0' ? "-" : "", release);
}

static struct jdoc *component(const char *type, const char *ref, const char *name,
                              const char *version)
{
    struct jdoc *made = jdoc_object();

    jdoc_set_text(made, "type", type);
    jdoc_set_text(made, "bom-ref", ref);
    jdoc_set_text(made, "name", name);
    if (version != NULL && version[0] != '\0')
        jdoc_set_text(made, "version", version);
    return made;
}

static struct jdoc *property(const char *name, const char *value)
{
    struct jdoc *made = jdoc_object();

    jdoc_set_text(made, "name", name);
    jdoc_set_text(made, "value", value);
    return made;
}

/* Names as their authors write them, which need not be SPDX's; where the texts are. */
static void set_licenses(struct jdoc *object, const struct licenses_item *item)
{
    struct jdoc *names = jdoc_array();
    struct jdoc *properties = jdoc_array();

    for (size_t i = 0; i < item->name_count; i++) {
        struct jdoc *license = jdoc_object();
        struct jdoc *choice = jdoc_object();

        jdoc_set_text(license, "name", item->names[i]);
        jdoc_set(choice, "license", license);
        jdoc_push(names, choice);
    }
    for (size_t i = 0; i < item->file_count; i++)
        jdoc_push(properties, property(SBOM_LICENSE_FILE, item->files[i]));
    if (item->name_count > 0)
        jdoc_set(object, "licenses", names);
    else
        jdoc_free(names);
    if (item->file_count > 0)
        jdoc_set(object, "properties", properties);
    else
        jdoc_free(properties);
}

/* An object under its path in the image, which no other has. */
static struct jdoc *file_of(const struct sbom_input *input, size_t index)
{
    const char *image = input->closure->images[index];
    cleanup_free char *ref = xasprintf("file:/%s", image);
    cleanup_free char *name = xasprintf("/%s", image);

    return component("file", ref, name, NULL);
}

static int compare_indexes(const void *a, const void *b, void *context)
{
    const struct closure *closure = context;

    return strcmp(closure->images[*(const size_t *)a], closure->images[*(const size_t *)b]);
}

/* The objects that are in the image, each once, by path. Owned by the caller. */
static size_t *objects_of(const struct sbom_input *input, size_t *ret_count)
{
    const struct walk *walk = input->walk;
    size_t *indexes = xcalloc(walk->count + 1, sizeof(*indexes));
    size_t count = 0;
    size_t kept = 0;

    for (size_t i = 0; i < walk->count; i++)
        if (input->closure->images[i] != NULL)
            indexes[count++] = i;
    qsort_r(indexes, count, sizeof(*indexes), compare_indexes, (void *)(uintptr_t)input->closure);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || compare_indexes(&indexes[i], &indexes[kept - 1],
                                      (void *)(uintptr_t)input->closure) != 0)
            indexes[kept++] = indexes[i];
    *ret_count = kept;
    return indexes;
}

static bool is_of(const struct owner *owner, const struct packages_item *package)
{
    if (owner->package == NULL || package == NULL)
        return owner->package == NULL && package == NULL;
    return strcmp(owner->kind, package->kind) == 0 && strcmp(owner->package, package->name) == 0 &&
           strcmp(owner->version != NULL ? owner->version : "",
                  package->version != NULL ? package->version : "") == 0;
}

struct writing {
    const struct sbom_input *input;
    struct jdoc *components;
    struct jdoc *needed; /* refs of what the application depends on */
    const size_t *objects;
    size_t object_count;
};

static void add(struct writing *writing, struct jdoc *made, const char *ref)
{
    jdoc_push(writing->components, made);
    jdoc_push_text(writing->needed, ref);
}

static void add_ruby(struct writing *writing)
{
    const struct probe_ruby *ruby = &writing->input->probe->ruby;
    cleanup_free char *version = encoded(ruby->version);
    cleanup_free char *url = xasprintf("pkg:generic/ruby@%s", version);
    struct jdoc *made = component("platform", url, "ruby", ruby->version);

    jdoc_set_text(made, "purl", url);
    add(writing, made, url);
}

static void add_gems(struct writing *writing)
{
    const struct probe *probe = writing->input->probe;

    for (size_t i = 0; i < probe->gem_count; i++) {
        const struct probe_gem *gem = &probe->gems[i];
        cleanup_free char *url = gem_url(gem);
        struct jdoc *made = component("library", url, gem->name, gem->version);

        jdoc_set_text(made, "purl", url);
        set_licenses(made, &writing->input->licenses->gems[i]);
        add(writing, made, url);
    }
}

static void add_package(struct writing *writing, size_t index, const struct distribution *system)
{
    const struct packages *packages = writing->input->packages;
    const struct packages_item *package = &packages->items[index];
    cleanup_free char *url = package_url(package, system);
    struct jdoc *made = component("library", url, package->name, package->version);
    struct jdoc *files = jdoc_array();

    jdoc_set_text(made, "purl", url);
    set_licenses(made, &writing->input->licenses->packages[index]);
    for (size_t i = 0; i < writing->object_count; i++)
        if (is_of(&packages->owners[writing->objects[i]], package))
            jdoc_push(files, file_of(writing->input, writing->objects[i]));
    if (jdoc_count(files) > 0)
        jdoc_set(made, "components", files);
    else
        jdoc_free(files);
    add(writing, made, url);
}

/* Of gems, of a Ruby that was compiled here, of the application. */
static void add_others(struct writing *writing)
{
    const struct packages *packages = writing->input->packages;

    for (size_t i = 0; i < writing->object_count; i++)
        if (is_of(&packages->owners[writing->objects[i]], NULL))
            jdoc_push(writing->components, file_of(writing->input, writing->objects[i]));
}

static struct jdoc *metadata_of(const struct sbom_input *input)
{
    struct jdoc *metadata = jdoc_object();
    struct jdoc *tools = jdoc_object();
    struct jdoc *list = jdoc_array();
    struct jdoc *app =
        component("application", "app", input->app->name, input->app->config.version);
    time_t seconds = (time_t)input->time;
    struct tm parts;
    char text[sizeof("2026-01-01T00:00:00Z")];

    if (gmtime_r(&seconds, &parts) != NULL &&
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts) > 0)
        jdoc_set_text(metadata, "timestamp", text);
    jdoc_push(list, component("application", "rucksack", "rucksack", VERSION));
    jdoc_set(tools, "components", list);
    jdoc_set(metadata, "tools", tools);
    if (input->revision != NULL) {
        struct jdoc *properties = jdoc_array();

        jdoc_push(properties, property("rucksack:revision", input->revision));
        jdoc_set(app, "properties", properties);
    }
    jdoc_set(metadata, "component", app);
    return metadata;
}

/* Writes 16 bytes of the text's hash over the zeros of the serial number; RFC 9562, version 8. */
static void number(char *text)
{
    uint8_t hash[FORMAT_HASH_SIZE];
    char digits[2 * FORMAT_HASH_SIZE + 1];
    char *serial = strstr(text, SERIAL_FORM);
    size_t used = 0;

    hash_bytes(text, strlen(text), hash);
    format_hex(hash, FORMAT_HASH_SIZE, digits);
    for (char *at = serial + strlen("urn:uuid:"); serial != NULL && *at != '"'; at++)
        if (*at == '0')
            *at = digits[used++];
}

char *sbom_text(const struct sbom_input *input)
{
    struct distribution system = read_distribution();
    struct jdoc *root = jdoc_object();
    struct jdoc *dependencies = jdoc_array();
    struct jdoc *dependency = jdoc_object();
    struct writing writing = {.input = input, .components = jdoc_array(), .needed = jdoc_array()};
    cleanup_free size_t *objects = objects_of(input, &writing.object_count);
    char *text;

    writing.objects = objects;
    jdoc_set_text(root, "bomFormat", "CycloneDX");
    jdoc_set_text(root, "specVersion", "1.5");
    jdoc_set_text(root, "serialNumber", SERIAL_FORM);
    jdoc_set_number(root, "version", 1);
    jdoc_set(root, "metadata", metadata_of(input));
    add_ruby(&writing);
    add_gems(&writing);
    for (size_t i = 0; i < input->packages->count; i++)
        add_package(&writing, i, &system);
    add_others(&writing);
    jdoc_set(root, "components", writing.components);
    jdoc_set_text(dependency, "ref", "app");
    jdoc_set(dependency, "dependsOn", writing.needed);
    jdoc_push(dependencies, dependency);
    jdoc_set(root, "dependencies", dependencies);
    text = jdoc_format(root);
    jdoc_free(root);
    number(text);
    free(system.id);
    free(system.version);
    return text;
}
