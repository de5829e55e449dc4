/* SPDX-License-Identifier: MIT */
#include "runtime/keeper/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/fs.h"
#include "common/statelock.h"
#include "common/stateswap.h"
#include "common/xalloc.h"
#include "runtime/keeper/holder.h"
#include "runtime/keeper/interrupt.h"
#include "runtime/keeper/inventory.h"
#include "runtime/keeper/options.h"
#include "runtime/keeper/output.h"
#include "runtime/keeper/progress.h"
#include "runtime/keeper/reading.h"
#include "runtime/keeper/receipt.h"
#include "runtime/keeper/site.h"
#include "runtime/keeper/unpack.h"

#define CHECK_DIR ".check" /* where --check-only unpacks */

struct restore {
    struct site *site;
    const struct options *options;
    struct reading reading;
    const char *scratch; /* name of the directory that is unpacked into */
    int scratch_fd;
    int lock;
    char *before; /* name for the state that was */
    struct unpack_owner owner;
    bool is_made;  /* the state directory was made by us */
    bool is_taken; /* the swap was begun: the scratch may hold the state that was */
};

/* A state that was is never removed: it has no mark. */
static void drop_scratch(struct restore *restore)
{
    struct err ignored = {0};

    if (restore->lock < 0 || restore->scratch == NULL)
        return;
    if (!restore->is_taken || faccessat(restore->site->fd, STATESWAP_MARK, F_OK, 0) == 0)
        (void)fs_remove_tree(restore->site->fd, restore->scratch, &ignored);
}

static struct restore *running; /* that has a scratch */

/* Who finds no memory ends the program (xalloc.h). */
static void drop_at_exit(void)
{
    if (running != NULL)
        drop_scratch(running);
}

static void restore_release(struct restore *restore)
{
    drop_scratch(restore);
    running = NULL;
    if (restore->is_made && restore->lock >= 0 && restore->options->check_only)
        (void)unlinkat(restore->site->fd, STATELOCK_FILE, 0);
    cleanup_fd_value(&restore->scratch_fd);
    cleanup_fd_value(&restore->lock);
    if (restore->is_made)
        (void)rmdir(restore->site->dir); /* when nothing came into it */
    reading_close(&restore->reading);
    free(restore->before);
}

static bool open_snapshot(struct restore *restore, struct err *err)
{
    const char *path = restore->options->snapshot;

    if (path != NULL)
        return reading_open(&restore->reading, path, err) || err_wrap(err, "'%s'", path);
    if (restore->site->file == NULL || !reading_open(&restore->reading, restore->site->file, err)) {
        if (restore->site->file != NULL && strstr(err->msg, "carries none") == NULL)
            return false;
        (void)err_set(err, ERR_USAGE, "restore: which snapshot?");
        return err_hint(err, "FILE restore NAME-TIME.tar.zst; a capsule needs none");
    }
    return true;
}

static bool check_identity(struct restore *restore, struct err *err)
{
    const struct manifest *manifest = &restore->reading.manifest;
    const char *unset;

    if (strcmp(manifest->name, restore->site->name) != 0) {
        (void)err_set(err, ERR_INPUT, "the snapshot is of '%.100s', this is '%s'", manifest->name,
                      restore->site->name);
        (void)err_id(err, "E-LINEAGE");
        return err_hint(err, "restore it with the bundle of '%.100s'", manifest->name);
    }
    if (restore->options->other_secrets)
        return true;
    if (!site_check_secrets(restore->site, manifest, &unset, err))
        return false;
    if (unset != NULL)
        fprintf(stderr, "note: the secret '%s' is not set here: it was not compared\n", unset);
    return true;
}

static bool busy(const struct restore *restore, struct err *err)
{
    struct inventory inventory = {0};
    struct holder holder;
    struct err ignored = {0};

    (void)inventory_take(&inventory, restore->site->fd, NULL, &ignored);
    if (holder_find(&holder, restore->site->fd, &inventory))
        (void)err_set(err, ERR_INPUT, "the state is in use by process %ld, '%s'", (long)holder.pid,
                      holder.command);
    else
        (void)err_set(err, ERR_INPUT, "the state is in use by another process");
    inventory_release(&inventory);
    (void)err_id(err, "E-DBBUSY");
    return err_hint(err, "stop the application first, then restore");
}

