/* SPDX-License-Identifier: MIT */
#include "runtime/keeper/manifest.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/path.h"
#include "common/xalloc.h"
#include "runtime/keeper/inventory.h"

/* Arrays are grown by doubling: their room is the next power of two. */
static void *grow(void *items, size_t count, size_t size)
{
    if (count == 0)
        return xcalloc(1, size);
    return (count & (count - 1)) == 0 ? xrealloc_array(items, 2 * count, size) : items;
}

struct manifest_file *manifest_add_file(struct manifest *manifest, const char *path)
{
    struct manifest_file *file;

    manifest->files = grow(manifest->files, manifest->file_count, sizeof(*manifest->files));
    file = &manifest->files[manifest->file_count++];
    *file = (struct manifest_file){.path = xstrdup(path)};
    return file;
}

void manifest_add_directory(struct manifest *manifest, const char *path)
{
    manifest->directories =
        grow(manifest->directories, manifest->directory_count, sizeof(*manifest->directories));
    manifest->directories[manifest->directory_count++] = xstrdup(path);
}

void manifest_add_link(struct manifest *manifest, const char *path, const char *target)
{
    manifest->links = grow(manifest->links, manifest->link_count, sizeof(*manifest->links));
    manifest->links[manifest->link_count++] =
        (struct manifest_link){.path = xstrdup(path), .target = xstrdup(target)};
}

struct manifest_secret *manifest_add_secret(struct manifest *manifest, const char *name)
{
    struct manifest_secret *secret;

    manifest->secrets = grow(manifest->secrets, manifest->secret_count, sizeof(*manifest->secrets));
    secret = &manifest->secrets[manifest->secret_count++];
    *secret = (struct manifest_secret){.name = xstrdup(name)};
    return secret;
}

void manifest_release(struct manifest *manifest)
{
    for (size_t i = 0; i < manifest->directory_count; i++)
        free(manifest->directories[i]);
    for (size_t i = 0; i < manifest->file_count; i++) {
        free(manifest->files[i].path);
        database_facts_release(&manifest->files[i].facts);
    }
    for (size_t i = 0; i < manifest->link_count; i++) {
        free(manifest->links[i].path);
        free(manifest->links[i].target);
    }
    for (size_t i = 0; i < manifest->secret_count; i++)
        free(manifest->secrets[i].name);
    free(manifest->directories);
    free(manifest->files);
    free(manifest->links);
    free(manifest->secrets);
    free(manifest->name);
    free(manifest->host);
    free(manifest->bundle);
    *manifest = (struct manifest){0};
}

uint64_t manifest_rows(const struct manifest *manifest)
{
    uint64_t rows = 0;

    for (size_t i = 0; i < manifest->file_count; i++)
        if (!manifest->files[i].is_gone)
            rows += database_rows(&manifest->files[i].facts);
    return rows;
}

uint64_t manifest_bytes(const struct manifest *manifest)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < manifest->file_count; i++)
        if (!manifest->files[i].is_gone)
            bytes += manifest->files[i].size_bytes;
    return bytes;
}

static bool is_of_migrations(const char *table)
{
    return strcmp(table, "schema_migrations") == 0 || strcmp(table, "ar_internal_metadata") == 0;
}

void manifest_measure(const struct manifest *manifest, struct lineage *ret)
{
    ret->rows = 0;
    ret->files = 0;
    for (size_t i = 0; i < manifest->file_count; i++) {
        const struct manifest_file *file = &manifest->files[i];

        if (file->is_gone)
            continue;
        ret->files += !file->is_database;
        for (size_t j = 0; j < file->facts.count; j++)
            if (!is_of_migrations(file->facts.tables[j].name))
                ret->rows += file->facts.tables[j].rows;
    }
}

void manifest_time(int64_t seconds, char ret[MANIFEST_TIME_SIZE])
{
    time_t when = (time_t)seconds;
    struct tm parts = {0};

    ret[0] = '\0';
    if (gmtime_r(&when, &parts) != NULL)
        (void)strftime(ret, MANIFEST_TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &parts);
}

