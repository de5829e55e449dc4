/* SPDX-License-Identifier: MIT */
#include "bundler/firstrun.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bundler/cachedir.h"
#include "bundler/childenv.h"
#include "bundler/cookbook.h"
#include "bundler/extras.h"
#include "bundler/hash.h"
#include "bundler/plan.h"
#include "bundler/probe.h"
#include "bundler/recipe.h"
#include "bundler/tempdir.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/format.h"
#include "common/fs.h"
#include "common/proc.h"
#include "common/text.h"
#include "common/xalloc.h"

enum {
    OUTPUT_MAX_BYTES = 4 << 20,
    TIMEOUT_MS = 300 * 1000,
    MADE_MAX_BYTES = 1 << 30,
    DEPTH_MAX = 64,
    NAME_BYTES = 8, /* of the hash, in the cache */
};

/* One run: of one gem, by one recipe. */
struct run {
    const struct recipe_first_run *recipe;
    const struct probe_gem *gem;
    const char *ruby;
    const char *copy; /* of the gem's directory */
    char *made;       /* path in it of what was written, or NULL */
};

static bool matches(char *const *patterns, size_t count, const char *relative)
{
    for (size_t i = 0; i < count; i++)
        if (fnmatch(patterns[i], relative, FNM_PATHNAME | FNM_PERIOD) == 0)
            return true;
    return false;
}

static bool is_made(const struct run *run, const char *relative)
{
    return fnmatch(run->recipe->makes, relative, FNM_PATHNAME | FNM_PERIOD) == 0;
}

/* Of one entry of a tree, by its path below the top; directories before what they hold. */
typedef bool visit_fn(struct run *run, const char *relative, const struct stat *st,
                      struct err *err);

static bool visit_tree(struct run *run, const char *top, const char *relative, int depth,
                       visit_fn *visit, struct err *err)
{
    cleanup_free char *here = xasprintf("%s%s%s", top, relative[0] != '\0' ? "/" : "", relative);
    cleanup_dir DIR *dir = opendir(here);
    const struct dirent *entry;

    if (dir == NULL || depth > DEPTH_MAX)
        return err_sys(err, "'%s'", here);
    while ((entry = readdir(dir)) != NULL) {
        cleanup_free char *name =
            xasprintf("%s%s%s", relative, relative[0] != '\0' ? "/" : "", entry->d_name);
        struct stat st;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            return err_sys(err, "'%s/%s'", top, name);
        if (!visit(run, name, &st, err) ||
            (S_ISDIR(st.st_mode) && !visit_tree(run, top, name, depth + 1, visit, err)))
            return false;
    }
    return true;
}

/* What an earlier run on this machine has written is not there: this one must write it. */
static bool link_one(struct run *run, const char *relative, const struct stat *st, struct err *err)
{
    cleanup_free char *from = xasprintf("%s/%s", run->gem->dir, relative);
    cleanup_free char *to = xasprintf("%s/%s", run->copy, relative);

    if (S_ISDIR(st->st_mode) ? mkdir(to, 0700) != 0
                             : !is_made(run, relative) && symlink(from, to) != 0)
        return err_sys(err, "'%s'", to);
    return true;
}

static bool find_one(struct run *run, const char *relative, const struct stat *st, struct err *err)
{
    (void)err;
    cleanup_free char *path = xasprintf("%s/%s", run->copy, relative);

    /* Of several the first by name, whatever order the file system has. */
    if (!S_ISREG(st->st_mode) || !is_made(run, relative) ||
        (run->made != NULL && strcmp(run->made, path) <= 0))
        return true;
    free(run->made);
    run->made = steal_ptr(&path);
    return true;
}

/* The application's own Ruby, without its Bundler: as RubyGems starts a gem's script. */
static bool start(const struct run *run, struct proc_output *output, struct err *err)
{
    static const char *const without[] = {"RUBYOPT=", "RUBYLIB=", "BUNDLE", NULL};
    static const char *const with[] = {NULL};
    const struct recipe_first_run *recipe = run->recipe;
    cleanup_free char *script = xasprintf("%s/%s", run->copy, recipe->run[0]);
    cleanup_free const char **argv = xcalloc(recipe->run_count + 2, sizeof(*argv));
    char **envp = childenv_make(without, with);
    const struct proc_request request = {
        .argv = argv,
        .envp = (const char *const *)envp,
        .cwd = run->copy,
        .output_max_bytes = OUTPUT_MAX_BYTES,
        .timeout_ms = TIMEOUT_MS,
    };
    bool ok;

    argv[0] = run->ruby;
    argv[1] = script;
    for (size_t i = 1; i < recipe->run_count; i++)
        argv[i + 1] = recipe->run[i];
    ok = proc_capture(&request, output, err);
    childenv_free(envp);
    return ok;
}

/* As old as the script that wrote it, so that an image is the same every time. */
static bool date(const struct run *run, int fd, struct err *err)
{
    cleanup_free char *script = xasprintf("%s/%s", run->gem->dir, run->recipe->run[0]);
    struct stat st;

    if (stat(script, &st) != 0)
        return err_sys(err, "'%s'", script);
    return futimens(fd, (const struct timespec[]){st.st_mtim, st.st_mtim}) == 0 ||
           err_sys(err, "the time of a file");
}

static char *name_in_cache(const char *cache, const char *bytes, size_t size)
{
    uint8_t sum[FORMAT_HASH_SIZE];
    char name[2 * NAME_BYTES + 1];

    hash_bytes(bytes, size, sum);
    format_hex(sum, NAME_BYTES, name);
    return xasprintf("%s/%s", cache, name);
}

