/* SPDX-License-Identifier: MIT */
#include "runtime/service/recovery.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/pattern.h"
#include "common/text.h"
#include "common/xalloc.h"
#include "runtime/service/candidate.h"
#include "runtime/service/releases.h"

#define KEPT_STATE "data.before-"

enum { FAILED_KEPT = 3, SCHEMA_NAME_MAX = 40 };

static const char name_bytes[] = "abcdefghijklmnopqrstuvwxyz0123456789_";

static char *path_of(const char *name, unsigned int number, unsigned int maker)
{
    return xasprintf("/var/backups/%s/before-%u-of-%u.tar.zst", name, number, maker);
}

static bool take(const struct candidate *maker, const char *options, const char *path,
                 struct err *err)
{
    cleanup_free char *data = xasprintf("/var/lib/%s/data", maker->releases->name);
    cleanup_free char *words = xasprintf("backup --emptier%s -o %s", options, path);

    if (!maker->app.is_kept || access(data, F_OK) != 0)
        return true;
    (void)unlink(path);
    return candidate_run(maker, "snapshot", words, false, NULL, err);
}

bool recovery_take(const struct candidate *maker, unsigned int number, struct err *err)
{
    cleanup_free char *path = path_of(maker->releases->name, number, maker->number);

    return take(maker, "", path, err);
}

bool recovery_take_first(const struct candidate *maker, struct err *err)
{
    cleanup_free char *path =
        xasprintf("/var/backups/%s/before-install.tar.zst", maker->releases->name);

    return take(maker, "", path, err);
}

bool recovery_begin(const struct candidate *maker, struct err *err)
{
    cleanup_free char *path =
        xasprintf("/var/backups/%s/before-first.tar.zst", maker->releases->name);
    bool ok = take(maker, "", path, err);

    (void)unlink(path);
    return ok;
}

/* Sorted by name: those of the same kind by time or number of as many digits. */
static void remove_all(const char *name, const char *kind, size_t newest_kept)
{
    cleanup_free char *pattern = xasprintf("/var/backups/%s/before-%s*.tar.zst", name, kind);
    cleanup_with(pattern_release) struct pattern_found files;

    pattern_find(&files, pattern);
    for (size_t i = 0; i + newest_kept < files.count; i++)
        (void)unlink(files.paths[i]);
}

char *recovery_keep(const struct candidate *maker, unsigned int number)
{
    const char *name = maker->releases->name;
    cleanup_free char *path = path_of(name, number, maker->number);
    cleanup_free char *kept =
        xasprintf("/var/backups/%s/before-failed-%lld.tar.zst", name, (long long)time(NULL));

    if (rename(path, kept) != 0)
        return NULL;
    remove_all(name, "failed-", FAILED_KEPT);
    return steal_ptr(&kept);
}

void recovery_forget(const char *name, unsigned int number)
{
    cleanup_free char *kind = xasprintf("%u-of-", number);

    remove_all(name, kind, 0);
}

char *recovery_find(const char *name, unsigned int maker, struct err *err)
{
    cleanup_free char *pattern =
        xasprintf("/var/backups/%s/before-[0-9]*-of-%u.tar.zst", name, maker);
    char *newest = NULL;
    unsigned long best = 0;
    cleanup_with(pattern_release) struct pattern_found files;

    pattern_find(&files, pattern);
    for (size_t i = 0; i < files.count; i++) {
        const char *digits = text_base_name(files.paths[i]) + strlen("before-");
        unsigned long number = strtoul(digits, NULL, 10);

        if (number < best)
            continue;
        best = number;
        free(newest);
        newest = xstrdup(files.paths[i]);
    }
    if (newest != NULL)
        return newest;
    (void)err_set(err, ERR_INPUT, "there is no snapshot that release %u made", maker);
    (void)err_id(err, "E-SNAPSHOT");
    (void)err_hint(err, "see those of the backups: ls /var/backups/%s", name);
    return NULL;
}

/* The newest migration in a directory, of names like 20261128120000_x.rb; 0: none. */
static unsigned long long newest_migration(const char *dir)
{
    cleanup_dir DIR *entries = opendir(dir);
    const struct dirent *entry;
    unsigned long long newest = 0;

    while (entries != NULL && (entry = readdir(entries)) != NULL) {
        const char *name = entry->d_name;
        size_t digits = strspn(name, "0123456789");
        unsigned long long version =
            digits > 0 && name[digits] == '_' ? strtoull(name, NULL, 10) : 0;

        newest = version > newest ? version : newest;
    }
    return newest;
}

/* "queue" of a path that ends in queue_migrate or queue_schema.rb; NULL: no such name. On the heap.
 */