/* The lock knows the app however it was started; databases may be open in any other program. */
static bool check_unused(const struct restore *restore, struct err *err)
{
    struct inventory inventory = {0};
    struct holder holder;
    struct err ignored = {0};
    bool is_held = inventory_take(&inventory, restore->site->fd, NULL, &ignored) &&
                   holder_find(&holder, restore->site->fd, &inventory);

    inventory_release(&inventory);
    return !is_held || busy(restore, err);
}

static bool lock(struct restore *restore, struct err *err)
{
    enum statelock_part part = restore->options->check_only ? STATELOCK_CHECK : STATELOCK_USE;

    if (statelock_take(restore->site->fd, part, true, &restore->lock, err))
        return restore->options->check_only || check_unused(restore, err);
    if (err->sys_errno != EAGAIN) {
        (void)err_id(err, "E-WRITE");
        return err_hint(err, "is '%.200s' yours to write, on a file system that has locks?",
                        restore->site->dir);
    }
    if (!restore->options->check_only)
        return busy(restore, err);
    (void)err_set(err, ERR_INPUT, "another check is under way");
    (void)err_id(err, "E-DBBUSY");
    return err_hint(err, "wait for its end");
}

static bool check_lineage(const struct restore *restore, struct lineage *ret, struct err *err)
{
    const struct lineage *theirs = &restore->reading.manifest.lineage;
    struct lineage ours = {0};
    struct err damage = {0};
    bool is_found = false;

    *ret = *theirs;
    ret->epoch++;
    if (!lineage_read(restore->site->fd, &ours, &is_found, &damage) || !is_found)
        return true;
    if (!lineage_same(&ours, theirs)) {
        if (restore->options->replace)
            return true;
        (void)err_set(err, ERR_INPUT,
                      "the state here is of another lineage: the snapshot was not made from it");
        (void)err_id(err, "E-LINEAGE");
        return err_hint(err, "to put the snapshot in its place (it is kept): restore --replace");
    }
    if (ours.epoch >= ret->epoch)
        ret->epoch = ours.epoch + 1;
    if (ours.number > ret->number)
        ret->number = ours.number;
    return true;
}

static bool check_space(const struct restore *restore, struct err *err)
{
    uint64_t need = manifest_bytes(&restore->reading.manifest);
    struct statvfs fs;

    if (fstatvfs(restore->site->fd, &fs) != 0 || need / fs.f_frsize <= fs.f_bavail)
        return true;
    (void)err_set(err, ERR_INPUT, "'%s' has no room for the snapshot: %llu MB", restore->site->dir,
                  (unsigned long long)need / 1000000 + 1);
    (void)err_id(err, "E-SPACE");
    return err_hint(err, "make room; nothing was changed");
}

