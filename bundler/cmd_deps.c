/* SPDX-License-Identifier: MIT */
/*
 * `rucksack deps PATH...`: what the loader of this machine would map for a file, and what found
 * each object. Nothing of the files runs; --check has the loader itself list them.
 */
#include <errno.h>
#include <fts.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bundler/bundle.h"
#include "bundler/command.h"
#include "bundler/contents.h"
#include "bundler/deps.h"
#include "bundler/elf.h"
#include "bundler/jdoc.h"
#include "bundler/loader.h"
#include "bundler/oracle.h"
#include "bundler/report.h"
#include "bundler/script.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/text.h"
#include "common/xalloc.h"

struct deps_options {
    bool list;
    bool json;
    bool check;
    bool null;
    const char *loader;
    const char *library_path;
    bool inhibit_cache;
    const char *hwcaps_mask;
};

static const struct option_entry options[] = {
    {"list", 0, OPTION_FLAG, offsetof(struct deps_options, list), NULL,
     "one absolute path a line, in load order"},
    {"json", 0, OPTION_FLAG, offsetof(struct deps_options, json), NULL,
     "one JSON document on stdout"},
    {"check", 0, OPTION_FLAG, offsetof(struct deps_options, check), NULL,
     "compare with what the loader itself says"},
    {"null", 0, OPTION_FLAG, offsetof(struct deps_options, null), NULL,
     "end paths of --list with NUL"},
    {"loader", 0, OPTION_TEXT, offsetof(struct deps_options, loader), "FILE",
     "by this loader, not by each file's own"},
    {"library-path", 0, OPTION_TEXT, offsetof(struct deps_options, library_path), "DIRS",
     "look there first: LD_LIBRARY_PATH"},
    {"inhibit-cache", 0, OPTION_FLAG, offsetof(struct deps_options, inhibit_cache), NULL,
     "without ld.so.cache"},
    {"hwcaps-mask", 0, OPTION_TEXT, offsetof(struct deps_options, hwcaps_mask), "LIST",
     "only these variants: --glibc-hwcaps-mask"},
    {.type = OPTION_END},
};

/* One run of the command. */
struct job {
    const struct deps_options *given;
    const struct search_mode *mode;
    struct deps *deps;
    char *cwd;
    struct jdoc *files;  /* --json */
    struct err first;    /* the first finding; kind ERR_NONE: none yet */
    size_t more;         /* findings behind it */
    size_t compared;     /* --check */
    size_t unanswered;   /* --check: the loader was not asked, or crashed */
    size_t left_out;     /* of directories: objects that nothing loads */
    struct err why_left; /* the first of them */
};

static void note(struct job *job, const struct err *err)
{
    if (job->first.kind == ERR_NONE)
        job->first = *err;
    else
        job->more++;
}

static void note_missing(struct job *job, const struct process *process)
{
    for (size_t i = 0; i < process->missing_count; i++) {
        const struct process_missing *missing = &process->missing[i];
        struct err err = {0};

        if (missing->is_optional)
            continue;
        (void)err_set(&err, ERR_INPUT, "'%s', needed by '%s', was not found (tried %s)",
                      missing->name, process->maps[missing->from].path,
                      missing->tried[0] == '\0' ? "nothing" : missing->tried);
        (void)err_hint(&err, "install the package that contains it");
        (void)err_id(&err, "E-LIB");
        note(job, &err);
    }
}

/* "RUNPATH of libvips.so.42" */
static char *rule_of(const struct process *process, const struct process_edge *edge)
{
    static const char *const rules[] = {
        [WALK_FOUND_RPATH] = "RPATH",
        [WALK_FOUND_RUNPATH] = "RUNPATH",
        [WALK_FOUND_CACHE] = "ld.so.cache",
        [WALK_FOUND_DEFAULT] = "default directory",
        [WALK_FOUND_PATH] = "path",
        [WALK_FOUND_INTERP] = "the loader",
        [WALK_FOUND_LIBRARY_PATH] = "--library-path",
        [WALK_FOUND_LOADED] = "already loaded",
    };

    if (edge->via == PROCESS_NONE)
        return xstrdup(rules[edge->found]);
    return xasprintf("%s of %s", rules[edge->found], text_base_name(process->maps[edge->via].path));
}

static char *absolute(const struct job *job, const char *path)
{
    while (strncmp(path, "./", 2) == 0)
        path += 2;
    if (path[0] == '/')
        return xstrdup(path);
    if (path[0] == '\0' || strcmp(path, ".") == 0)
        return xstrdup(job->cwd);
    return xasprintf("%s/%s", job->cwd, path);
}

struct tree {
    const struct job *job;
    const struct process *process;
    size_t *brought_by; /* of each map: the first edge to it, edge_count for none */
};