static char *database_of(const char *path, const char *ending)
{
    const char *name = text_base_name(path);
    size_t len = strlen(name) - strlen(ending);

    return len > 0 && len <= SCHEMA_NAME_MAX && strspn(name, name_bytes) >= len
               ? xstrndup(name, len)
               : NULL;
}

static void append(char **text, char *more)
{
    char *longer = xasprintf("%s%s", *text, more);

    free(*text);
    free(more);
    *text = longer;
}

/* What is known of other databases than the first (config/database.yml, migrations_paths): those
 * with migrations to their newest; of those with a schema alone whatever it is. */
static void add_others(const char *db, const char *ending, bool has_versions, char **text)
{
    cleanup_free char *quoted = pattern_quote(db);
    cleanup_free char *pattern = xasprintf("%s/*%s", quoted, ending);
    cleanup_with(pattern_release) struct pattern_found files;

    pattern_find(&files, pattern);
    for (size_t i = 0; i < files.count; i++) {
        cleanup_free char *name = database_of(files.paths[i], ending);

        if (name == NULL)
            continue;
        if (has_versions)
            append(text, xasprintf(",%s=%llu", name, newest_migration(files.paths[i])));
        else
            append(text, xasprintf(",%s=", name));
    }
}

/* The words of `backup --schema` for what a release knows, on the heap. *ret_any: it has some. */
static char *schema_of(const struct candidate *candidate, bool *ret_any)
{
    const struct releases *releases = candidate->releases;
    cleanup_free char *image =
        releases_path(releases, releases_find(releases, candidate->number), "image");
    cleanup_free char *db = xasprintf("%s/app/db", image);
    cleanup_free char *primary = xasprintf("%s/migrate", db);
    char *text = xasprintf("%llu", newest_migration(primary));

    add_others(db, "_migrate", true, &text);
    *ret_any = strcmp(text, "0") != 0;
    add_others(db, "_schema.rb", false, &text);
    return text;
}

bool recovery_check_schema(const struct candidate *serving, const struct candidate *target,
                           bool is_forced, struct err *err)
{
    const char *name = serving->releases->name;
    bool is_known;
    bool was_known;
    cleanup_free char *schema = schema_of(target, &is_known);
    [[gnu::unused]] cleanup_free char *other = schema_of(serving, &was_known);
    cleanup_free char *options = xasprintf(" --schema %s", schema);
    cleanup_free char *path = xasprintf("/var/backups/%s/before-rollback.tar.zst", name);

    if ((!is_known && !was_known) || take(serving, options, path, err))
        return true;
    if (err->kind == ERR_CHECK) {
        *err = (struct err){0};
        (void)err_set(err, ERR_INPUT,
                      "the database is ahead of release %u, which knows migrations to %.100s",
                      target->number, schema);
        (void)err_id(err, "E-SCHEMA");
        return err_hint(err, "back with its state: FILE service rollback %u --with-state",
                        target->number);
    }
    if (!is_forced)
        return err_hint(err,
                        "mend that; or without a snapshot, and not knowing whether the database "
                        "is ahead of release %u: FILE service rollback %u --force",
                        target->number, target->number);
    fprintf(stderr,
            "warning: no snapshot of the state, nor is it known whether release %u knows "
            "its schema\n",
            target->number);
    *err = (struct err){0};
    return true;
}

/* The state directory is the user's: what is in it is named, never followed. */
static int open_state(const char *name)
{
    cleanup_free char *dir = xasprintf("/var/lib/%s", name);

    return open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

char *recovery_kept_state(const char *name)
{
    int fd = open_state(name);
    cleanup_dir DIR *entries = fd >= 0 ? fdopendir(fd) : NULL;
    char *newest = NULL;
    const struct dirent *entry;

    while (entries != NULL && (entry = readdir(entries)) != NULL) {
        const char *found = entry->d_name;

        if (strncmp(found, KEPT_STATE, strlen(KEPT_STATE)) != 0 ||
            found[strlen(KEPT_STATE) + strspn(found + strlen(KEPT_STATE), "0123456789TZ.")] !=
                '\0' ||
            (newest != NULL && strcmp(found, newest) < 0))
            continue;
        free(newest);
        newest = xstrdup(found);
    }
    return newest;
}

bool recovery_swap_back(const char *name, const char *kept, struct err *err)
{
    cleanup_free char *failed = xasprintf("data.failed-%lld", (long long)time(NULL));
    cleanup_fd int fd = open_state(name);

    if (fd < 0 || renameat(fd, "data", fd, failed) != 0)
        return err_sys(err, "'/var/lib/%s/data'", name);
    if (renameat(fd, kept, fd, "data") == 0)
        return true;
    (void)err_sys(err, "'/var/lib/%s/%s'", name, kept);
    (void)renameat(fd, failed, fd, "data");
    return false;
}
