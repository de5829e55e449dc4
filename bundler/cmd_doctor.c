/* SPDX-License-Identifier: MIT */
/*
 * `rucksack doctor [FILE]`: whether and how bundles start on this machine, and what would mend it.
 *
 * Every way is tried by starting something; see trial.h. What host.h finds explains the results.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "bundler/bundle.h"
#include "bundler/command.h"
#include "bundler/elf.h"
#include "bundler/host.h"
#include "bundler/interrupt.h"
#include "bundler/jdoc.h"
#include "bundler/report.h"
#include "bundler/trial.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/text.h"
#include "common/xalloc.h"

enum { ROUNDS = 9, FILE_ROUNDS = 3, JSON_FORMAT = 1, WIDTH_MIN = 10, WIDTH_MAX = 32 };

struct doctor_options {
    bool json;
};

static const struct option_entry options[] = {
    {"json", 0, OPTION_FLAG, offsetof(struct doctor_options, json), NULL,
     "one JSON document on stdout"},
    {.type = OPTION_END},
};

/* The bundle that was named. */
struct patient {
    char *path; /* absolute; NULL: none was named */
    const char *machine;
    struct err whole; /* kind ERR_NONE: it is */
    struct err fits;  /* this machine */
    char *executable; /* why it cannot be executed where it lies; NULL: it can */
};

struct diagnosis {
    struct host host;
    struct patient patient;
    struct trial_result ways[TRIAL_WAY_COUNT];
    bool is_tried[TRIAL_WAY_COUNT];
    enum trial_way taken; /* TRIAL_WAY_COUNT: none */
};

static char *find_obstacle(const char *path)
{
    struct statvfs fs;

    if (access(path, X_OK) != 0)
        return xasprintf("it has no execute permission; chmod +x, or rucksack run FILE");
    if (statvfs(path, &fs) == 0 && (fs.f_flag & ST_NOEXEC) != 0)
        return xasprintf("it lies on a file system that is mounted noexec; rucksack run FILE");
    return NULL;
}

static bool examine_patient(struct patient *patient, const char *path, struct err *err)
{
    struct bundle_findings findings;
    struct bundle bundle;
    bool ok = true;

    if (!bundle_open(&bundle, path, err))
        return false;
    patient->path = realpath(path, NULL);
    patient->machine = elf_machine_name(bundle.machine);
    patient->executable = find_obstacle(path);
    if (patient->path == NULL)
        ok = err_sys(err, "'%s'", path);
    else if (!bundle_verify(&bundle, &findings, &patient->whole) &&
             patient->whole.kind != ERR_CHECK)
        *err = patient->whole, ok = false;
    (void)bundle_check_machine(&bundle, &patient->fits);
    bundle_close(&bundle);
    return ok;
}

static bool try_ways(struct diagnosis *diagnosis, struct trial *trial, struct err *err)
{
    const char *file = diagnosis->patient.path;
    size_t rounds = file != NULL ? FILE_ROUNDS : ROUNDS;

    for (enum trial_way way = 0; way < TRIAL_WAY_COUNT; way++) {
        if (trial_needs_root(way) && geteuid() != 0)
            continue;
        if (!trial_run(trial, way, file, rounds, &diagnosis->ways[way], err))
            return false;
        diagnosis->is_tried[way] = true;
    }
    return trial_run_free(trial, diagnosis->ways[TRIAL_FUSE].works, &diagnosis->taken, err);
}

/* An image can be refused by a way that is there: then the stub goes on to the next one. */
static void correct_taken(struct diagnosis *diagnosis)
{
    enum trial_way way = diagnosis->taken;

    while (way < TRIAL_WAY_COUNT && !diagnosis->ways[way].works)
        way++;
    diagnosis->taken = way;
}

static bool diagnose(struct diagnosis *diagnosis, struct err *err)
{
    struct trial *trial = NULL;
    bool ok;

    host_examine(&diagnosis->host);
    interrupt_hold();
    ok = trial_open(&trial, err) && try_ways(diagnosis, trial, err);
    trial_close(trial);
    host_tidy(&diagnosis->host);
    interrupt_release();
    if (ok)
        correct_taken(diagnosis);
    return ok;
}

static void print_line(int width, const char *name, const char *state, const char *text)
{
    cleanup_free char *visible = text_visible(text);

    printf("  %-*s %-5s %s\n", width, name, state, visible);
}

static void print_hint(int width, const char *hint)
{
    cleanup_free char *visible = text_visible(hint);

    printf("  %-*s %-5s hint: %s\n", width, "", "", visible);
}

static void print_patient(int width, const struct patient *patient)
{
    bool is_whole = patient->whole.kind == ERR_NONE;
    bool fits = patient->fits.kind == ERR_NONE;

    puts("file");
    print_line(width, "whole", is_whole ? "ok" : "no",
               is_whole ? patient->path : patient->whole.msg);
    if (!is_whole)
        print_hint(width, patient->whole.hint);
    print_line(width, "cpu", fits ? "ok" : "no", fits ? patient->machine : patient->fits.msg);
    if (!fits)
        print_hint(width, patient->fits.hint);
    print_line(width, "executable", patient->executable == NULL ? "ok" : "-",
               patient->executable == NULL ? "yes" : patient->executable);
}