static void print_below(struct tree *tree, size_t map, int depth)
{
    const struct process *process = tree->process;

    for (size_t i = 0; i < process->edge_count; i++) {
        const struct process_edge *edge = &process->edges[i];
        cleanup_free char *name = NULL;
        cleanup_free char *path = NULL;
        cleanup_free char *rule = NULL;
        cleanup_free char *whole = NULL;

        if (edge->from != map || tree->brought_by[edge->to] != i)
            continue;
        whole = absolute(tree->job, process->maps[edge->to].path);
        name = text_visible(edge->name);
        path = text_visible(whole);
        rule = rule_of(process, edge);
        printf("%*s%s => %s (%s)\n", 2 * depth, "", name, path, rule);
        print_below(tree, edge->to, depth + 1);
    }
    for (size_t i = 0; i < process->missing_count; i++) {
        cleanup_free char *name = text_visible(process->missing[i].name);

        if (process->missing[i].from == map)
            printf("%*s%s => not found%s\n", 2 * depth, "", name,
                   process->missing[i].is_optional ? " (may be missing)" : "");
    }
}

/* Each object below the one that first asked for it. */
static void print_tree(const struct job *job, const struct process *process)
{
    size_t *brought_by = xcalloc(process->count, sizeof(*brought_by));
    struct tree tree = {.job = job, .process = process, .brought_by = brought_by};

    for (size_t i = 0; i < process->count; i++)
        brought_by[i] = process->edge_count;
    for (size_t i = process->edge_count; i-- > 0;)
        brought_by[process->edges[i].to] = i;
    brought_by[0] = process->edge_count;
    print_below(&tree, 0, 1);
    free(brought_by);
}

static bool print_path(const struct job *job, const char *path, struct err *err)
{
    cleanup_free char *whole = absolute(job, path);

    if (!deps_mark(job->deps, whole))
        return true;
    if (!job->given->null && strchr(whole, '\n') != NULL) {
        (void)err_set(err, ERR_INPUT, "'%s' has a newline in its name", whole);
        return err_hint(err, "--list --null ends each path with NUL");
    }
    fputs(whole, stdout);
    putchar(job->given->null ? '\0' : '\n');
    return true;
}

/* The interpreter is in every process, also where no object names it. */
static bool print_list(const struct job *job, const struct process *process,
                       const struct loader *loader, struct err *err)
{
    for (size_t i = 0; i < process->order_count; i++)
        if (!print_path(job, process->maps[process->order[i]].path, err))
            return false;
    return print_path(job, loader->path, err);
}

static const char *found_word(enum walk_found found)
{
    static const char *const words[] = {
        [WALK_FOUND_ROOT] = "root",       [WALK_FOUND_RPATH] = "rpath",
        [WALK_FOUND_RUNPATH] = "runpath", [WALK_FOUND_CACHE] = "cache",
        [WALK_FOUND_DEFAULT] = "default", [WALK_FOUND_PATH] = "path",
        [WALK_FOUND_INTERP] = "loader",   [WALK_FOUND_LIBRARY_PATH] = "library-path",
        [WALK_FOUND_LOADED] = "loaded",
    };

    return words[found];
}

static struct jdoc *json_objects(const struct job *job, const struct process *process)
{
    struct jdoc *list = jdoc_array();

    for (size_t i = 0; i < process->order_count; i++) {
        const struct map *map = &process->maps[process->order[i]];
        cleanup_free char *path = absolute(job, map->path);
        struct jdoc *object = jdoc_object();

        jdoc_set_text(object, "path", path);
        jdoc_set_text(object, "soname", map->elf->soname);
        jdoc_set_text(object, "found", found_word(map->found));
        jdoc_push(list, object);
    }
    return list;
}

static struct jdoc *json_edges(const struct job *job, const struct process *process)
{
    struct jdoc *list = jdoc_array();

    for (size_t i = 0; i < process->edge_count; i++) {
        const struct process_edge *edge = &process->edges[i];
        cleanup_free char *from = absolute(job, process->maps[edge->from].path);
        cleanup_free char *to = absolute(job, process->maps[edge->to].path);
        struct jdoc *object = jdoc_object();

        jdoc_set_text(object, "from", from);
        jdoc_set_text(object, "name", edge->name);
        jdoc_set_text(object, "to", to);
        jdoc_set_text(object, "found", found_word(edge->found));
        jdoc_set_text(object, "via",
                      edge->via == PROCESS_NONE ? NULL : process->maps[edge->via].path);
        jdoc_push(list, object);
    }
    return list;
}

static struct jdoc *json_missing(const struct job *job, const struct process *process)
{
    struct jdoc *list = jdoc_array();

