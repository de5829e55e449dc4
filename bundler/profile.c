/* SPDX-License-Identifier: MIT */
#include "bundler/profile.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "bundler/launch.h"
#include "bundler/plan.h"
#include "bundler/start.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/format.h"
#include "common/launchfile.h"
#include "common/text.h"
#include "common/xalloc.h"

/* Behind the first of these Ruby takes sources from the pack (runtime/guest/compiled.c). */
static const char *const starters[] = {"/enc/encdb.so", "rubygems/defaults/operating_system.rb"};

struct profile {
    struct plan *plan;
    struct launch records;
    bool has_pack;
    bool is_started; /* the pack is read from now on */
};

static bool is_starter(const char *path)
{
    for (size_t i = 0; i < sizeof(starters) / sizeof(starters[0]); i++)
        if (text_ends_with(path, starters[i]))
            return true;
    return false;
}

static bool is_readable(const struct plan_entry *entry)
{
    return (entry->type == PLAN_FILE || entry->type == PLAN_DATA) &&
           entry->size_bytes <= FORMAT_PROFILE_READ_MAX;
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
    if (profile->is_started && text_ends_with(path, ".rb")) {
        add_record(profile, "open", path);
        return;
    }
    add_read(profile, path);
    if (!profile->has_pack || profile->is_started || !is_starter(path))
        return;
    profile->is_started = true;
    add_read(profile, FORMAT_DIR "/iseqs.rb");
    add_read(profile, FORMAT_DIR "/iseqs.so");
    add_read(profile, FORMAT_ISEQS);
}

/* Index and path, to find what stands in the list under several names. */
struct place {
    const char *path;
    size_t index;
};

static int compare_places(const void *left, const void *right)
{
    const struct place *a = left;
    const struct place *b = right;
    int order = strcmp(a->path, b->path);

    return order != 0 ? order : (a->index > b->index) - (a->index < b->index);
}

static void add_all(struct profile *profile, const struct start *start)
{
    cleanup_free struct place *places = xcalloc(start->count + 1, sizeof(*places));
    cleanup_free bool *is_again = xcalloc(start->count + 1, sizeof(*is_again));

    for (size_t i = 0; i < start->count; i++)
        places[i] = (struct place){start->files[i].real, i};
    qsort(places, start->count, sizeof(*places), compare_places);
    for (size_t i = 1; i < start->count; i++)
        is_again[places[i].index] = strcmp(places[i].path, places[i - 1].path) == 0;
    for (size_t i = 0; i < start->count; i++)
        if (!is_again[i] && launch_is_writable(start->files[i].real))
            add(profile, start->files[i].real);
}

bool profile_plan(const struct start *start, bool has_pack, bool is_wanted, struct plan *plan,
                  struct err *err)
{
    static const struct plan_origin origin = {PLAN_PART_RUNTIME, "boot profile"};
    struct profile profile = {.plan = plan, .has_pack = has_pack};
    bool ok;

    launch_init(&profile.records);
    add_all(&profile, start);
    ok = !is_wanted || (launch_finish(&profile.records, err) &&
                        plan_add_data(plan, FORMAT_PROFILE, 0644, profile.records.text,
                                      profile.records.size_bytes, origin, err));
    launch_release(&profile.records);
    return ok;
}

void profile_forget(struct plan *plan)
{
    plan_remove(plan, FORMAT_PROFILE);
    plan_forget_early(plan);
}
