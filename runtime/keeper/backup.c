/* SPDX-License-Identifier: MIT */
#include "runtime/keeper/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/fs.h"
#include "common/statelock.h"
#include "common/stateswap.h"
#include "common/text.h"
#include "common/xalloc.h"
#include "runtime/keeper/capsule.h"
#include "runtime/keeper/interrupt.h"
#include "runtime/keeper/inventory.h"
#include "runtime/keeper/manifest.h"
#include "runtime/keeper/options.h"
#include "runtime/keeper/output.h"
#include "runtime/keeper/progress.h"
#include "runtime/keeper/push.h"
#include "runtime/keeper/reading.h"
#include "runtime/keeper/receipt.h"
#include "runtime/keeper/retention.h"
#include "runtime/keeper/site.h"
#include "runtime/keeper/snapshot.h"

#define WORK_DIR ".backup" /* below the state directory; copies of databases */

enum {
    ROUNDS_MAX = 10, /* looks for databases that appear meanwhile */
    PIECE_BYTES = 256 << 10,
    MODE_SNAPSHOT = 0600,
    MODE_CAPSULE = 0700, /* a program, and for its owner alone: it holds the data */
};

struct backup {
    struct site *site;
    const struct options *options;
    struct inventory inventory;
    struct manifest manifest;
    struct database_hold **holds;
    size_t hold_count;
    struct output output;
    char *name;      /* NAME-TIME.tar.zst */
    char *directory; /* of the output; NULL for a stream */
    char *path;
    int use_lock;
    int backup_lock;
    uint64_t size_bytes;
};

/* What is needed only until the snapshot is complete: the site waits, and the copies take room. */
static void let_go(struct backup *backup)
{
    struct err ignored = {0};

    for (size_t i = 0; i < backup->hold_count; i++)
        database_hold_free(backup->holds[i]);
    backup->hold_count = 0;
    if (backup->backup_lock >= 0)
        (void)fs_remove_tree(backup->site->fd, WORK_DIR, &ignored);
}

static void backup_release(struct backup *backup)
{
    let_go(backup);
    free(backup->holds);
    output_release(&backup->output);
    inventory_release(&backup->inventory);
    manifest_release(&backup->manifest);
    free(backup->name);
    free(backup->directory);
    free(backup->path);
    cleanup_fd_value(&backup->use_lock);
    cleanup_fd_value(&backup->backup_lock);
}

static bool lock_failed(const struct backup *backup, const char *who, struct err *err)
{
    if (err->sys_errno != EAGAIN) {
        (void)err_id(err, "E-WRITE");
        return err_hint(err, "is '%.200s' yours to write, on a file system that has locks?",
                        backup->site->dir);
    }
    (void)err_set(err, ERR_INPUT, "%s is under way", who);
    (void)err_id(err, "E-DBBUSY");
    return err_hint(err, "wait for its end");
}

/*
 * Two locks: nobody replaces the state meanwhile, and nobody else makes a snapshot. The command of
 * --push does not inherit them: what it leaves running would hold them for ever.
 */
static bool lock(struct backup *backup, struct err *err)
{
    if (!statelock_take(backup->site->fd, STATELOCK_USE, false, &backup->use_lock, err))
        return lock_failed(backup, "a restore", err);
    if (!statelock_take(backup->site->fd, STATELOCK_BACKUP, true, &backup->backup_lock, err))
        return lock_failed(backup, "another backup", err);
    return (fcntl(backup->use_lock, F_SETFD, FD_CLOEXEC) == 0 &&
            fcntl(backup->backup_lock, F_SETFD, FD_CLOEXEC) == 0) ||
           err_sys(err, STATELOCK_FILE);
}