    for (size_t i = 0; i < process->missing_count; i++) {
        const struct process_missing *missing = &process->missing[i];
        cleanup_free char *from = absolute(job, process->maps[missing->from].path);
        struct jdoc *object = jdoc_object();

        jdoc_set_text(object, "from", from);
        jdoc_set_text(object, "name", missing->name);
        jdoc_set_text(object, "tried", missing->tried);
        jdoc_set_bool(object, "optional", missing->is_optional);
        jdoc_push(list, object);
    }
    return list;
}

/* process NULL: a static program */
static void add_json(const struct job *job, const char *path, const struct process *process,
                     const struct loader *loader)
{
    static const struct process none;
    struct jdoc *file = jdoc_object();

    jdoc_set_text(file, "path", path);
    jdoc_set_text(file, "loader", loader == NULL ? NULL : loader->path);
    jdoc_set(file, "objects", json_objects(job, process == NULL ? &none : process));
    jdoc_set(file, "edges", json_edges(job, process == NULL ? &none : process));
    jdoc_set(file, "missing", json_missing(job, process == NULL ? &none : process));
    jdoc_push(job->files, file);
}

static bool show_static(const struct job *job, const struct elf *elf, struct err *err)
{
    cleanup_free char *path = text_visible(elf->path);

    if (job->given->json)
        add_json(job, elf->path, NULL, NULL);
    else if (job->given->list)
        return print_path(job, elf->path, err);
    else if (!job->given->check)
        printf("%s\n  statically linked\n", path);
    return true;
}

static bool show(const struct job *job, const struct elf *elf, const struct process *process,
                 const struct loader *loader, struct err *err)
{
    cleanup_free char *path = text_visible(elf->path);

    if (job->given->json) {
        add_json(job, elf->path, process, loader);
    } else if (job->given->list) {
        return print_list(job, process, loader, err);
    } else if (!job->given->check) {
        puts(path);
        print_tree(job, process);
    }
    return true;
}

/* process NULL: it could not be loaded, and err says why. */
static void check(struct job *job, const struct elf *elf, const struct process *process,
                  const struct loader *loader)
{
    cleanup_free char *text = NULL;
    cleanup_free char *path = text_visible(elf->path);
    cleanup_free char *visible = NULL;
    struct err err = {0};

    switch (oracle_compare(loader, job->mode, elf->path, process, &text)) {
    case ORACLE_SAME:
        job->compared++;
        return;
    case ORACLE_NONE:
        job->unanswered++;
        visible = text_visible(text);
        printf("%s: not compared: %s\n", path, visible);
        return;
    case ORACLE_DIFFERENT:
    default:
        break;
    }
    job->compared++;
    visible = text_visible(text);
    printf("%s: %s\n", path, visible);
    (void)err_set(&err, ERR_CHECK, "'%s': %s", elf->path, text);
    (void)err_hint(&err, "this is a defect of rucksack: please report it, with the file");
    (void)err_id(&err, "E-LOADER");
    note(job, &err);
}

static void leave_out(struct job *job, const struct err *why)
{
    if (job->left_out++ == 0)
        job->why_left = *why;
}

/* False: the run cannot go on. What is wrong with the file is noted. */
static bool visit_elf(struct job *job, const struct elf *elf, bool is_named, struct err *err)
{
    cleanup_with(process_release) struct process process = {0};
    const struct loader *loader = NULL;
    struct err why = {0};
    bool ok;

    if (deps_is_static(elf))
        return show_static(job, elf, err);
    ok = deps_load(job->deps, elf, &process, &loader, &why);
    if (job->given->check && loader != NULL)
        check(job, elf, ok ? &process : NULL, loader);
    if (!ok && loader == NULL && !is_named)
        leave_out(job, &why);
    else if (!ok && (!job->given->check || loader == NULL))
        note(job, &why);
    if (!ok)
        return true;
    if (!job->given->check)
        note_missing(job, &process);
    return show(job, elf, &process, loader, err);
}

static bool visit_file(struct job *job, const char *path, bool is_named, struct err *err)
{
    const struct elf *elf;
    struct err why = {0};

    if (!is_named && !elf_is_elf(path))
        return true;
    if (deps_read(job->deps, path, &elf, &why) && (elf->has_dynamic || is_named))
        return visit_elf(job, elf, is_named, err);
    if (is_named) {
        *err = why;
        return false;
    }
    /* Debug files, object files and static programs of a directory load nothing. */
    if (why.kind != ERR_NONE)
        leave_out(job, &why);
    return true;
}

/* What runs a script is what loads something. */
static bool visit_script(struct job *job, const char *path, const char *program, struct err *err)
{
    cleanup_free char *shown = text_visible(path);
    cleanup_free char *by = text_visible(program);

    if (job->given->list && !print_path(job, path, err))
        return false;
    if (!job->given->list && !job->given->json && !job->given->check)
        printf("%s\n  script, run by %s\n", shown, by);
    return visit_file(job, program, true, err);
}

