/* SPDX-License-Identifier: MIT */
#include "bundler/profile.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "bundler/boot.h"
#include "bundler/launch.h"
#include "bundler/plan.h"
#include "bundler/trace.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/format.h"
#include "common/launchfile.h"
#include "common/xalloc.h"

/* Of what is larger a start needs little: data of ICU, a model. */
enum { READ_MAX_BYTES = 8 << 20 };

/* Behind this source Ruby takes others from the pack. */
static const char starter[] = "rubygems/defaults/operating_system.rb";

/* One file of the trace that is in the image. */
struct opened {
    const char *path; /* image path, points into the trace */
    size_t order;     /* 0: not by the app's first thread */
};

struct profile {
    struct plan *plan;
    struct launch records;
    bool has_pack;
    bool is_started; /* the pack is read from now on */
};

static bool ends_with(const char *path, const char *end)
{
    size_t len = strlen(path), end_len = strlen(end);

    return len >= end_len && strcmp(path + len - end_len, end) == 0;
}

static int compare(const void *left, const void *right)
{
    const struct opened *a = left;
    const struct opened *b = right;

    if ((a->order == 0) != (b->order == 0))
        return a->order == 0 ? 1 : -1;
    if (a->order != b->order)
        return a->order < b->order ? -1 : 1;
    return strcmp(a->path, b->path);
}

/* The app's: what the launcher becomes is the first program of the bundle. */
static pid_t first_thread(const struct trace *trace)
{
    const struct trace_file *first = NULL;

    for (size_t i = 0; i < trace->count; i++) {
        const struct trace_file *file = &trace->files[i];

        if (file->is_executed && boot_image_path(file, file->path) != NULL &&
            (first == NULL || file->order < first->order))
            first = file;
    }
    return first != NULL ? first->thread : 0;
}

static bool is_readable(const struct plan_entry *entry)
{
    return (entry->type == PLAN_FILE || entry->type == PLAN_DATA) &&
           entry->size_bytes <= READ_MAX_BYTES;
}

static void add_record(struct profile *profile, const char *key, const char *path)
{
    if (profile->records.size_bytes < FORMAT_LAUNCH_MAX - PATH_MAX &&
        plan_find(profile->plan, path) != NULL)
        launch_add(&profile->records, key, path, NULL);
}

static void add_read(struct profile *profile, const char *path)
{
    const struct plan_entry *entry = plan_find(profile->plan, path);

    plan_mark_early(profile->plan, path);
    add_record(profile, entry != NULL && is_readable(entry) ? "read" : "open", path);
}

static void add(struct profile *profile, const char *path)
{
    if (profile->is_started && ends_with(path, ".rb")) {
        add_record(profile, "open", path);
        return;
    }
    add_read(profile, path);
    if (!profile->has_pack || profile->is_started || !ends_with(path, starter))
        return;
    profile->is_started = true;
    add_read(profile, FORMAT_DIR "/iseqs.rb");
    add_read(profile, FORMAT_DIR "/iseqs.so");
    add_read(profile, FORMAT_ISEQS);
}

static void add_all(struct profile *profile, const struct trace *trace)
{
    cleanup_free struct opened *all = xcalloc(trace->count + 1, sizeof(*all));
    pid_t thread = first_thread(trace);
    size_t count = 0;

    for (size_t i = 0; i < trace->count; i++) {
        const struct trace_file *file = &trace->files[i];
        const char *path = file->error == 0 ? boot_image_path(file, file->path) : NULL;

        if (path != NULL && launch_is_writable(path))
            all[count++] = (struct opened){path, file->thread == thread ? file->order : 0};
    }
    qsort(all, count, sizeof(*all), compare);
    for (size_t i = 0; i < count; i++)
        add(profile, all[i].path);
}

bool profile_plan(const struct trace *trace, bool has_pack, bool is_wanted, struct plan *plan,
                  struct err *err)
{
    static const struct plan_origin origin = {PLAN_PART_RUNTIME, "boot profile"};
    struct profile profile = {.plan = plan, .has_pack = has_pack};
    bool ok;

    launch_init(&profile.records);
    add_all(&profile, trace);
    ok = !is_wanted || (launch_finish(&profile.records, err) &&
                        plan_add_data(plan, FORMAT_PROFILE, 0644, profile.records.text,
                                      profile.records.size_bytes, origin, err));
    launch_release(&profile.records);
    return ok;
}