static bool begin(struct backup *backup, struct err *err)
{
    cleanup_free char *before = xasprintf("data.before-%lld", (long long)time(NULL));
    char host[256] = "";

    if (!lock(backup, err) || !stateswap_finish(backup->site->fd, before, err) ||
        !fs_remove_tree(backup->site->fd, WORK_DIR, err))
        return false;
    if (mkdirat(backup->site->fd, WORK_DIR, 0700) != 0) {
        (void)err_sys(err, "'%s/" WORK_DIR "'", backup->site->dir);
        return err_id(err, errno == ENOSPC ? "E-SPACE" : "E-WRITE");
    }
    (void)gethostname(host, sizeof(host) - 1);
    backup->manifest.name = xstrdup(backup->site->name);
    backup->manifest.host = text_visible(host);
    backup->manifest.time = (int64_t)time(NULL);
    backup->name =
        retention_name(backup->site->name, backup->manifest.time, backup->options->capsule);
    if (getrandom(backup->manifest.id, sizeof(backup->manifest.id), 0) < 0)
        return err_sys(err, "random numbers");
    site_add_secrets(backup->site, &backup->manifest);
    return true;
}

/*
 * Anybody may upload 16 bytes that say "SQLite format 3": that must not end all backups. What no
 * application has as its database is taken as it is, when SQLite cannot read it. Clears err then.
 */
static bool settle_as_file(const struct backup *backup, struct inventory_item *item,
                           struct err *err)
{
    cleanup_free char *path = NULL;

    if (strcmp(err->id, "E-DATABASE") != 0 || database_is_likely(backup->site->fd, item->path))
        return false;
    path = text_visible(item->path);
    fprintf(stderr, "warning: '%s' begins as a database and is none: taken as a file\n", path);
    item->kind = INVENTORY_FILE;
    item->is_settled = true;
    *err = (struct err){0};
    return true;
}

static bool hold_all(struct backup *backup, struct err *err)
{
    backup->holds = xcalloc(backup->inventory.count, sizeof(struct database_hold *));
    for (size_t i = 0; i < backup->inventory.count; i++) {
        struct inventory_item *item = &backup->inventory.items[i];
        cleanup_free char *path = site_path(backup->site, item->path);

        if (item->kind != INVENTORY_DATABASE)
            continue;
        if (database_hold(path, &backup->holds[backup->hold_count], err))
            backup->hold_count++;
        else if (!settle_as_file(backup, item, err))
            return err_wrap(err, "--quiesce");
    }
    return true;
}

/* The copies lie beside the state: there they have its owner's disk, and no other reader. */
static bool check_space(const struct backup *backup, struct err *err)
{
    struct statvfs fs;
    uint64_t need = 0;

    for (size_t i = 0; i < backup->inventory.count; i++)
        if (backup->inventory.items[i].kind == INVENTORY_DATABASE)
            need += backup->inventory.items[i].size_bytes;
    if (fstatvfs(backup->site->fd, &fs) != 0 || need + need / 16 <= fs.f_bavail * fs.f_frsize)
        return true;
    (void)err_set(err, ERR_INPUT, "'%s' has no room for a copy of its databases: %llu MB",
                  backup->site->dir, (unsigned long long)need / 1000000 + 1);
    (void)err_id(err, "E-SPACE");
    return err_hint(err, "make room; nothing was left behind, and nothing is lost");
}

static bool copy_database(struct backup *backup, const char *path, struct err *err)
{
    size_t index = backup->manifest.file_count;
    cleanup_free char *source = site_path(backup->site, path);
    cleanup_free char *copy = xasprintf("%s/" WORK_DIR "/%zu", backup->site->dir, index);
    struct database_facts facts;
    struct manifest_file *file;

    if (!database_copy(source, copy, err) || !database_check(copy, path, false, err) ||
        !database_describe(copy, path, &facts, err)) {
        (void)unlink(copy); /* the next one has the same index */
        return output_explain_state(backup->site->dir, err);
    }
    file = manifest_add_file(&backup->manifest, path);
    file->is_database = true;
    file->facts = facts;
    return true;
}

static bool has_file(const struct manifest *manifest, const char *path)
{
    for (size_t i = 0; i < manifest->file_count; i++)
        if (strcmp(manifest->files[i].path, path) == 0)
            return true;
    return false;
}

/* Copies what is not copied yet; *ret_new: how many. */
static bool copy_databases(struct backup *backup, size_t *ret_new, struct err *err)
{
    *ret_new = 0;
    for (size_t i = 0; i < backup->inventory.count; i++) {
        struct inventory_item *item = &backup->inventory.items[i];

        if (item->kind != INVENTORY_DATABASE || has_file(&backup->manifest, item->path))
            continue;
        if (!interrupt_check(err))
            return false;
        if (copy_database(backup, item->path, err))
            ++*ret_new;
        else if (!settle_as_file(backup, item, err))
            return false;
    }
    return true;
}