/*
 * jansson makes no value of text that is not UTF-8, and takes none that was not made: an error is
 * remembered until the end, for nothing may be missing in silence.
 */
static void put(json_t *object, const char *key, json_t *value, bool *ok)
{
    if (json_object_set_new(object, key, value) != 0)
        *ok = false;
}

static void append(json_t *array, json_t *value, bool *ok)
{
    if (json_array_append_new(array, value) != 0)
        *ok = false;
}

static void put_hex(json_t *object, const char *key, const uint8_t *data, size_t size, bool *ok)
{
    char hex[DIGEST_HEX];

    digest_hex(data, size, hex);
    put(object, key, json_string(hex), ok);
}

static void put_integer(json_t *object, const char *key, uint64_t value, bool *ok)
{
    put(object, key, json_integer((json_int_t)value), ok);
}

static json_t *database_json(const struct database_facts *facts, bool *ok)
{
    json_t *object = json_object();
    json_t *rows = json_object();

    put(object, "user_version", json_integer(facts->user_version), ok);
    if (facts->migration != NULL)
        put(object, "migration", json_string(facts->migration), ok);
    for (size_t i = 0; i < facts->count; i++)
        put_integer(rows, facts->tables[i].name, facts->tables[i].rows, ok);
    put(object, "rows", rows, ok);
    return object;
}

static json_t *files_json(const struct manifest *manifest, bool *ok)
{
    json_t *array = json_array();

    for (size_t i = 0; i < manifest->file_count; i++) {
        const struct manifest_file *file = &manifest->files[i];
        json_t *object;

        if (file->is_gone)
            continue;
        object = json_object();
        put(object, "path", json_string(file->path), ok);
        put_integer(object, "size", file->size_bytes, ok);
        put_hex(object, "sha256", file->sha256, sizeof(file->sha256), ok);
        if (file->is_database)
            put(object, "database", database_json(&file->facts, ok), ok);
        append(array, object, ok);
    }
    return array;
}

static json_t *directories_json(const struct manifest *manifest, bool *ok)
{
    json_t *array = json_array();

    for (size_t i = 0; i < manifest->directory_count; i++)
        append(array, json_string(manifest->directories[i]), ok);
    return array;
}

static json_t *links_json(const struct manifest *manifest, bool *ok)
{
    json_t *array = json_array();

    for (size_t i = 0; i < manifest->link_count; i++) {
        json_t *object = json_object();

        put(object, "path", json_string(manifest->links[i].path), ok);
        put(object, "target", json_string(manifest->links[i].target), ok);
        append(array, object, ok);
    }
    return array;
}

static json_t *secrets_json(const struct manifest *manifest, bool *ok)
{
    json_t *array = json_array();

    for (size_t i = 0; i < manifest->secret_count; i++) {
        const struct manifest_secret *secret = &manifest->secrets[i];
        json_t *object = json_object();

        put(object, "name", json_string(secret->name), ok);
        if (secret->is_set)
            put_hex(object, "fingerprint", secret->fingerprint, sizeof(secret->fingerprint), ok);
        append(array, object, ok);
    }
    return array;
}

bool manifest_text(const struct manifest *manifest, char **ret, struct err *err)
{
    json_t *root = json_object();
    char when[MANIFEST_TIME_SIZE];
    bool ok = true;
    char *text;

    manifest_time(manifest->time, when);
    put(root, "format", json_integer(MANIFEST_FORMAT), &ok);
    put(root, "name", json_string(manifest->name), &ok);
    put(root, "time", json_string(when), &ok);
    put_integer(root, "seconds", (uint64_t)manifest->time, &ok);
    put(root, "host", json_string(manifest->host), &ok);
    put_hex(root, "id", manifest->id, sizeof(manifest->id), &ok);
    put_hex(root, "lineage", manifest->lineage.id, sizeof(manifest->lineage.id), &ok);
    put_integer(root, "epoch", manifest->lineage.epoch, &ok);
    put_integer(root, "number", manifest->lineage.number, &ok);
    if (manifest->bundle != NULL)
        put(root, "bundle", json_string(manifest->bundle), &ok);
    put(root, "secrets", secrets_json(manifest, &ok), &ok);
    put(root, "directories", directories_json(manifest, &ok), &ok);
    put(root, "files", files_json(manifest, &ok), &ok);
    put(root, "links", links_json(manifest, &ok), &ok);
    text = ok ? json_dumps(root, JSON_INDENT(1)) : NULL;
    json_decref(root);
    if (text == NULL)
        return err_set(err, ERR_SYSTEM, MANIFEST_NAME " cannot be made: %s",
                       ok ? "out of memory" : "something in it is not UTF-8");
    *ret = text;
    return true;
}

