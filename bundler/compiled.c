/* SPDX-License-Identifier: MIT */
#include "bundler/compiled.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bundler/asset.h"
#include "bundler/boot.h"
#include "bundler/childenv.h"
#include "bundler/jdoc.h"
#include "bundler/plan.h"
#include "bundler/trace.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/format.h"
#include "common/fs.h"
#include "common/proc.h"
#include "common/text.h"
#include "common/xalloc.h"

enum { OUTPUT_MAX_BYTES = 1 << 20, PACK_MAX = 1 << 30, TIMEOUT_MS = 300 * 1000 };

static const struct plan_origin origin = {PLAN_PART_RUNTIME, "compiled sources"};

static bool is_source(const char *path)
{
    size_t len = strlen(path);

    return len > 3 && strcmp(path + len - 3, ".rb") == 0;
}

/* One source: as it is loaded, without symlinks, and its file or its text. */
static void list(struct jdoc *all, const struct trace_file *file, const struct plan *plan)
{
    const char *real = boot_image_path(file, file->path);
    const char *name = file->name != NULL ? boot_image_path(file, file->name) : NULL;
    const struct plan_entry *entry = real != NULL ? plan_find(plan, real) : NULL;
    cleanup_free char *text = NULL;
    struct jdoc *one;

    if (entry == NULL || (entry->type != PLAN_FILE && entry->type != PLAN_DATA) ||
        file->error != 0 || file->is_executed || !is_source(real))
        return;
    if (entry->type == PLAN_DATA)
        text = xstrndup(entry->data, entry->size_bytes);
    one = jdoc_object();
    jdoc_set_text(one, "name", name != NULL && is_source(name) ? name : real);
    jdoc_set_text(one, "real", real);
    jdoc_set_text(one, "file", entry->source);
    jdoc_set_text(one, "text", text);
    jdoc_push(all, one);
}

static int write_list(const struct trace *trace, const struct plan *plan, struct err *err)
{
    struct jdoc *all = jdoc_array();
    cleanup_fd int fd = memfd_create("rucksack-list", MFD_CLOEXEC);
    cleanup_free char *text = NULL;
    bool ok;

    for (size_t i = 0; i < trace->count; i++)
        list(all, &trace->files[i], plan);
    text = jdoc_format(all);
    jdoc_free(all);
    ok = fd < 0 ? err_sys(err, "memfd_create") : fs_write_all(fd, text, strlen(text), err);
    return ok ? steal_fd(&fd) : -1;
}

/* The script, the list and the pack have no names: Ruby finds them by our descriptors. */
static bool run(const char *ruby, const int fds[3], struct proc_output *output, struct err *err)
{
    static const char *const without[] = {
        "RUBYOPT=", "RUBYLIB=", "GEM_", "BUNDLE", "LC_ALL=", "MALLOC_", "GLIBC_TUNABLES=", NULL};
    /* MRI's parser writes numbers of nodes that it has not set: with memory that is always the
     * same, the pack is always the same, too (mallopt(3), M_PERTURB). */
    static const char *const with[] = {"LC_ALL=C.UTF-8", "MALLOC_PERTURB_=255",
                                       "GLIBC_TUNABLES=glibc.malloc.perturb=255", NULL};
    char *paths[3];
    char **envp = childenv_make(without, with);
    bool ok;

    for (size_t i = 0; i < 3; i++)
        paths[i] = xasprintf("/proc/%ld/fd/%d", (long)getpid(), fds[i]);
    {
        const char *const argv[] = {ruby, "--disable=gems", paths[0], paths[1], paths[2], NULL};
        const struct proc_request request = {
            .argv = argv,
            .envp = (const char *const *)envp,
            .output_max_bytes = OUTPUT_MAX_BYTES,
            .timeout_ms = TIMEOUT_MS,
        };

        ok = proc_capture(&request, output, err);
    }
    for (size_t i = 0; i < 3; i++)
        free(paths[i]);
    childenv_free(envp);
    return ok;
}

static bool plan_pack(int pack, const char *options, struct plan *plan, struct err *err)
{
    struct asset reader = asset_get(ASSET_ISEQS);
    struct asset starter = asset_get(ASSET_ISEQS_STARTER);
    cleanup_free char *text = text_replace((const char *)starter.data, "@OPTIONS@", options);
    cleanup_free char *path = xasprintf("/proc/self/fd/%d", pack);
    cleanup_free char *bytes = NULL;
    size_t size;

    return fs_read_file(path, PACK_MAX, &bytes, &size, err) &&
           plan_add_data(plan, FORMAT_ISEQS, 0644, bytes, size, origin, err) &&
           plan_add_data(plan, FORMAT_DIR "/iseqs.so", 0644, reader.data, reader.size, origin,
                         err) &&
           plan_add_data(plan, FORMAT_DIR "/iseqs.rb", 0644, text, strlen(text), origin, err);
}

bool compiled_plan(struct compiled *ret, const struct trace *trace, const char *ruby,
                   struct plan *plan, struct err *err)
{
    cleanup_fd int script = -1;
    cleanup_fd int sources = write_list(trace, plan, err);
    cleanup_fd int pack = memfd_create("rucksack-pack", MFD_CLOEXEC);
    cleanup_with(proc_output_release) struct proc_output output = {0};
    char *options = NULL;

    *ret = (struct compiled){0};
    if (sources < 0 || !asset_open(ASSET_COMPILE, &script, err))
        return false;
    if (pack < 0)
        return err_sys(err, "memfd_create");
    if (!run(ruby, (const int[]){script, sources, pack}, &output, err))
        return err_wrap(err, "compiled sources");
    if (output.exit_code == 0)
        ret->count = (size_t)strtoul(output.out, &options, 10);
    else
        ret->why_not = text_visible(text_last_lines(output.errors, 1));
    return ret->count == 0 || plan_pack(pack, text_last_lines(options, 1), plan, err);
}

void compiled_release(struct compiled *compiled)
{
    free(compiled->why_not);
    *compiled = (struct compiled){0};
}
