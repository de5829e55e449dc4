/* SPDX-License-Identifier: MIT */
#include "bundler/compiled.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bundler/asset.h"
#include "bundler/childenv.h"
#include "bundler/extras.h"
#include "bundler/hash.h"
#include "bundler/iseqs.h"
#include "bundler/jdoc.h"
#include "bundler/plan.h"
#include "bundler/start.h"
#include "bundler/store.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/format.h"
#include "common/fs.h"
#include "common/proc.h"
#include "common/text.h"
#include "common/xalloc.h"

enum {
    OUTPUT_MAX_BYTES = 1 << 20,
    PACK_MAX = 1 << 30,
    SOURCE_MAX = 64 << 20,
    TIMEOUT_MS = 300 * 1000,
};

static const struct plan_origin origin = {PLAN_PART_RUNTIME, "compiled sources"};

/* One source of the start. */
struct source {
    const char *name; /* in the image, as it is loaded */
    const char *real;
    char *text;
    size_t size_bytes;
    struct store_key key; /* of all that its compiled form depends on */
    bool is_known;        /* the store has it */
};

struct work {
    struct store *store;
    struct store_key ruby; /* where the store has the options that it compiles with */
    struct source *sources;
    size_t count;
    struct iseqs iseqs; /* what is known, then all */
    char *options;
};

static void work_release(struct work *work)
{
    for (size_t i = 0; i < work->count; i++)
        free(work->sources[i].text);
    free(work->sources);
    store_close(work->store);
    iseqs_release(&work->iseqs);
    free(work->options);
}

/* Ruby by its bytes, and by those of its library: no other one reads what it compiles. */
static bool name_ruby(struct store_key *ret, const struct compiled_ruby *ruby, struct err *err)
{
    const char *const paths[] = {ruby->program, ruby->library};
    uint8_t hashes[2][FORMAT_HASH_SIZE] = {0};
    struct asset script = asset_get(ASSET_COMPILE);
    struct store_piece pieces[] = {{hashes, sizeof(hashes)}, {script.data, script.size}};

    for (size_t i = 0; i < 2; i++) {
        cleanup_fd int fd = paths[i] != NULL ? open(paths[i], O_RDONLY | O_CLOEXEC) : -1;
        struct stat st;

        if (paths[i] == NULL)
            continue;
        if (fd < 0 || fstat(fd, &st) != 0)
            return err_sys(err, "'%s'", paths[i]);
        if (!hash_range(fd, 0, (uint64_t)st.st_size, hashes[i], err))
            return err_wrap(err, "'%s'", paths[i]);
    }
    *ret = store_key(pieces, 2);
    return true;
}

/* As the recipes say. Behind __END__, or a NUL, nothing is compiled. */
static void add_behind(struct source *source, const char *file, const struct extras_pairs *behind)
{
    for (size_t i = 0; i < behind->count; i++) {
        cleanup_free char *text = NULL;

        if (strcmp(behind->items[i].name, file) != 0 ||
            strlen(source->text) != source->size_bytes || strstr(source->text, "__END__") != NULL)
            continue;
        text = xasprintf("%s\n%s\n", source->text, behind->items[i].value);
        free(source->text);
        source->size_bytes = strlen(text);
        source->text = steal_ptr(&text);
    }
}

static bool read_source(struct source *source, const struct plan_entry *entry,
                        const struct extras_pairs *behind, struct err *err)
{
    if (entry->type == PLAN_DATA) {
        source->text = xstrndup(entry->data, entry->size_bytes);
        source->size_bytes = entry->size_bytes;
        return true;
    }
    if (!fs_read_file(entry->source, SOURCE_MAX, &source->text, &source->size_bytes, err))
        return false;
    add_behind(source, entry->source, behind);
    return true;
}

static void name_source(struct source *source, const struct store_key *ruby)
{
    const struct store_piece pieces[] = {{ruby, sizeof(*ruby)},
                                         {source->name, strlen(source->name)},
                                         {source->real, strlen(source->real)},
                                         {source->text, source->size_bytes}};

    source->key = store_key(pieces, sizeof(pieces) / sizeof(pieces[0]));
}

/* To evaluate a gem's specification takes four times as long when it is parsed. */
static bool is_source(const char *path)
{
    return text_ends_with(path, ".rb") || text_ends_with(path, ".gemspec");
}

