/* SPDX-License-Identifier: MIT */
#include "bundler/owner.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/fs.h"
#include "common/proc.h"
#include "common/xalloc.h"

enum { RPM_OUTPUT_MAX = 64 << 10, RPM_TIMEOUT_MS = 10000 };

/* One spelling of a path that is looked for. */
struct query {
    char *path;
    size_t index;
};

struct search {
    const char *kind; /* of the database that is read */
    struct owner *owners;
    char **architectures; /* by index; of the dpkg package, or NULL */
    size_t count;
    struct query *queries; /* sorted by path */
    size_t query_count;
};

static void add_query(struct search *search, char *path, size_t index)
{
    search->queries[search->query_count++] = (struct query){path, index};
}

/* "/usr/lib/x" and "/lib/x" */
static void add_spellings(struct search *search, const char *path, size_t index)
{
    add_query(search, xstrdup(path), index);
    add_query(search,
              strncmp(path, "/usr/", 5) == 0 ? xstrdup(path + 4) : xasprintf("/usr%s", path),
              index);
}

static int compare_queries(const void *a, const void *b)
{
    return strcmp(((const struct query *)a)->path, ((const struct query *)b)->path);
}

static void search_init(struct search *search, struct owner *owners, const char *const *paths,
                        size_t count)
{
    *search = (struct search){
        .owners = owners,
        .architectures = xcalloc(count, sizeof(*search->architectures)),
        .count = count,
        .queries = xcalloc(4 * count, sizeof(*search->queries)),
    };
    for (size_t i = 0; i < count; i++) {
        cleanup_free char *real = realpath(paths[i], NULL);

        owners[i] = (struct owner){0};
        add_spellings(search, paths[i], i);
        if (real != NULL && strcmp(real, paths[i]) != 0)
            add_spellings(search, real, i);
    }
    if (search->query_count > 0)
        qsort(search->queries, search->query_count, sizeof(*search->queries), compare_queries);
}

static void search_release(struct search *search)
{
    for (size_t i = 0; i < search->query_count; i++)
        free(search->queries[i].path);
    for (size_t i = 0; i < search->count; i++)
        free(search->architectures[i]);
    free(search->queries);
    free(search->architectures);
}

/* The first query with this path, or NULL: several files can be looked for by one path. */
static const struct query *find_query(const struct search *search, const char *path)
{
    size_t low = 0;
    size_t high = search->query_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(search->queries[middle].path, path) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < search->query_count && strcmp(search->queries[low].path, path) == 0
               ? &search->queries[low]
               : NULL;
}

/* The first package that has a path keeps it. */
static void take(struct search *search, const char *path, const char *package, size_t package_len,
                 const char *architecture, const char *version)
{
    const struct query *end = search->queries + search->query_count;
    const struct query *query = find_query(search, path);

    for (; query != NULL && query < end && strcmp(query->path, path) == 0; query++) {
        struct owner *owner = &search->owners[query->index];

        if (owner->package != NULL || package_len == 0)
            continue;
        owner->kind = search->kind;
        owner->package = xstrndup(package, package_len);
        owner->version = version == NULL ? NULL : xstrdup(version);
        if (architecture != NULL)
            search->architectures[query->index] = xstrdup(architecture);
    }
}

static char *read_text(const char *path)
{
    struct err ignored = {0};
    char *text = NULL;
    size_t size;

    return fs_read_file(path, OWNER_DATABASE_MAX, &text, &size, &ignored) ? text : NULL;
}

/* Cuts the next line off; NULL at the end. */
static char *next_line(char **text)
{
    char *line = *text;
    char *end;

    if (line == NULL || *line == '\0')
        return NULL;
    end = strchr(line, '\n');
    if (end != NULL)
        *end = '\0';
    *text = end == NULL ? NULL : end + 1;
    return line;
}

/* NAME.list or NAME:ARCHITECTURE.list: one absolute path a line. */
static void read_list(struct search *search, const char *dir, const char *name)
{
    size_t len = strlen(name) - strlen(".list");
    size_t package_len = strcspn(name, ":");
    cleanup_free char *path = xasprintf("%s/%s", dir, name);
    cleanup_free char *text = read_text(path);
    cleanup_free char *architecture =
        package_len < len ? xstrndup(name + package_len + 1, len - package_len - 1) : NULL;
    char *rest = text;
    const char *line;

    while ((line = next_line(&rest)) != NULL)
        take(search, line, name, package_len < len ? package_len : len, architecture, NULL);
}

static int compare_names(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_list(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);

    return len > 5 && strcmp(entry->d_name + len - 5, ".list") == 0;
}

/* The stanza of one package in the status file, field by field. */
struct stanza {
    const char *package;
    const char *architecture;
    const char *version;
};