static bool bad(struct err *err, const char *what)
{
    (void)err_set(err, ERR_INPUT, "the snapshot is damaged: " MANIFEST_NAME ": %s", what);
    (void)err_id(err, "E-SNAPSHOT");
    return err_hint(err, "take another copy of it, or the snapshot before it");
}

static bool get_text(const json_t *object, const char *key, char **ret, struct err *err)
{
    const json_t *value = json_object_get(object, key);

    if (!json_is_string(value))
        return bad(err, key);
    *ret = xstrdup(json_string_value(value));
    return true;
}

static bool get_count(const json_t *object, const char *key, uint64_t *ret, struct err *err)
{
    const json_t *value = json_object_get(object, key);

    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return bad(err, key);
    *ret = (uint64_t)json_integer_value(value);
    return true;
}

static bool get_hex(const json_t *object, const char *key, uint8_t *ret, size_t size,
                    struct err *err)
{
    const json_t *value = json_object_get(object, key);

    return (json_is_string(value) && digest_from_hex(json_string_value(value), ret, size)) ||
           bad(err, key);
}

/* Below the top directory, written in the one way there is, nothing of ours. */
static bool get_path(const json_t *value, const char **ret, struct err *err)
{
    const char *path = json_string_value(value);
    char clean[PATH_IMAGE_MAX + 1];
    struct err ignored = {0};

    if (path == NULL || !path_image(path, clean, sizeof(clean), &ignored) ||
        strcmp(path, clean) != 0 || !path_lies_in(path, INVENTORY_TOP) ||
        strcmp(path, LINEAGE_PATH) == 0)
        return bad(err, "a path that cannot be");
    *ret = path;
    return true;
}

static bool parse_database(const json_t *object, struct database_facts *facts, struct err *err)
{
    const json_t *version = json_object_get(object, "user_version");
    json_t *rows = json_object_get(object, "rows");
    const json_t *migration = json_object_get(object, "migration");
    const char *name;
    json_t *count;

    if (!json_is_integer(version) || !json_is_object(rows) ||
        (migration != NULL && !json_is_string(migration)))
        return bad(err, "database");
    facts->user_version = json_integer_value(version);
    if (migration != NULL)
        facts->migration = xstrdup(json_string_value(migration));
    facts->tables = xcalloc(json_object_size(rows), sizeof(*facts->tables));
    json_object_foreach(rows, name, count)
    {
        if (!json_is_integer(count) || json_integer_value(count) < 0)
            return bad(err, "rows");
        facts->tables[facts->count++] =
            (struct database_table){xstrdup(name), (uint64_t)json_integer_value(count)};
    }
    return true;
}

static bool parse_files(struct manifest *manifest, const json_t *array, struct err *err)
{
    uint64_t sum = 0;
    size_t index;
    json_t *object;

    if (!json_is_array(array))
        return bad(err, "files");
    json_array_foreach(array, index, object)
    {
        const json_t *database = json_object_get(object, "database");
        struct manifest_file *file;
        const char *path;

        if (!get_path(json_object_get(object, "path"), &path, err))
            return false;
        file = manifest_add_file(manifest, path);
        file->is_database = database != NULL;
        if (!get_count(object, "size", &file->size_bytes, err) ||
            !get_hex(object, "sha256", file->sha256, sizeof(file->sha256), err) ||
            (database != NULL && !parse_database(database, &file->facts, err)))
            return false;
        if (__builtin_add_overflow(sum, file->size_bytes, &sum) || sum > INT64_MAX)
            return bad(err, "sizes");
    }
    return true;
}

