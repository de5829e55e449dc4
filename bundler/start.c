/* SPDX-License-Identifier: MIT */
#include "bundler/start.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bundler/boot.h"
#include "bundler/store.h"
#include "bundler/trace.h"
#include "common/cleanup.h"
#include "common/format.h"
#include "common/xalloc.h"

enum { KEPT_MAX = 64 << 20 };

static int compare_texts(const char *a, const char *b)
{
    return strcmp(a != NULL ? a : "", b != NULL ? b : "");
}

/* One of the trace, until there is an order. */
struct seen {
    struct start_file file; /* points into the trace */
    size_t order;           /* of the app's first thread; SIZE_MAX: another's */
};

static int compare_files(const struct start_file *a, const struct start_file *b)
{
    int order = strcmp(a->real, b->real);

    if (order == 0)
        order = compare_texts(a->name, b->name);
    return order != 0 ? order : a->is_executed - b->is_executed;
}

static int by_order(const void *left, const void *right)
{
    const struct seen *a = left;
    const struct seen *b = right;
    int order = (a->order > b->order) - (a->order < b->order);

    return order != 0 ? order : compare_files(&a->file, &b->file);
}

static int by_file(const void *left, const void *right)
{
    const struct seen *a = left;
    const struct seen *b = right;
    int order = compare_files(&a->file, &b->file);

    return order != 0 ? order : by_order(a, b);
}

static void release_file(struct start_file *file)
{
    free(file->real);
    free(file->name);
}

static void add(struct start *start, size_t *capacity, const char *real, const char *name,
                bool is_executed)
{
    start->files = xgrow(start->files, capacity, start->count, sizeof(*start->files));
    start->files[start->count++] =
        (struct start_file){xstrdup(real), name != NULL ? xstrdup(name) : NULL, is_executed};
}

/* The app's: what the launcher becomes is the first program of the bundle. */
static pid_t first_thread(const struct boot *boot)
{
    const struct trace *trace = &boot->trace;
    const struct trace_file *first = NULL;

    for (size_t i = 0; i < trace->count; i++) {
        const struct trace_file *file = &trace->files[i];

        if (file->is_executed && boot_image_path(boot, file, file->path) != NULL &&
            (first == NULL || file->order < first->order))
            first = file;
    }
    return first != NULL ? first->thread : 0;
}

static size_t find_seen(const struct boot *boot, struct seen *all)
{
    const struct trace *trace = &boot->trace;
    pid_t thread = first_thread(boot);
    size_t count = 0;

    for (size_t i = 0; i < trace->count; i++) {
        const struct trace_file *file = &trace->files[i];
        const char *real = boot_image_path(boot, file, file->path);
        const char *name = file->name != NULL ? boot_image_path(boot, file, file->name) : NULL;

        if (real == NULL || file->error != 0 ||
            strncmp(real, FORMAT_ISEQS, strlen(FORMAT_ISEQS)) == 0)
            continue;
        all[count++] = (struct seen){
            {(char *)real, (char *)name, file->is_executed},
            file->thread == thread ? file->order : SIZE_MAX,
        };
    }
    return count;
}

void start_learn(struct start *ret, const struct boot *boot)
{
    cleanup_free struct seen *all = xcalloc(boot->trace.count + 1, sizeof(*all));
    size_t count = find_seen(boot, all);
    size_t capacity = 0;
    size_t kept = 0;

    *ret = (struct start){0};
    qsort(all, count, sizeof(*all), by_file);
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || compare_files(&all[kept - 1].file, &all[i].file) != 0)
            all[kept++] = all[i];
    qsort(all, kept, sizeof(*all), by_order);
    for (size_t i = 0; i < kept; i++)
        add(ret, &capacity, all[i].file.real, all[i].file.name, all[i].file.is_executed);
}

void start_release(struct start *start)
{
    for (size_t i = 0; i < start->count; i++)
        release_file(&start->files[i]);
    free(start->files);
    *start = (struct start){0};
}

bool start_equals(const struct start *a, const struct start *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (compare_files(&a->files[i], &b->files[i]) != 0)
            return false;
    return true;
}

static struct store_key key_of(const char *application)
{
    const struct store_piece piece = {application, strlen(application)};

    return store_key(&piece, 1);
}

/* The text at *at, up to its NUL; NULL when there is none any more. */
static const char *take(const char **at, const char *end)
{
    const char *text = *at;
    const char *nul = text < end ? memchr(text, '\0', (size_t)(end - text)) : NULL;

    if (nul != NULL)
        *at = nul + 1;
    return nul != NULL ? text : NULL;
}

/* Each file: 'x' or '-' and its path, then its name or nothing; both with a NUL. */
bool start_recall(struct start *ret, const char *application)
{
    struct store *store = store_open("starts");
    struct store_key key = key_of(application);
    size_t size = 0;
    size_t capacity = 0;
    cleanup_free char *kept = store_load(store, &key, KEPT_MAX, &size);
    const char *at = kept;
    const char *real;
    const char *name;

    store_close(store);
    *ret = (struct start){0};
    while (kept != NULL && (real = take(&at, kept + size)) != NULL && real[0] != '\0' &&
           (name = take(&at, kept + size)) != NULL)
        add(ret, &capacity, real + 1, name[0] != '\0' ? name : NULL, real[0] == 'x');
    return ret->count > 0;
}

void start_keep(const struct start *start, const char *application)
{
    struct store *store = store_open("starts");
    struct store_key key = key_of(application);
    size_t size = 0;
    cleanup_free char *text = NULL;
    char *at;

    for (size_t i = 0; i < start->count; i++)
        size += strlen(start->files[i].real) + 3 +
                (start->files[i].name != NULL ? strlen(start->files[i].name) : 0);
    text = xcalloc(size + 1, 1);
    at = text;
    for (size_t i = 0; i < start->count; i++) {
        const struct start_file *file = &start->files[i];
        const char *name = file->name != NULL ? file->name : "";

        *at = file->is_executed ? 'x' : '-';
        at = stpcpy(at + 1, file->real) + 1;
        at = stpcpy(at, name) + 1;
    }
    store_put(store, &key, text, size);
    store_close(store);
}