static void take_version(struct search *search, const struct stanza *stanza)
{
    for (size_t i = 0; stanza->package != NULL && stanza->version != NULL && i < search->count;
         i++) {
        struct owner *owner = &search->owners[i];
        const char *architecture = search->architectures[i];

        if (owner->package == NULL || owner->version != NULL ||
            strcmp(owner->package, stanza->package) != 0)
            continue;
        if (architecture == NULL || stanza->architecture == NULL ||
            strcmp(architecture, stanza->architecture) == 0)
            owner->version = xstrdup(stanza->version);
    }
}

static void read_status(struct search *search, const char *path)
{
    cleanup_free char *text = read_text(path);
    struct stanza stanza = {0};
    char *rest = text;
    const char *line;

    while ((line = next_line(&rest)) != NULL) {
        if (line[0] == '\0') {
            take_version(search, &stanza);
            stanza = (struct stanza){0};
        } else if (strncmp(line, "Package: ", 9) == 0) {
            stanza.package = line + 9;
        } else if (strncmp(line, "Architecture: ", 14) == 0) {
            stanza.architecture = line + 14;
        } else if (strncmp(line, "Version: ", 9) == 0) {
            stanza.version = line + 9;
        }
    }
    take_version(search, &stanza);
}

static void ask_dpkg(struct search *search, const char *root)
{
    cleanup_free char *dir = xasprintf("%s/var/lib/dpkg/info", root);
    cleanup_free char *status = xasprintf("%s/var/lib/dpkg/status", root);
    struct dirent **names = NULL;
    int count = scandir(dir, &names, is_list, compare_names);

    search->kind = "deb";
    for (int i = 0; i < count; i++) {
        read_list(search, dir, names[i]->d_name);
        free(names[i]);
    }
    free(names);
    if (count > 0)
        read_status(search, status);
}

/* P: package, V: version, F: directory, R: file in it; an empty line ends a package. */
static void ask_apk(struct search *search, const char *root)
{
    cleanup_free char *database = xasprintf("%s/lib/apk/db/installed", root);
    cleanup_free char *text = read_text(database);
    const char *package = "";
    const char *version = "";
    const char *dir = "";
    char *rest = text;
    const char *line;

    search->kind = "apk";
    while ((line = next_line(&rest)) != NULL) {
        const char *value = line[0] != '\0' && line[1] == ':' ? line + 2 : "";

        if (line[0] == 'P')
            package = value;
        else if (line[0] == 'V')
            version = value;
        else if (line[0] == 'F')
            dir = value;
        else if (line[0] == 'R') {
            cleanup_free char *path = xasprintf("/%s/%s", dir, value);

            take(search, path, package, strlen(package), NULL, version);
        }
    }
}

/* "NAME<TAB>VERSION" for a file of a package; anything else is no answer. */
static void ask_rpm_for(struct search *search, size_t index, const char *path, const char *root,
                        const char *database)
{
    const char *argv[] = {
        "rpm", "--root", root[0] == '\0' ? "/" : root,         "--dbpath", database,
        "-qf", "--qf",   "%{NAME}\\t%{VERSION}-%{RELEASE}\\n", path,       NULL};
    struct proc_output output = {0};
    struct err ignored = {0};
    size_t name;
    size_t version;

    if (!proc_capture(&(struct proc_request){.argv = argv,
                                             .output_max_bytes = RPM_OUTPUT_MAX,
                                             .timeout_ms = RPM_TIMEOUT_MS},
                      &output, &ignored))
        return;
    name = strcspn(output.out, "\t\n");
    version = output.out[name] == '\t' ? strcspn(output.out + name + 1, "\n") : 0;
    if (output.exit_code == 0 && name > 0 && version > 0) {
        search->owners[index].kind = "rpm";
        search->owners[index].package = xstrndup(output.out, name);
        search->owners[index].version = xstrndup(output.out + name + 1, version);
    }
    proc_output_release(&output);
}

/* Debian has the program rpm, too, and at times a database without anything in it: only where the
 * others know nothing. */
static void ask_rpm(struct search *search, const char *const *paths, const char *root)
{
    static const char *const places[] = {"/usr/lib/sysimage/rpm", "/var/lib/rpm"};
    const char *database = NULL;

    for (size_t i = 0; i < search->count; i++)
        if (search->owners[i].package != NULL)
            return;
    for (size_t i = 0; i < 2; i++) {
        cleanup_free char *place = xasprintf("%s%s", root, places[i]);

        if (access(place, F_OK) == 0)
            database = places[i];
    }
    for (size_t i = 0; database != NULL && i < search->count; i++)
        if (search->owners[i].package == NULL)
            ask_rpm_for(search, i, paths[i], root, database);
}

void owner_find(struct owner *owners, const char *const *paths, size_t count, const char *root)
{
    struct search search;

    search_init(&search, owners, paths, count);
    ask_dpkg(&search, root);
    ask_apk(&search, root);
    ask_rpm(&search, paths, root);
    search_release(&search);
}

void owner_release(struct owner *owners, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(owners[i].package);
        free(owners[i].version);
    }
}