static bool parse_directories(struct manifest *manifest, const json_t *array, struct err *err)
{
    size_t index;
    json_t *value;

    if (!json_is_array(array))
        return bad(err, "directories");
    json_array_foreach(array, index, value)
    {
        const char *path;

        if (!get_path(value, &path, err))
            return false;
        manifest_add_directory(manifest, path);
    }
    return true;
}

static bool parse_links(struct manifest *manifest, const json_t *array, struct err *err)
{
    size_t index;
    json_t *object;

    if (!json_is_array(array))
        return bad(err, "links");
    json_array_foreach(array, index, object)
    {
        const char *target = json_string_value(json_object_get(object, "target"));
        const char *path;

        if (!get_path(json_object_get(object, "path"), &path, err))
            return false;
        if (target == NULL || !inventory_link_stays(path, target))
            return bad(err, "a link that leads out");
        manifest_add_link(manifest, path, target);
    }
    return true;
}

static bool parse_secrets(struct manifest *manifest, const json_t *array, struct err *err)
{
    size_t index;
    json_t *object;

    if (!json_is_array(array))
        return bad(err, "secrets");
    json_array_foreach(array, index, object)
    {
        const char *name = json_string_value(json_object_get(object, "name"));
        struct manifest_secret *secret;

        if (name == NULL || name[0] == '\0' || strlen(name) > 256)
            return bad(err, "secrets");
        secret = manifest_add_secret(manifest, name);
        secret->is_set = json_object_get(object, "fingerprint") != NULL;
        if (secret->is_set &&
            !get_hex(object, "fingerprint", secret->fingerprint, sizeof(secret->fingerprint), err))
            return false;
    }
    return true;
}

struct place {
    const char *path;
    bool is_directory;
};

/* With '/' before every other byte, what is below a path follows it at once. */
static int by_place(const void *a, const void *b)
{
    const unsigned char *p = (const unsigned char *)((const struct place *)a)->path;
    const unsigned char *q = (const unsigned char *)((const struct place *)b)->path;

    while (*p != '\0' && *p == *q) {
        p++;
        q++;
    }
    if (*p == *q)
        return 0;
    if (*p == '\0' || *q == '\0')
        return *p == '\0' ? -1 : 1;
    if (*p == '/' || *q == '/')
        return *p == '/' ? -1 : 1;
    return *p < *q ? -1 : 1;
}

static bool has_parent(const struct place *places, size_t count, const char *path)
{
    cleanup_free char *parent = xstrdup(path);
    char *slash = strrchr(parent, '/');
    struct place key = {.path = parent};
    const struct place *found;

    if (slash == NULL)
        return true; /* the top itself */
    *slash = '\0';
    found = bsearch(&key, places, count, sizeof(*places), by_place);
    return found != NULL && found->is_directory;
}