/* What was copied, and has vanished since: its directory may be gone, too. */
static void leave_out_gone(struct backup *backup)
{
    for (size_t i = 0; i < backup->manifest.file_count; i++) {
        struct manifest_file *file = &backup->manifest.files[i];
        const struct inventory_item *item = inventory_find(&backup->inventory, file->path);

        file->is_gone = item == NULL || item->kind != INVENTORY_DATABASE;
    }
}

/* The list of files is the one that is taken after the last database was copied. */
static bool collect(struct backup *backup, struct err *err)
{
    size_t fresh = 1;

    for (int round = 0; fresh > 0 && round < ROUNDS_MAX; round++) {
        struct inventory known = backup->inventory;
        bool ok;

        backup->inventory = (struct inventory){0};
        ok = inventory_take(&backup->inventory, backup->site->fd, &known, err);
        inventory_release(&known);
        if (!ok || (round == 0 && (!check_space(backup, err) ||
                                   (backup->options->quiesce && !hold_all(backup, err)))))
            return false;
        if (!copy_databases(backup, &fresh, err))
            return false;
    }
    leave_out_gone(backup);
    for (size_t i = 0; i < backup->inventory.count; i++) {
        const struct inventory_item *item = &backup->inventory.items[i];

        if (item->kind == INVENTORY_DIRECTORY)
            manifest_add_directory(&backup->manifest, item->path);
        else if (item->kind == INVENTORY_LINK)
            manifest_add_link(&backup->manifest, item->path, item->target);
        else if (item->kind == INVENTORY_FILE)
            manifest_add_file(&backup->manifest, item->path)->size_bytes = item->size_bytes;
    }
    return true;
}

/* A state that has lost what its last snapshot had must not push good snapshots out. */
static bool continue_lineage(struct backup *backup, struct err *err)
{
    struct lineage *lineage = &backup->manifest.lineage;
    struct lineage now = {0};
    bool is_found;

    if (!lineage_read(backup->site->fd, lineage, &is_found, err) ||
        (!is_found && !lineage_begin(lineage, err)))
        return false;
    manifest_measure(&backup->manifest, &now);
    if (!backup->options->emptier &&
        ((now.rows == 0 && lineage->rows > 0) || (now.files == 0 && lineage->files > 0))) {
        (void)err_set(err, ERR_INPUT,
                      "the state is empty: %llu rows and %llu files, its last snapshot had %llu "
                      "and %llu",
                      (unsigned long long)now.rows, (unsigned long long)now.files,
                      (unsigned long long)lineage->rows, (unsigned long long)lineage->files);
        (void)err_id(err, "E-EMPTY");
        return err_hint(err, "restore a snapshot; if it is meant to be empty: backup --emptier");
    }
    lineage->number++;
    lineage->rows = now.rows;
    lineage->files = now.files;
    return true;
}