/* A file in the cache: its directory has the name of its bytes. */
static bool keep(const struct run *run, const char *bytes, size_t size, char **ret, struct err *err)
{
    cleanup_free char *cache = NULL;
    cleanup_free char *dir = NULL;
    cleanup_free char *path = NULL;
    cleanup_free char *unfinished = NULL;
    cleanup_fd int fd = -1;

    if (!cachedir_make("first-runs", &cache, err))
        return false;
    dir = name_in_cache(cache, bytes, size);
    path = xasprintf("%s/%s", dir, text_base_name(run->recipe->as));
    unfinished = xasprintf("%s/.%ld", dir, (long)getpid());
    if (!fs_mkdir_p(dir, 0700, err))
        return false;
    fd = open(unfinished, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0755);
    if (fd < 0)
        return err_sys(err, "'%s'", unfinished);
    if (!fs_write_all(fd, bytes, size, err) || !date(run, fd, err)) {
        (void)unlink(unfinished);
        return err_wrap(err, "'%s'", unfinished);
    }
    if (rename(unfinished, path) != 0)
        return err_sys(err, "'%s'", path);
    *ret = steal_ptr(&path);
    return true;
}

static void forget(const struct run *run, struct plan *plan)
{
    const struct recipe_first_run *recipe = run->recipe;
    cleanup_free char *dir = xasprintf(FORMAT_GEM_DIR "/gems/%s/", run->gem->full_name);
    size_t len = strlen(dir);

    for (size_t i = plan->count; i-- > 0;) {
        const struct plan_entry *entry = plan->entries[i];
        cleanup_free char *path = NULL;

        if (entry->type == PLAN_DIR || strncmp(entry->path, dir, len) != 0 ||
            (!is_made(run, entry->path + len) &&
             !matches(recipe->leave_out, recipe->leave_out_count, entry->path + len)))
            continue;
        path = xstrdup(entry->path);
        plan_remove(plan, path);
    }
}

/* The gem's script would look for a system that it knows, and may know none where the bundle is. */
static bool plan_starter(const struct run *run, struct plan_origin origin, struct plan *plan,
                         struct err *err)
{
    const struct recipe_first_run *recipe = run->recipe;
    cleanup_free char *place =
        xasprintf(FORMAT_GEM_DIR "/gems/%s/%s", run->gem->full_name, recipe->instead_of);
    cleanup_free char *text = xasprintf("#!/usr/bin/env ruby\n"
                                        "# frozen_string_literal: true\n\n"
                                        "program = File.join(Gem.default_dir, \"gems/%s/%s\")\n"
                                        "exec [program, program], *ARGV\n",
                                        run->gem->full_name, recipe->as);

    return plan_replace_data(plan, place, 0755, text, strlen(text), origin, err);
}

static bool plan_made(const struct run *run, struct plan *plan, struct err *err)
{
    const struct recipe_first_run *recipe = run->recipe;
    cleanup_free char *reason = xasprintf("gem '%s'", run->gem->name);
    cleanup_free char *place =
        xasprintf(FORMAT_GEM_DIR "/gems/%s/%s", run->gem->full_name, recipe->as);
    const struct plan_origin origin = {PLAN_PART_GEMS, reason};
    cleanup_free char *bytes = NULL;
    cleanup_free char *path = NULL;
    size_t size;

    if (!fs_read_file(run->made, MADE_MAX_BYTES, &bytes, &size, err) ||
        !keep(run, bytes, size, &path, err))
        return false;
    forget(run, plan);
    return plan_add_file(plan, place, path, origin, err) &&
           (recipe->instead_of == NULL || plan_starter(run, origin, plan, err));
}

static bool run_in(struct extras *extras, struct run *run, struct plan *plan, struct err *err)
{
    cleanup_with(proc_output_release) struct proc_output output = {0};
    cleanup_free char *said = NULL;

    if (!visit_tree(run, run->gem->dir, "", 0, link_one, err) || !start(run, &output, err) ||
        !visit_tree(run, run->copy, "", 0, find_one, err))
        return false;
    if (run->made != NULL)
        return plan_made(run, plan, err);
    said = text_visible(text_last_lines(output.errors, 1));
    extras_warn(extras,
                "gem '%s' writes into its own directory when it first runs; at build '%s' wrote no "
                "'%s' and ended with code %d%s%s",
                run->gem->name, run->recipe->run[0], run->recipe->makes, output.exit_code,
                said[0] != '\0' ? ": " : "", said);
    return true;
}

static bool run_one(struct extras *extras, struct run *run, struct plan *plan, struct err *err)
{
    char *copy = NULL;
    struct err removal = {0};
    bool ok;

    ok = tempdir_make(&copy, err);
    if (ok) {
        run->copy = copy;
        ok = run_in(extras, run, plan, err);
        ok = tempdir_remove(copy, ok ? err : &removal) && ok;
    }
    free(run->made);
    return ok;
}

static bool run_recipe(struct extras *extras, const struct recipe *recipe,
                       const struct probe *probe, struct plan *plan, struct err *err)
{
    for (size_t i = 0; i < recipe->first_run_count; i++) {
        struct run run = {.recipe = &recipe->first_runs[i], .ruby = probe->ruby.program};

        run.gem = probe_find_gem(probe, run.recipe->gem);
        if (run.gem != NULL && !run.gem->is_default && !run_one(extras, &run, plan, err))
            return err_wrap(err, "gem '%s'", run.gem->name);
    }
    return true;
}

bool firstrun_plan(struct extras *extras, const struct probe *probe, const char *app_dir,
                   struct plan *plan, struct err *err)
{
    struct cookbook cookbook = {0};
    bool ok = cookbook_load(&cookbook, app_dir, err);

    for (size_t i = 0; ok && i < cookbook.count; i++)
        ok = run_recipe(extras, cookbook.entries[i].recipe, probe, plan, err);
    cookbook_release(&cookbook);
    return ok;
}