static bool make_mark(struct restore *restore, struct err *err)
{
    cleanup_fd int fd = -1;

    if (restore->options->check_only)
        return true;
    fd = openat(restore->site->fd, STATESWAP_MARK, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return fd >= 0 || err_sys(err, "'%s/" STATESWAP_MARK "'", restore->site->dir);
}

static bool make_scratch(struct restore *restore, struct err *err)
{
    const char *name = restore->options->check_only ? CHECK_DIR : STATESWAP_DIR;
    /* Not the name that the state of now will get. */
    cleanup_free char *left = xasprintf("%s.left", restore->before);
    struct stat st;

    if (!restore->options->check_only && !stateswap_finish(restore->site->fd, left, err))
        return false;
    if (!fs_remove_tree(restore->site->fd, name, err))
        return false;
    if (mkdirat(restore->site->fd, name, 0700) != 0) {
        (void)err_sys(err, "'%s/%s'", restore->site->dir, name);
        (void)output_explain_state(restore->site->dir, err);
        return err_id(err, "E-WRITE");
    }
    restore->scratch = name;
    running = restore;
    (void)atexit(drop_at_exit);
    if (!make_mark(restore, err))
        return output_explain_state(restore->site->dir, err);
    restore->scratch_fd =
        openat(restore->site->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (restore->scratch_fd < 0 || fstat(restore->site->fd, &st) != 0)
        return err_sys(err, "'%s/%s'", restore->site->dir, name);
    restore->owner = (struct unpack_owner){geteuid() == 0, st.st_uid, st.st_gid};
    return true;
}

/* Is a link or a mount point in the way? Better said before the work than after it. */
static bool check_place(const struct restore *restore, struct err *err)
{
    struct stat st;

    if (fstatat(restore->site->fd, STATESWAP_DATA, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
        S_ISDIR(st.st_mode))
        return true;
    (void)err_set(err, ERR_INPUT, "'%s/" STATESWAP_DATA "' is no directory but a link",
                  restore->site->dir);
    (void)err_id(err, "E-STATE");
    return err_hint(err, "let RUCKSACK_STATE lead to the directory that holds the real one");
}

static bool unpack(struct restore *restore, struct err *err)
{
    cleanup_free char *path = site_path(restore->site, restore->scratch);
    struct progress progress;
    bool ok;

    progress_begin(&progress, restore->options->check_only ? "check" : "restore",
                   manifest_bytes(&restore->reading.manifest));
    ok = unpack_run(&restore->reading, restore->scratch_fd, path, &restore->owner, &progress, err);
    progress_end(&progress);
    return ok;
}

static void report(const struct restore *restore, bool is_kept)
{
    const struct receipt receipt = {
        .manifest = &restore->reading.manifest,
        .place = restore->site->dir,
        .size_bytes = manifest_bytes(&restore->reading.manifest),
        .is_check = restore->options->check_only,
        .kept = is_kept ? restore->before : NULL,
    };

    receipt_restore(&receipt, restore->options->json, stdout);
}

static bool put_in_place(struct restore *restore, const struct lineage *lineage, struct err *err)
{
    bool is_kept = false;

    if (!lineage_write(restore->scratch_fd, lineage, err))
        return output_explain_state(restore->site->dir, err);
    if (restore->owner.is_given && fchownat(restore->scratch_fd, LINEAGE_PATH, restore->owner.uid,
                                            restore->owner.gid, AT_SYMLINK_NOFOLLOW) != 0)
        return err_sys(err, "'" LINEAGE_PATH "'");
    if (!interrupt_check(err))
        return false;
    if (syncfs(restore->scratch_fd) != 0)
        return err_sys(err, "sync") || output_explain_state(restore->site->dir, err);
    /* Whoever starts between two renames must see into it: common/stateswap.h. */
    if (restore->owner.is_given &&
        fchown(restore->scratch_fd, restore->owner.uid, restore->owner.gid) != 0)
        return err_sys(err, "'" STATESWAP_DIR "'");
    restore->is_taken = true;
    if (!stateswap_take(restore->site->fd, restore->before, &is_kept, err))
        return false;
    (void)fsync(restore->site->fd);
    report(restore, is_kept);
    return true;
}

static bool enter(struct restore *restore, struct err *err)
{
    struct stat st;

    restore->is_made = stat(restore->site->dir, &st) != 0;
    if (site_enter(restore->site, true, err))
        return true;
    restore->is_made = false;
    return false;
}

static char *name_for_old(void)
{
    time_t now = time(NULL);
    struct tm parts = {0};
    char stamp[32] = "";

    if (gmtime_r(&now, &parts) != NULL)
        (void)strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &parts);
    return xasprintf("data.before-%s.%ld", stamp, (long)getpid());
}

bool restore_run(struct site *site, const struct options *options, struct err *err)
{
    struct restore restore = {.site = site,
                              .options = options,
                              .reading = {.fd = -1},
                              .scratch_fd = -1,
                              .lock = -1,
                              .before = name_for_old()};
    struct lineage lineage = {0};
    bool ok = open_snapshot(&restore, err) && check_identity(&restore, err) &&
              enter(&restore, err) && lock(&restore, err) && make_scratch(&restore, err) &&
              check_place(&restore, err) && check_space(&restore, err);

    ok = ok && (options->check_only || check_lineage(&restore, &lineage, err)) &&
         unpack(&restore, err);
    if (ok && options->check_only)
        report(&restore, false);
    ok = ok && (options->check_only || put_in_place(&restore, &lineage, err));
    restore_release(&restore);
    return ok;
}