static bool is_directory(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool is_stream(const struct options *options)
{
    return options->output != NULL ? strcmp(options->output, "-") == 0 : options->push != NULL;
}

static void choose_place(struct backup *backup)
{
    const char *output = backup->options->output != NULL ? backup->options->output : ".";
    const char *slash = strrchr(output, '/');

    if (is_stream(backup->options))
        return;
    if (is_directory(output)) {
        backup->directory = xstrdup(output);
        backup->path = strcmp(output, ".") == 0 ? xstrdup(backup->name)
                                                : xasprintf("%s/%s", output, backup->name);
        return;
    }
    backup->path = xstrdup(output);
    if (slash == NULL)
        backup->directory = xstrdup(".");
    else
        backup->directory =
            slash == output ? xstrdup("/") : xstrndup(output, (size_t)(slash - output));
}

/*
 * The newest snapshot of a directory that can be read; *ret_path NULL when there is none at all. A
 * damaged one does not make room for those of anybody: E-LINEAGE when all are.
 */
static bool read_newest(const struct backup *backup, struct reading *ret, char **ret_path,
                        struct err *err)
{
    for (unsigned int newer = 0;; newer++) {
        cleanup_free char *path = retention_newest(backup->directory, backup->site->name, newer);
        struct err why = {0};

        if (path == NULL && newer == 0)
            return true;
        if (path == NULL)
            break;
        if (reading_open(ret, path, &why)) {
            *ret_path = steal_ptr(&path);
            return true;
        }
        cleanup_free char *message = text_visible(why.msg);

        fprintf(stderr, "warning: '%s': %s\n", path, message);
        if (!interrupt_check(err))
            return false;
    }
    (void)err_set(err, ERR_INPUT, "none of the snapshots in '%s' can be read", backup->directory);
    (void)err_id(err, "E-LINEAGE");
    return err_hint(err, "put them aside, or name another directory: -o DIR");
}

/* In a directory of snapshots, the newest must be one that this state comes from. */
static bool check_succession(const struct backup *backup, struct err *err)
{
    const struct lineage *ours = &backup->manifest.lineage;
    cleanup_free char *newest = NULL;
    struct reading reading = {.fd = -1};
    bool ok = true;

    if (backup->directory == NULL)
        return true;
    if (!read_newest(backup, &reading, &newest, err))
        return false;
    if (newest == NULL)
        return true;
    if (!lineage_same(ours, &reading.manifest.lineage)) {
        ok = err_set(err, ERR_INPUT, "'%s' is of another lineage: this state does not come from it",
                     newest);
        (void)err_hint(err, "restore it; if this state is a new one on purpose, name another "
                            "directory: -o DIR");
    } else if (lineage_compare(ours, &reading.manifest.lineage) <= 0) {
        ok = err_set(err, ERR_INPUT, "'%s' is further on than this state", newest);
        (void)err_hint(err, "is the site running elsewhere? if not, restore that snapshot; or name "
                            "another directory: -o DIR");
    }
    if (!ok)
        (void)err_id(err, "E-LINEAGE");
    reading_close(&reading);
    return ok;
}

static bool fill(struct backup *backup, struct err *err)
{
    struct capsule capsule = {.fd = -1};
    struct progress progress;
    const struct snapshot_input input = {backup->site, &backup->inventory, WORK_DIR, &progress};
    int fd = backup->output.fd;
    struct err why = {0};
    bool ok;

    if (backup->options->capsule && backup->site->file == NULL)
        return err_set(err, ERR_INPUT, "--capsule: the image runs unpacked, there is no file");
    if (backup->site->file != NULL && capsule_open(&capsule, backup->site->file, &why)) {
        backup->manifest.bundle = xstrdup(capsule.hash);
    } else if (backup->options->capsule) {
        *err = why;
        return err_wrap(err, "--capsule");
    }
    progress_begin(&progress, "backup", manifest_bytes(&backup->manifest));
    ok = (!backup->options->capsule || capsule_copy_bundle(&capsule, fd, err)) &&
         snapshot_write(&input, fd, &backup->manifest, err) &&
         (!backup->options->capsule ||
          (lseek(fd, 0, SEEK_END) >= 0 && capsule_seal(fd, capsule.bundle_size, err)));
    progress_end(&progress);
    capsule_release(&capsule);
    backup->size_bytes = ok ? (uint64_t)lseek(fd, 0, SEEK_END) : 0;
    if (!ok && backup->path == NULL)
        return output_explain_state(backup->site->dir, err);
    return ok || output_explain(backup->path, err);
}

static bool to_stdout(int fd, struct err *err)
{
    cleanup_free char *piece = xcalloc(PIECE_BYTES, 1);
    off_t offset = 0;

    for (;;) {
        ssize_t length = pread(fd, piece, PIECE_BYTES, offset);

        if (!interrupt_check(err))
            return false;
        if (length < 0)
            return err_sys(err, "snapshot");
        if (length == 0)
            return true;
        if (!fs_write_all(STDOUT_FILENO, piece, (size_t)length, err))
            return err_wrap(err, "standard output");
        offset += length;
    }
}

static bool deliver(struct backup *backup, struct err *err)
{
    const struct options *options = backup->options;

    if (backup->path != NULL &&
        !output_publish(&backup->output, options->capsule ? MODE_CAPSULE : MODE_SNAPSHOT, err))
        return false;
    if (options->push != NULL)
        return push_run(options->push, backup->output.fd, backup->name,
                        options->json ? STDERR_FILENO : STDOUT_FILENO, err);
    return !is_stream(options) || to_stdout(backup->output.fd, err);
}

/* A snapshot on standard output leaves no room for words there. */
static void report(const struct backup *backup, unsigned int removed)
{
    const struct options *options = backup->options;
    const struct receipt receipt = {
        .manifest = &backup->manifest,
        .place = backup->path,
        .name = backup->name,
        .size_bytes = backup->size_bytes,
        .is_capsule = options->capsule,
        .is_pushed = options->push != NULL,
        .removed = removed,
    };

    receipt_backup(&receipt, options->json, options->json || !is_stream(options) ? stdout : stderr);
}

/*
 * Before anybody can see the snapshot: one that the state did not know of would be further on than
 * its own state, and stop all later ones. A number that is noted and never comes does no harm.
 */
static bool note(const struct backup *backup, struct err *err)
{
    return lineage_write(backup->site->fd, &backup->manifest.lineage, err) ||
           output_explain_state(backup->site->dir, err);
}

static bool finish(struct backup *backup, struct err *err)
{
    unsigned int removed = 0;

    if (backup->options->keep > 0 &&
        !retention_apply(backup->directory, backup->site->name, text_base_name(backup->path),
                         backup->options->keep, &removed, err))
        return err_wrap(err, "the snapshot is written, but --keep failed");
    report(backup, removed);
    return true;
}

/* As numbers: Active Record's versions are digits, mostly of one length. */
static bool is_newer(const char *migration, const char *version)
{
    unsigned long long left = strtoull(migration, NULL, 10);

    return left > strtoull(version, NULL, 10);
}

/* Whether "queue" is the name of "data/production_queue.sqlite3", as Rails names databases. */
static bool is_named(const char *path, const char *name, size_t len)
{
    const char *base = text_base_name(path);
    size_t base_len = strcspn(base, ".");

    return len > 0 && base_len >= len && strncmp(base + base_len - len, name, len) == 0 &&
           (base_len == len || strchr("_-", base[base_len - len - 1]) != NULL);
}

/* Of "VERSION,NAME=VERSION,NAME=": what the database may have. The longest name that fits counts,
 * "" is any version; the first is of all others. */
static const char *version_for(const char *schema, const char *path)
{
    const char *version = schema;
    size_t longest = 0;

    for (const char *at = strchr(schema, ','); at != NULL; at = strchr(at, ',')) {
        size_t len = strcspn(++at, "=,");

        if (at[len] != '=' || len <= longest || !is_named(path, at, len))
            continue;
        longest = len;
        version = at + len + 1;
    }
    return version;
}

/* What asks is about to start a release that knows the migrations up to this one. */
static bool check_schema(const struct backup *backup, struct err *err)
{
    const char *schema = backup->options->schema;

    for (size_t i = 0; schema != NULL && i < backup->manifest.file_count; i++) {
        const struct manifest_file *file = &backup->manifest.files[i];
        const char *version = version_for(schema, file->path);

        if (!file->is_database || file->facts.migration == NULL ||
            strchr(",", version[0]) != NULL || !is_newer(file->facts.migration, version))
            continue;
        (void)err_set(err, ERR_CHECK, "'%s' has the migration %s, which is newer than %.*s",
                      file->path, file->facts.migration, (int)strcspn(version, ","), version);
        (void)err_id(err, "E-SCHEMA");
        return err_hint(err, "a release that does not know it must not have this state: restore "
                             "the snapshot from before the migration with it");
    }
    return true;
}

bool backup_run(struct site *site, const struct options *options, struct err *err)
{
    struct backup backup = {
        .site = site, .options = options, .output = {.fd = -1}, .use_lock = -1, .backup_lock = -1};
    bool ok = site_enter(site, false, err) && begin(&backup, err);

    if (ok)
        choose_place(&backup);
    ok = ok && collect(&backup, err) && check_schema(&backup, err) &&
         continue_lineage(&backup, err) && check_succession(&backup, err) &&
         output_open(&backup.output, site->dir, backup.path, err) && fill(&backup, err);
    let_go(&backup);
    ok = ok && note(&backup, err) && deliver(&backup, err) && finish(&backup, err);
    backup_release(&backup);
    return ok;
}