/* Nothing twice, and every parent a directory of the manifest. */
static bool check_places(const struct manifest *manifest, struct err *err)
{
    size_t count = manifest->directory_count + manifest->file_count + manifest->link_count;
    cleanup_free struct place *places = xcalloc(count, sizeof(*places));
    size_t used = 0;

    for (size_t i = 0; i < manifest->directory_count; i++)
        places[used++] = (struct place){manifest->directories[i], true};
    for (size_t i = 0; i < manifest->file_count; i++)
        places[used++] = (struct place){manifest->files[i].path, false};
    for (size_t i = 0; i < manifest->link_count; i++)
        places[used++] = (struct place){manifest->links[i].path, false};
    qsort(places, count, sizeof(*places), by_place);
    if (count == 0 || strcmp(places[0].path, INVENTORY_TOP) != 0 || !places[0].is_directory)
        return bad(err, "no directory '" INVENTORY_TOP "'");
    for (size_t i = 1; i < count; i++) {
        if (strcmp(places[i - 1].path, places[i].path) == 0)
            return bad(err, "a path that comes twice");
        if (!has_parent(places, count, places[i].path))
            return bad(err, "a path in no directory");
    }
    return true;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int by_file(const void *a, const void *b)
{
    return strcmp(((const struct manifest_file *)a)->path, ((const struct manifest_file *)b)->path);
}

static int by_link(const void *a, const void *b)
{
    return strcmp(((const struct manifest_link *)a)->path, ((const struct manifest_link *)b)->path);
}

static void *find(const void *key, void *items, size_t count, size_t size,
                  int (*compare)(const void *a, const void *b))
{
    return count > 0 ? bsearch(key, items, count, size, compare) : NULL;
}

bool manifest_has_directory(const struct manifest *manifest, const char *path)
{
    return find(&path, manifest->directories, manifest->directory_count,
                sizeof(*manifest->directories), by_text) != NULL;
}

struct manifest_file *manifest_find_file(struct manifest *manifest, const char *path)
{
    const struct manifest_file key = {.path = (char *)path};

    return find(&key, manifest->files, manifest->file_count, sizeof(*manifest->files), by_file);
}

struct manifest_link *manifest_find_link(struct manifest *manifest, const char *path)
{
    const struct manifest_link key = {.path = (char *)path};

    return find(&key, manifest->links, manifest->link_count, sizeof(*manifest->links), by_link);
}

/* By path: a directory is a prefix of what is in it, and so comes before it. */
static void sort(struct manifest *manifest)
{
    if (manifest->directory_count > 0)
        qsort(manifest->directories, manifest->directory_count, sizeof(*manifest->directories),
              by_text);
    if (manifest->file_count > 0)
        qsort(manifest->files, manifest->file_count, sizeof(*manifest->files), by_file);
    if (manifest->link_count > 0)
        qsort(manifest->links, manifest->link_count, sizeof(*manifest->links), by_link);
}

static bool parse_head(struct manifest *manifest, const json_t *root, struct err *err)
{
    const json_t *format = json_object_get(root, "format");
    uint64_t seconds = 0;

    if (!json_is_integer(format))
        return bad(err, "format");
    if (json_integer_value(format) != MANIFEST_FORMAT) {
        (void)bad(err, "it is of a later format");
        return err_hint(err, "restore it with a newer bundle");
    }
    if (!get_text(root, "name", &manifest->name, err) ||
        !get_text(root, "host", &manifest->host, err) ||
        !get_count(root, "seconds", &seconds, err) ||
        !get_hex(root, "id", manifest->id, sizeof(manifest->id), err) ||
        !get_hex(root, "lineage", manifest->lineage.id, sizeof(manifest->lineage.id), err) ||
        !get_count(root, "epoch", &manifest->lineage.epoch, err) ||
        !get_count(root, "number", &manifest->lineage.number, err))
        return false;
    /* They are counted on from. */
    if (manifest->lineage.epoch > INT64_MAX / 2 || manifest->lineage.number > INT64_MAX / 2)
        return bad(err, "epoch and number");
    manifest->time = (int64_t)seconds;
    return json_object_get(root, "bundle") == NULL ||
           get_text(root, "bundle", &manifest->bundle, err);
}

bool manifest_parse(struct manifest *ret, const char *text, size_t size, struct err *err)
{
    struct manifest manifest = {0};
    json_error_t why;
    json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &why);
    bool ok;

    if (root == NULL)
        return bad(err, why.text);
    ok = parse_head(&manifest, root, err) &&
         parse_secrets(&manifest, json_object_get(root, "secrets"), err) &&
         parse_directories(&manifest, json_object_get(root, "directories"), err) &&
         parse_files(&manifest, json_object_get(root, "files"), err) &&
         parse_links(&manifest, json_object_get(root, "links"), err) &&
         check_places(&manifest, err);
    json_decref(root);
    manifest_measure(&manifest, &manifest.lineage);
    sort(&manifest);
    if (ok)
        *ret = manifest;
    else
        manifest_release(&manifest);
    return ok;
}
