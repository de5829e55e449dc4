/* SPDX-License-Identifier: MIT */
#include "bundler/trial.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/magic.h>

#include "bundler/asset.h"
#include "bundler/bundle.h"
#include "bundler/image.h"
#include "bundler/interrupt.h"
#include "bundler/plan.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/fs.h"
#include "common/proc.h"
#include "common/xalloc.h"

enum {
    TIMEOUT_MS = 10 * 1000,       /* of a start of the trial bundle */
    FILE_TIMEOUT_MS = 300 * 1000, /* of one that hashes or unpacks a bundle of any size */
    GONE_TIMEOUT_MS = 5 * 1000,   /* until the server of an ended start has taken its mount down */
    GONE_PAUSE_MS = 2,
    OUTPUT_MAX = 1 << 16,
    KEY_LENGTH = 12, /* of the directory that a start makes; runtime/stub/payload.h */
};

#ifndef FUSE_SUPER_MAGIC
#define FUSE_SUPER_MAGIC 0x65735546 /* before Linux 5.17's headers */
#endif

extern char **environ;

struct trial {
    char *dir;
    char *bundle;
    bool is_stuck; /* something that a start left behind does not end */
};

/* What one start did. */
struct start {
    bool works;
    char *reason;
    char *place; /* the directory it made: above the image; NULL: unknown */
    unsigned long long magic;
    unsigned long long namespace;
    uint64_t elapsed_us;
};

static const struct {
    const char *name;
    bool needs_root;
} ways[TRIAL_WAY_COUNT] = {
    [TRIAL_KERNEL] = {"kernel", true},          [TRIAL_FUSE] = {"fuse", true},
    [TRIAL_FUSERMOUNT] = {"fusermount", false}, [TRIAL_USERNS] = {"userns", false},
    [TRIAL_EXTRACT] = {"extract", false},
};

const char *trial_way_name(enum trial_way way)
{
    return ways[way].name;
}

bool trial_needs_root(enum trial_way way)
{
    return ways[way].needs_root;
}

/* A directory of our own in which programs can be executed. */
static char *make_dir(const char *parent)
{
    cleanup_free char *dir = xasprintf("%s/rucksack-doctor-XXXXXX", parent);
    struct statvfs fs;

    if (statvfs(parent, &fs) != 0 || (fs.f_flag & ST_NOEXEC) != 0)
        return NULL;
    return mkdtemp(dir) != NULL ? steal_ptr(&dir) : NULL;
}

static bool find_dir(struct trial *trial, struct err *err)
{
    const char *const parents[] = {getenv("TMPDIR"), "/tmp", "/var/tmp", getenv("XDG_RUNTIME_DIR"),
                                   getenv("HOME"),   "/run", "/dev/shm"};

    for (size_t i = 0; i < sizeof(parents) / sizeof(parents[0]); i++) {
        if (parents[i] != NULL && parents[i][0] == '/')
            trial->dir = make_dir(parents[i]);
        if (trial->dir != NULL)
            return true;
    }
    (void)err_set(err, ERR_INPUT, "no directory can be written and is not mounted noexec");
    (void)err_id(err, "E-TMP");
    return err_hint(err, "name one: TMPDIR=DIR");
}

static bool write_bundle(const struct plan *plan, int fd, struct err *err)
{
    struct image_options options = {.level = 1, .workers = 1};
    struct asset stub = asset_get(ASSET_STUB);
    uint64_t image_size;

    return fs_write_all(fd, stub.data, stub.size, err) &&
           image_write(plan, fd, stub.size, &options, &image_size, err) &&
           bundle_seal(fd, stub.size, image_size, FORMAT_KIND_CLI, "doctor", err);
}