static void print_host(int width, const struct host *host)
{
    puts("host");
    for (size_t i = 0; i < host->fact_count; i++) {
        const struct host_fact *fact = &host->facts[i];

        print_line(width, fact->name, host_state_name(fact->state), fact->text);
        if (fact->hint != NULL)
            print_hint(width, fact->hint);
    }
}

static bool is_useful(const struct host_dir *dir)
{
    return dir->for_mounts || dir->for_caches || dir->for_runs;
}

static char *describe_dir(const struct host_dir *dir)
{
    cleanup_free char *size = report_size(dir->free_bytes);
    const char *use = dir->for_mounts && dir->for_caches ? "mounts, caches"
                      : dir->for_mounts                  ? "mounts"
                      : dir->for_caches                  ? "caches"
                                                         : "--appimage-extract-and-run";

    if (!is_useful(dir))
        return xstrdup(dir->reason);
    if (!dir->has_path)
        return xasprintf("%s; %s", use, dir->reason);
    return xasprintf("%s; %s free%s%s", use, size, dir->reason != NULL ? "; " : "",
                     dir->reason != NULL ? dir->reason : "");
}

static void print_dirs(int width, const struct host *host)
{
    bool can_mount = false, can_cache = false;

    puts("directories");
    for (size_t i = 0; i < host->dir_count; i++) {
        const struct host_dir *dir = &host->dirs[i];
        cleanup_free char *path = text_visible(dir->path);
        cleanup_free char *text = describe_dir(dir);

        print_line(width, path, is_useful(dir) ? "ok" : "-", text);
        can_mount = can_mount || dir->for_mounts;
        can_cache = can_cache || dir->for_caches;
    }
    if (!can_mount)
        print_hint(width, "nothing can be mounted: name a private directory, XDG_RUNTIME_DIR=DIR");
    if (!can_cache)
        print_hint(width, "nothing can be unpacked: name a private directory, XDG_CACHE_HOME=DIR");
}

static char *format_ms(uint64_t us)
{
    return xasprintf("%.1f ms", (double)us / 1e3);
}

static void print_way(int width, const struct diagnosis *diagnosis, enum trial_way way)
{
    const struct trial_result *result = &diagnosis->ways[way];
    cleanup_free char *time = format_ms(result->median_us);
    cleanup_free char *first = format_ms(result->first_us);
    cleanup_free char *text = NULL;

    if (!diagnosis->is_tried[way])
        text = xstrdup("for root only");
    else if (!result->works)
        text = xstrdup(result->reason);
    else if (way == TRIAL_EXTRACT)
        text = xasprintf("%s, the first time %s", time, first);
    else
        text = xstrdup(time);
    print_line(width, trial_way_name(way),
               result->works              ? "works"
               : diagnosis->is_tried[way] ? "no"
                                          : "-",
               text);
}

static void print_ways(int width, const struct diagnosis *diagnosis)
{
    if (diagnosis->patient.path != NULL)
        printf("ways to mount the file, median of %d\n", FILE_ROUNDS);
    else
        printf("ways to start a bundle, median of %d\n", ROUNDS);
    for (enum trial_way way = 0; way < TRIAL_WAY_COUNT; way++)
        print_way(width, diagnosis, way);
    print_line(width, "taken", diagnosis->taken < TRIAL_WAY_COUNT ? "ok" : "no",
               diagnosis->taken < TRIAL_WAY_COUNT ? trial_way_name(diagnosis->taken)
                                                  : "a start fails");
}

/* Of the first column: paths of directories are the longest names. */
static int find_width(const struct host *host)
{
    size_t width = WIDTH_MIN;

    for (size_t i = 0; i < host->dir_count; i++) {
        size_t len = strlen(host->dirs[i].path);

        width = len > width && len <= WIDTH_MAX ? len : width;
    }
    return (int)width;
}

static void print_text(const struct diagnosis *diagnosis)
{
    int width = find_width(&diagnosis->host);

    if (diagnosis->patient.path != NULL)
        print_patient(width, &diagnosis->patient);
    print_host(width, &diagnosis->host);
    print_dirs(width, &diagnosis->host);
    print_ways(width, diagnosis);
}

static struct jdoc *patient_json(const struct patient *patient)
{
    struct jdoc *object = jdoc_object();
    const struct err *whole = &patient->whole;

    jdoc_set_text(object, "path", patient->path);
    jdoc_set_bool(object, "whole", whole->kind == ERR_NONE);
    jdoc_set_text(object, "damage", whole->kind == ERR_NONE ? NULL : whole->msg);
    jdoc_set_text(object, "cpu", patient->machine);
    jdoc_set_bool(object, "cpu_fits", patient->fits.kind == ERR_NONE);
    jdoc_set_bool(object, "executable", patient->executable == NULL);
    return object;
}