static bool list_sources(struct work *work, const struct start *start,
                         const struct extras_pairs *behind, const struct plan *plan,
                         struct err *err)
{
    work->sources = xcalloc(start->count + 1, sizeof(*work->sources));
    for (size_t i = 0; i < start->count; i++) {
        const struct start_file *file = &start->files[i];
        const struct plan_entry *entry = plan_find(plan, file->real);
        struct source *source = &work->sources[work->count];

        if (entry == NULL || (entry->type != PLAN_FILE && entry->type != PLAN_DATA) ||
            file->is_executed || !is_source(file->real))
            continue;
        source->name = file->name != NULL && is_source(file->name) ? file->name : file->real;
        source->real = file->real;
        work->count++;
        if (!read_source(source, entry, behind, err))
            return false;
        name_source(source, &work->ruby);
    }
    return true;
}

/* A file without a name, with these bytes. */
static int hold(const char *bytes, size_t size, struct err *err)
{
    cleanup_fd int fd = memfd_create("rucksack-sources", MFD_CLOEXEC);
    bool ok = fd < 0 ? err_sys(err, "memfd_create") : fs_write_all(fd, bytes, size, err);

    return ok ? steal_fd(&fd) : -1;
}

/* The texts that the store does not know, one after the other. */
static int write_texts(const struct work *work, struct err *err)
{
    cleanup_fd int fd = hold("", 0, err);

    for (size_t i = 0; i < work->count; i++) {
        const struct source *source = &work->sources[i];

        if (fd < 0 ||
            (!source->is_known && !fs_write_all(fd, source->text, source->size_bytes, err)))
            return -1;
    }
    return steal_fd(&fd);
}

/* Whose they are, and where they stand. */
static int write_list(const struct work *work, struct err *err)
{
    struct jdoc *all = jdoc_array();
    cleanup_free char *text = NULL;
    uint64_t at = 0;

    for (size_t i = 0; i < work->count; i++) {
        const struct source *source = &work->sources[i];
        struct jdoc *one;

        if (source->is_known)
            continue;
        one = jdoc_object();
        jdoc_set_text(one, "name", source->name);
        jdoc_set_text(one, "real", source->real);
        jdoc_set_number(one, "at", (int64_t)at);
        jdoc_set_number(one, "size", (int64_t)source->size_bytes);
        jdoc_push(all, one);
        at += source->size_bytes;
    }
    text = jdoc_format(all);
    jdoc_free(all);
    return hold(text, strlen(text), err);
}

enum { SCRIPT, LIST, TEXTS, PACK, FILES };

/* Ruby finds the files by our descriptors. */
static bool start_ruby(const char *ruby, const int fds[FILES], struct proc_output *output,
                       struct err *err)
{
    static const char *const without[] = {
        "RUBYOPT=", "RUBYLIB=", "GEM_", "BUNDLE", "LC_ALL=", "MALLOC_", "GLIBC_TUNABLES=", NULL};
    /* MRI's parser writes numbers of nodes that it has not set: with memory that is always the
     * same, the pack is always the same, too (mallopt(3), M_PERTURB). */
    static const char *const with[] = {"LC_ALL=C.UTF-8", "MALLOC_PERTURB_=255",
                                       "GLIBC_TUNABLES=glibc.malloc.perturb=255", NULL};
    cleanup_free char *lanes = xasprintf("%ld", sysconf(_SC_NPROCESSORS_ONLN));
    char *paths[FILES];
    char **envp = childenv_make(without, with);
    bool ok;

    for (size_t i = 0; i < FILES; i++)
        paths[i] = xasprintf("/proc/%ld/fd/%d", (long)getpid(), fds[i]);
    {
        const char *const argv[] = {ruby,         "--disable=gems", paths[SCRIPT], paths[LIST],
                                    paths[TEXTS], paths[PACK],      lanes,         NULL};
        const struct proc_request request = {
            .argv = argv,
            .envp = (const char *const *)envp,
            .output_max_bytes = OUTPUT_MAX_BYTES,
            .timeout_ms = TIMEOUT_MS,
        };

        ok = proc_capture(&request, output, err);
    }
    for (size_t i = 0; i < FILES; i++)
        free(paths[i]);
    childenv_free(envp);
    return ok;
}

static bool read_made(int pack, struct iseqs *ret, struct err *err)
{
    cleanup_free char *path = xasprintf("/proc/self/fd/%d", pack);
    cleanup_free char *bytes = NULL;
    size_t size;

    return fs_read_file(path, PACK_MAX, &bytes, &size, err) && iseqs_read(ret, bytes, size, err);
}

/* What the store does not know. An exit code of Ruby's is no failure. */
static bool run(const char *ruby, const struct work *work, struct proc_output *output,
                struct iseqs *ret, struct err *err)
{
    int fds[FILES] = {-1, -1, -1, -1};
    bool ok = asset_open(ASSET_COMPILE, &fds[SCRIPT], err);