static bool make_bundle(struct trial *trial, struct err *err)
{
    struct asset app = asset_get(ASSET_TRIAL);
    struct plan_origin origin = {PLAN_PART_RUNTIME, "trial"};
    cleanup_fd int fd = -1;
    struct plan plan;
    bool ok;

    trial->bundle = xasprintf("%s/trial.AppImage", trial->dir);
    fd = open(trial->bundle, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
    if (fd < 0)
        return err_sys(err, "'%s'", trial->bundle);
    plan_init(&plan);
    ok = plan_add_data(&plan, "AppRun", 0755, app.data, app.size, origin, err);
    plan_sort(&plan);
    ok = ok && write_bundle(&plan, fd, err);
    plan_release(&plan);
    return ok || err_wrap(err, "'%s'", trial->bundle);
}

bool trial_open(struct trial **ret, struct err *err)
{
    struct trial *trial = xcalloc(1, sizeof(*trial));

    /* What a start leaves running becomes our child; see await_end(). */
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    if (find_dir(trial, err) && make_bundle(trial, err)) {
        *ret = trial;
        return true;
    }
    trial_close(trial);
    return false;
}

void trial_close(struct trial *trial)
{
    struct err ignored = {0};

    if (trial == NULL)
        return;
    (void)prctl(PR_SET_CHILD_SUBREAPER, 0);
    if (trial->dir != NULL)
        (void)!fs_remove_tree(AT_FDCWD, trial->dir, &ignored);
    free(trial->bundle);
    free(trial->dir);
    free(trial);
}

static bool is_named(const char *assignment, const char *name)
{
    size_t len = strlen(name);

    return strncmp(assignment, name, len) == 0 && assignment[len] == '=';
}

/* Ours, with the state in a place of its own; without a way the user's choice stands. */
static char **make_environment(const struct trial *trial, const char *way, const char *file)
{
    size_t count = 0, used = 0;
    char **envp;

    while (environ[count] != NULL)
        count++;
    envp = xcalloc(count + 4, sizeof(*envp));
    for (size_t i = 0; i < count; i++) {
        if (is_named(environ[i], "RUCKSACK_STATE") || is_named(environ[i], "TARGET_APPIMAGE") ||
            (way != NULL && (is_named(environ[i], "RUCKSACK_MOUNT") ||
                             is_named(environ[i], "APPIMAGE_EXTRACT_AND_RUN"))))
            continue;
        envp[used++] = xstrdup(environ[i]);
    }
    envp[used++] = xasprintf("RUCKSACK_STATE=%s/state", trial->dir);
    if (way != NULL)
        envp[used++] = xasprintf("RUCKSACK_MOUNT=%s", way);
    if (file != NULL)
        envp[used++] = xasprintf("TARGET_APPIMAGE=%s", file);
    return envp;
}

static void free_environment(char **envp)
{
    for (size_t i = 0; envp[i] != NULL; i++)
        free(envp[i]);
    free(envp);
}

static const char *skip(const char *text, const char *prefix)
{
    size_t len = strlen(prefix);

    return strncmp(text, prefix, len) == 0 ? text + len : text;
}

/* The stub's one line without what every such line begins with. */
static char *reason_of(const struct proc_output *output, const char *way)
{
    const char *text = output->errors;
    cleanup_free char *prefix = xasprintf("%s: ", way != NULL ? way : "rucksack");

    if (output->timed_out)
        return xstrdup("it hangs");
    if (text[0] == '\0' && output->exit_code > 128)
        return xasprintf("ended by signal %d", output->exit_code - 128);
    if (text[0] == '\0')
        return xasprintf("ended with status %d", output->exit_code);
    text = skip(text + strspn(text, "\n"), "rucksack: ");
    text = skip(text, "E-MOUNT: ");
    text = skip(text, "cannot mount the image: ");
    text = skip(text, prefix);
    return xstrndup(text, strcspn(text, "\n"));
}

/* The place from ".../rucksack-0/0123456789ab/m"; NULL for any other path: it will be removed. */
static char *place_of(const char *root)
{
    size_t len = strcspn(root, "\n");
    size_t key_end = len >= 2 ? len - 2 : 0;
    size_t key = key_end > KEY_LENGTH ? key_end - KEY_LENGTH : 0;

    if (root[0] != '/' || key < 2 || strncmp(root + key_end, "/m", 2) != 0 ||
        root[key - 1] != '/' || strspn(root + key, "0123456789abcdef") != KEY_LENGTH)
        return NULL;
    return xstrndup(root, key_end);
}

static void understand(struct start *start, const struct proc_output *output, bool is_file)
{
    const char *root = output->out;
    int at = 0;

    if (!is_file && sscanf(output->out, "%llx %llu %n", &start->magic, &start->namespace, &at) >= 2)
        root = output->out + at;
    start->place = place_of(root);
}

static bool start_once(const struct trial *trial, const char *way, const char *file,
                       struct start *ret, struct err *err)
{
    char **envp = make_environment(trial, way, file);
    const char *argv[] = {trial->bundle, file != NULL ? "--appimage-mount" : NULL, NULL};
    struct proc_request request = {
        .argv = argv,
        .envp = (const char *const *)envp,
        .output_max_bytes = OUTPUT_MAX,
        .timeout_ms = file != NULL ? FILE_TIMEOUT_MS : TIMEOUT_MS,
        .stops_at_line = file != NULL,
    };
    struct proc_output output = {0};
    bool ok = proc_capture(&request, &output, err);

    free_environment(envp);
    if (!ok)
        return false;
    *ret = (struct start){.elapsed_us = output.elapsed_us};
    understand(ret, &output, file != NULL);
    ret->works = output.exit_code == 0 && !output.timed_out;
    if (!ret->works)
        ret->reason = reason_of(&output, way);
    proc_output_release(&output);
    return true;
}

static void start_release(struct start *start)
{
    free(start->reason);
    free(start->place);
    *start = (struct start){0};
}

/* Waits until the server of an ended start has ended too: the next start must neither join its
 * mount nor meet its end, and doctor leaves nothing running. */
static void await_end(struct trial *trial)
{
    for (int i = 0; !trial->is_stuck; i++) {
        pid_t pid = waitpid(-1, NULL, WNOHANG);

        if (pid < 0 && errno != EINTR)
            return;
        if (pid == 0)
            (void)poll(NULL, 0, GONE_PAUSE_MS);
        trial->is_stuck = i == GONE_TIMEOUT_MS / GONE_PAUSE_MS;
    }
}

/* What was unpacked has no server to remove it. */
static void remove_place(const char *place)
{
    struct err ignored = {0};

    (void)!fs_remove_tree(AT_FDCWD, place, &ignored);
}

static int compare_times(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

    return left < right ? -1 : left > right;
}

static uint64_t median(uint64_t *times, size_t count)
{
    qsort(times, count, sizeof(*times), compare_times);
    return count == 0 ? 0 : (times[(count - 1) / 2] + times[count / 2]) / 2;
}

static void keep(struct trial_result *result, const struct start *start, uint64_t *times)
{
    result->works = start->works;
    if (!start->works)
        result->reason = xstrdup(start->reason);
    else if (result->first_us == 0)
        result->first_us = start->elapsed_us;
    else
        times[result->count++] = start->elapsed_us;
}

bool trial_run(struct trial *trial, enum trial_way way, const char *file, size_t rounds,
               struct trial_result *ret, struct err *err)
{
    cleanup_free uint64_t *times = xcalloc(rounds + 1, sizeof(*times));
    cleanup_free char *place = NULL;
    bool ok = true;

    *ret = (struct trial_result){.works = true};
    for (size_t i = 0; ok && ret->works && i <= rounds; i++) {
        struct start start = {0};

        ok = !interrupt_noted() && start_once(trial, ways[way].name, file, &start, err);
        if (ok)
            keep(ret, &start, times);
        await_end(trial);
        if (start.place != NULL && place == NULL)
            place = steal_ptr(&start.place);
        start_release(&start);
    }
    if (place != NULL && way == TRIAL_EXTRACT)
        remove_place(place);
    ret->median_us = median(times, ret->count);
    return ok;
}

void trial_result_release(struct trial_result *result)
{
    free(result->reason);
    *result = (struct trial_result){0};
}

static enum trial_way way_of(const struct start *start, bool fuse_works)
{
    struct stat own = {0};

    (void)stat("/proc/self/ns/user", &own);
    if (start->magic == SQUASHFS_MAGIC)
        return TRIAL_KERNEL;
    if (start->magic != FUSE_SUPER_MAGIC)
        return TRIAL_EXTRACT;
    if (start->namespace != (unsigned long long)own.st_ino)
        return TRIAL_USERNS;
    return geteuid() == 0 && fuse_works ? TRIAL_FUSE : TRIAL_FUSERMOUNT;
}

bool trial_run_free(struct trial *trial, bool fuse_works, enum trial_way *ret, struct err *err)
{
    struct start start = {0};

    if (interrupt_noted() || !start_once(trial, NULL, NULL, &start, err))
        return false;
    *ret = start.works ? way_of(&start, fuse_works) : TRIAL_WAY_COUNT;
    await_end(trial);
    if (start.place != NULL && *ret == TRIAL_EXTRACT)
        remove_place(start.place);
    start_release(&start);
    return true;
}