static struct jdoc *facts_json(const struct host *host)
{
    struct jdoc *array = jdoc_array();

    for (size_t i = 0; i < host->fact_count; i++) {
        const struct host_fact *fact = &host->facts[i];
        struct jdoc *object = jdoc_object();

        jdoc_set_text(object, "name", fact->name);
        jdoc_set_text(object, "state",
                      fact->state == HOST_PLAIN ? "plain" : host_state_name(fact->state));
        jdoc_set_text(object, "text", fact->text);
        jdoc_set_text(object, "hint", fact->hint);
        jdoc_push(array, object);
    }
    return array;
}

static struct jdoc *dirs_json(const struct host *host)
{
    struct jdoc *array = jdoc_array();

    for (size_t i = 0; i < host->dir_count; i++) {
        const struct host_dir *dir = &host->dirs[i];
        struct jdoc *object = jdoc_object();

        jdoc_set_text(object, "path", dir->path);
        jdoc_set_bool(object, "mounts", dir->for_mounts);
        jdoc_set_bool(object, "caches", dir->for_caches);
        jdoc_set_bool(object, "runs", dir->for_runs);
        jdoc_set_text(object, "reason", dir->reason);
        jdoc_set_number(object, "free_bytes", (int64_t)dir->free_bytes);
        jdoc_push(array, object);
    }
    return array;
}

static struct jdoc *ways_json(const struct diagnosis *diagnosis)
{
    struct jdoc *array = jdoc_array();

    for (enum trial_way way = 0; way < TRIAL_WAY_COUNT; way++) {
        const struct trial_result *result = &diagnosis->ways[way];
        struct jdoc *object = jdoc_object();

        jdoc_set_text(object, "name", trial_way_name(way));
        jdoc_set_bool(object, "tried", diagnosis->is_tried[way]);
        jdoc_set_bool(object, "works", result->works);
        jdoc_set_text(object, "reason", result->reason);
        jdoc_set_number(object, "first_us", (int64_t)result->first_us);
        jdoc_set_number(object, "median_us", (int64_t)result->median_us);
        jdoc_set_number(object, "starts", (int64_t)result->count);
        jdoc_push(array, object);
    }
    return array;
}

static void print_json(const struct diagnosis *diagnosis)
{
    struct jdoc *object = jdoc_object();

    jdoc_set_number(object, "format", JSON_FORMAT);
    if (diagnosis->patient.path != NULL)
        jdoc_set(object, "file", patient_json(&diagnosis->patient));
    jdoc_set(object, "host", facts_json(&diagnosis->host));
    jdoc_set(object, "directories", dirs_json(&diagnosis->host));
    jdoc_set(object, "ways", ways_json(diagnosis));
    jdoc_set_text(object, "taken",
                  diagnosis->taken < TRIAL_WAY_COUNT ? trial_way_name(diagnosis->taken) : NULL);
    jdoc_print(object);
}

/* The one error, after everything was printed. */
static bool judge(const struct diagnosis *diagnosis, struct err *err)
{
    const struct patient *patient = &diagnosis->patient;

    if (patient->whole.kind != ERR_NONE || patient->fits.kind != ERR_NONE) {
        *err = patient->whole.kind != ERR_NONE ? patient->whole : patient->fits;
        err->kind = ERR_CHECK;
        return false;
    }
    if (diagnosis->taken < TRIAL_WAY_COUNT)
        return true;
    (void)err_set(err, ERR_CHECK, "no way to start a bundle works on this machine");
    (void)err_id(err, "E-HOST");
    return err_hint(err, "the report says why each one fails; to mend one of them is enough");
}

static void release(struct diagnosis *diagnosis)
{
    host_release(&diagnosis->host);
    for (size_t i = 0; i < TRIAL_WAY_COUNT; i++)
        trial_result_release(&diagnosis->ways[i]);
    free(diagnosis->patient.path);
    free(diagnosis->patient.executable);
}

static bool run(const struct command_args *args, struct err *err)
{
    const struct doctor_options *given = args->options;
    struct diagnosis diagnosis = {.taken = TRIAL_WAY_COUNT};
    bool ok =
        args->operand_count == 0 || examine_patient(&diagnosis.patient, args->operands[0], err);

    ok = ok && diagnose(&diagnosis, err);
    if (ok) {
        if (given->json)
            print_json(&diagnosis);
        else
            print_text(&diagnosis);
        ok = judge(&diagnosis, err);
    }
    release(&diagnosis);
    return ok;
}

const struct command cmd_doctor = {
    .name = "doctor",
    .summary = "try how bundles start on this machine",
    .operands = "[FILE]",
    .operands_max = 1,
    .options = options,
    .options_size = sizeof(struct doctor_options),
    .examples = "  rucksack doctor\n  rucksack doctor blog-x86_64.AppImage\n",
    .run = run,
};