    if (ok)
        fds[LIST] = write_list(work, err);
    if (fds[LIST] >= 0)
        fds[TEXTS] = write_texts(work, err);
    if (fds[TEXTS] >= 0)
        fds[PACK] = hold("", 0, err);
    ok = fds[PACK] >= 0 && start_ruby(ruby, fds, output, err);
    if (ok && output->exit_code == 0)
        ok = read_made(fds[PACK], ret, err);
    for (size_t i = 0; i < FILES; i++)
        if (fds[i] >= 0)
            (void)close(fds[i]);
    return ok;
}

/* Takes what is kept; true when that is all. A value without a byte: Ruby cannot compile it. */
static bool recall(struct work *work)
{
    bool all = true;
    size_t size;

    work->options = store_load(work->store, &work->ruby, OUTPUT_MAX_BYTES, &size);
    for (size_t i = 0; work->options != NULL && i < work->count; i++) {
        struct source *source = &work->sources[i];
        cleanup_free char *value = store_load(work->store, &source->key, PACK_MAX, &size);

        source->is_known =
            value != NULL && (size == 0 || iseqs_add(&work->iseqs, source->name, value, size));
        all = all && source->is_known;
    }
    return all && work->options != NULL;
}

static bool keep_made(struct work *work, const struct iseqs *made)
{
    bool ok = true;

    for (size_t i = 0; i < work->count; i++) {
        const struct source *source = &work->sources[i];
        const struct iseqs_source *found = iseqs_find(made, source->name);

        if (source->is_known)
            continue;
        if (found != NULL)
            ok = iseqs_add(&work->iseqs, source->name, found->value, found->size_bytes) && ok;
        store_put(work->store, &source->key, found != NULL ? found->value : "",
                  found != NULL ? found->size_bytes : 0);
    }
    store_put(work->store, &work->ruby, work->options, strlen(work->options));
    return ok;
}

static bool make(struct work *work, const char *ruby, char **ret_why_not, struct err *err)
{
    cleanup_with(proc_output_release) struct proc_output output = {0};
    cleanup_with(iseqs_release) struct iseqs made = {0};
    char *options = NULL;

    if (!run(ruby, work, &output, &made, err))
        return err_wrap(err, "compiled sources");
    if (output.exit_code != 0) {
        *ret_why_not = text_visible(text_last_lines(output.errors, 1));
        return true;
    }
    (void)strtoul(output.out, &options, 10);
    free(work->options);
    work->options = xstrdup(text_last_lines(options, 1));
    return keep_made(work, &made) || err_set(err, ERR_INPUT, "what Ruby has compiled is no pack");
}

static bool plan_pack(struct work *work, struct plan *plan, struct err *err)
{
    struct asset reader = asset_get(ASSET_ISEQS);
    struct asset starter = asset_get(ASSET_ISEQS_STARTER);
    cleanup_free char *text = text_replace((const char *)starter.data, "@OPTIONS@", work->options);
    cleanup_free char *bytes = NULL;
    size_t size;

    return iseqs_write(&work->iseqs, &bytes, &size, err) &&
           plan_add_data(plan, FORMAT_ISEQS, 0644, bytes, size, origin, err) &&
           plan_add_data(plan, FORMAT_DIR "/iseqs.so", 0644, reader.data, reader.size, origin,
                         err) &&
           plan_add_data(plan, FORMAT_DIR "/iseqs.rb", 0644, text, strlen(text), origin, err);
}

bool compiled_plan(struct compiled *ret, const struct start *start,
                   const struct compiled_ruby *ruby, struct plan *plan, struct err *err)
{
    cleanup_with(work_release) struct work work = {0};

    *ret = (struct compiled){0};
    if (!name_ruby(&work.ruby, ruby, err) || !list_sources(&work, start, ruby->behind, plan, err))
        return false;
    work.store = ruby->no_cache ? NULL : store_open("compiled");
    if (!recall(&work) && !make(&work, ruby->program, &ret->why_not, err))
        return false;
    ret->count = ret->why_not == NULL ? work.iseqs.count : 0;
    return ret->count == 0 || plan_pack(&work, plan, err);
}

void compiled_forget(struct plan *plan)
{
    plan_remove(plan, FORMAT_ISEQS);
    plan_remove(plan, FORMAT_DIR "/iseqs.so");
    plan_remove(plan, FORMAT_DIR "/iseqs.rb");
}

void compiled_release(struct compiled *compiled)
{
    free(compiled->why_not);
    *compiled = (struct compiled){0};
}