/* What the build found, not what this machine would: no loader of this machine maps it. */
static bool visit_bundle(const struct job *job, const struct bundle *bundle, const char *path,
                         struct err *err)
{
    if (job->given->list)
        return contents_print_list(bundle, job->given->null, err);
    if (!job->given->json && !job->given->check)
        return contents_print_tree(bundle, err);
    (void)err_set(err, ERR_USAGE, "'%s' is a bundle: it has neither --json nor --check", path);
    return err_hint(err, "rucksack inspect --json %s", path);
}

/* Most are dynamic objects: only what is none is asked whether it is something else. */
static bool visit_named(struct job *job, const char *path, struct err *err)
{
    cleanup_free char *program = NULL;
    const struct elf *elf;
    struct bundle bundle;
    struct err ignored = {0};
    bool ok;

    if (!deps_read(job->deps, path, &elf, &ignored)) {
        program = script_program(path);
        return program != NULL ? visit_script(job, path, program, err)
                               : visit_file(job, path, true, err);
    }
    if (!deps_is_static(elf) || !bundle_open(&bundle, path, &ignored))
        return visit_file(job, path, true, err);
    ok = visit_bundle(job, &bundle, path, err);
    bundle_close(&bundle);
    return ok;
}

static int by_name(const FTSENT **left, const FTSENT **right)
{
    return strcmp((*left)->fts_name, (*right)->fts_name);
}

static bool visit_dir(struct job *job, char *path, struct err *err)
{
    char *paths[] = {path, NULL};
    FTS *fts = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR | FTS_NOSTAT, by_name);
    FTSENT *entry;
    bool ok = true;

    if (fts == NULL)
        return err_sys(err, "'%s'", path);
    while (ok && (entry = fts_read(fts)) != NULL) {
        if (entry->fts_info == FTS_DNR || entry->fts_info == FTS_ERR) {
            errno = entry->fts_errno;
            ok = err_sys(err, "'%s'", entry->fts_path);
        } else if (entry->fts_info == FTS_F || entry->fts_info == FTS_NSOK) {
            ok = visit_file(job, entry->fts_path, false, err);
        }
    }
    fts_close(fts);
    return ok;
}

static bool visit(struct job *job, const char *operand, struct err *err)
{
    cleanup_free char *path = absolute(job, operand);
    struct stat st;

    if (stat(path, &st) != 0)
        return err_sys(err, "'%s'", operand);
    return S_ISDIR(st.st_mode) ? visit_dir(job, path, err) : visit_named(job, path, err);
}

static void report(const struct job *job)
{
    const struct report report = {0};

    fflush(stdout);
    if (job->left_out > 0) {
        cleanup_free char *text =
            xasprintf("%zu files; the first: %s", job->left_out, job->why_left.msg);

        report_phase(&report, "left out", text, NULL);
    }
    if (job->given->check)
        printf("%zu files compared with the loader, %zu not\n", job->compared, job->unanswered);
}

static bool finish(struct job *job, struct err *err)
{
    if (job->given->json)
        jdoc_print(steal_ptr(&job->files));
    report(job);
    if (job->first.kind == ERR_NONE)
        return true;
    *err = job->first;
    if (job->more > 0)
        (void)err_wrap(err, "%zu findings, the first", job->more + 1);
    return false;
}

static bool run(const struct command_args *args, struct err *err)
{
    const struct deps_options *given = args->options;
    const struct search_mode mode = {.is_here = true,
                                     .by_loader = given->check,
                                     .no_cache = given->inhibit_cache,
                                     .hwcaps_mask = given->hwcaps_mask,
                                     .library_path = given->library_path};
    struct job job = {.given = given, .mode = &mode};
    bool ok = true;

    if (given->list + given->json + given->check > 1)
        return err_set(err, ERR_USAGE, "--list, --json and --check exclude each other");
    if (given->null && !given->list)
        return err_set(err, ERR_USAGE, "--null needs --list");
    job.cwd = getcwd(NULL, 0);
    if (job.cwd == NULL)
        return err_sys(err, "the working directory");
    job.deps = deps_new(&mode, given->loader);
    job.files = given->json ? jdoc_array() : NULL;
    for (size_t i = 0; ok && i < args->operand_count; i++)
        ok = visit(&job, args->operands[i], err);
    if (ok)
        ok = finish(&job, err);
    jdoc_free(job.files);
    deps_free(job.deps);
    free(job.cwd);
    return ok;
}

const struct command cmd_deps = {
    .name = "deps",
    .summary = "show what the loader would map for a file, and why",
    .operands = "PATH...",
    .operands_min = 1,
    .operands_max = SIZE_MAX,
    .options = options,
    .options_size = sizeof(struct deps_options),
    .examples = "  rucksack deps /usr/bin/ruby\n"
                "  rucksack deps --list vendor/bundle\n"
                "  rucksack deps --check /usr/lib\n",
    .run = run,
};
