/* SPDX-License-Identifier: MIT */
#include "runtime/stub/cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "runtime/stub/extract.h"
#include "runtime/stub/integrity.h"
#include "runtime/stub/inuse.h"
#include "runtime/stub/payload.h"
#include "runtime/stub/tree.h"

#define TREE "m"
#define REPLACED "o"
#define UNFINISHED "t"
#define MANIFEST "manifest"
#define UNFINISHED_MANIFEST "manifest.new"
#define MAGIC "rucksack tree 1"

enum {
    OPEN_DIR = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
    BOOT_SIZE = 36, /* a UUID in text (random(4), boot_id) */
    PATH_SIZE = 4096,
};

/* The manifest begins with this; the list of the tree follows. Read back by the same program on the
 * same machine only, if by another version: see MAGIC. */
struct manifest {
    char magic[sizeof(MAGIC)];
    uint8_t image[PAYLOAD_IDENTITY_SIZE];
    char boot[BOOT_SIZE]; /* in which the tree is whole; zeros: it is on the disk */
    char name[FORMAT_NAME_SIZE];
    char path[PATH_SIZE]; /* of the file that it came from; empty when too long */
};

/* A handler has nothing but globals. */
static volatile sig_atomic_t caught_signal;

static void catch_signal(int number)
{
    caught_signal = number;
}

static const int ending_signals[] = {SIGINT, SIGTERM, SIGHUP};

enum { SIGNALS = sizeof(ending_signals) / sizeof(ending_signals[0]) };

static void catch_signals(struct sigaction before[SIGNALS])
{
    const struct sigaction action = {.sa_handler = catch_signal};

    for (size_t i = 0; i < SIGNALS; i++) {
        (void)sigaction(ending_signals[i], NULL, &before[i]);
        if (before[i].sa_handler == SIG_DFL)
            (void)sigaction(ending_signals[i], &action, NULL);
    }
}

static void restore_signals(const struct sigaction before[SIGNALS])
{
    for (size_t i = 0; i < SIGNALS; i++)
        (void)sigaction(ending_signals[i], &before[i], NULL);
}

static bool check_exec(const struct place *place, int fd, struct err *err)
{
    struct statvfs fs;

    if (fstatvfs(fd, &fs) == 0 && (fs.f_flag & ST_NOEXEC) != 0)
        return err_set(err, ERR_SYSTEM, "'%s' is mounted noexec", place->dir);
    return true;
}

/* Zeros where /proc is missing: then such a tree is never used again. */
static void read_boot(char ret[BOOT_SIZE])
{
    cleanup_fd int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

    memset(ret, 0, BOOT_SIZE);
    if (fd >= 0 && read(fd, ret, BOOT_SIZE) != BOOT_SIZE)
        memset(ret, 0, BOOT_SIZE);
}

static bool read_manifest(const struct place *place, struct manifest *ret, int *ret_fd)
{
    cleanup_fd int fd =
        openat(place->dir_fd, MANIFEST, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0 || read(fd, ret, sizeof(*ret)) != (ssize_t)sizeof(*ret) ||
        memcmp(ret->magic, MAGIC, sizeof(MAGIC)) != 0 || ret->name[FORMAT_NAME_SIZE - 1] != 0 ||
        ret->path[PATH_SIZE - 1] != 0)
        return false;
    *ret_fd = steal_fd(&fd);
    return true;
}

bool cache_is_complete(const struct place *place)
{
    struct stat st;

    /* Written last, and removed before anything else. */
    return fstatat(place->dir_fd, MANIFEST, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool in_this_boot(const struct manifest *manifest)
{
    static const char on_disk[BOOT_SIZE];
    char boot[BOOT_SIZE];

    if (memcmp(manifest->boot, on_disk, BOOT_SIZE) == 0)
        return true;
    read_boot(boot);
    return memcmp(manifest->boot, boot, BOOT_SIZE) == 0;
}

static bool is_unchanged(const struct place *place, int manifest_fd)
{
    struct tree_list list;
    struct stat st;
    bool same;

    if (fstatat(place->dir_fd, TREE, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISDIR(st.st_mode) ||
        st.st_uid != geteuid() || !tree_list_read(&list, manifest_fd))
        return false;
    same = tree_unchanged(place->dir_fd, TREE, &list);
    tree_list_release(&list);
    return same;
}

static bool is_usable(const struct place *place, const struct payload *payload)
{
    uint8_t image[PAYLOAD_IDENTITY_SIZE];
    struct manifest manifest;
    cleanup_fd int fd = -1;

    payload_identity(payload, image);
    return read_manifest(place, &manifest, &fd) &&
           memcmp(manifest.image, image, sizeof(image)) == 0 && in_this_boot(&manifest) &&
           is_unchanged(place, fd);
}

static struct manifest describe(const struct payload *payload, bool durable)
{
    struct manifest manifest = {.magic = MAGIC};

    payload_identity(payload, manifest.image);
    if (!durable)
        read_boot(manifest.boot);
    if (payload->ours)
        memcpy(manifest.name, payload->header.name, FORMAT_NAME_SIZE - 1);
    if (strlen(payload->path) < PATH_SIZE)
        memcpy(manifest.path, payload->path, strlen(payload->path));
    return manifest;
}

static bool write_manifest(const struct place *place, const struct payload *payload, bool durable,
                           struct err *err)
{
    struct manifest manifest = describe(payload, durable);
    struct tree_list list = {0};
    cleanup_fd int fd = -1;
    bool done;

    if (!tree_list(place->dir_fd, TREE, &list, err))
        return false;
    fd = openat(place->dir_fd, UNFINISHED_MANIFEST,
                O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    done = fd >= 0 && write(fd, &manifest, sizeof(manifest)) == (ssize_t)sizeof(manifest) &&
           tree_list_write(&list, fd) && (!durable || fsync(fd) == 0) &&
           renameat(place->dir_fd, UNFINISHED_MANIFEST, place->dir_fd, MANIFEST) == 0;
    tree_list_release(&list);
    return done || err_sys(err, "'%s/" MANIFEST "'", place->dir);
}

/* All but the tree, which somebody may still run from. */
static void remove_remains(const struct place *place)
{
    tree_remove(place->dir_fd, MANIFEST);
    tree_remove(place->dir_fd, UNFINISHED_MANIFEST);
    tree_remove(place->dir_fd, UNFINISHED);
    tree_remove(place->dir_fd, REPLACED);
}

void cache_remove(const struct place *place)
{
    remove_remains(place);
    tree_remove(place->dir_fd, TREE);
}

static bool is_free(struct place *place)
{
    return !place_has_users(place, 0) && !inuse_tree(place->root);
}

/* Whoever still runs from a tree that has changed goes on with the new one: it has the same files,
 * and is missing for no longer than a rename takes. */
static bool replace_tree(const struct place *place, struct err *err)
{
    (void)renameat(place->dir_fd, TREE, place->dir_fd, REPLACED);
    if (renameat(place->dir_fd, UNFINISHED, place->dir_fd, TREE) != 0)
        return err_sys(err, "'%s'", place->root);
    tree_remove(place->dir_fd, REPLACED);
    return true;
}

static bool unpack(const struct cache_request *request, struct place *place, struct err *err)
{
    const struct extract_options options = {.plain = true, .stop = &caught_signal};
    bool durable = request->kind == PLACE_CACHE;
    struct sqfs_image *image;
    cleanup_fd int fd = -1;

    if (!request->open_image(request->context, &image, err))
        return false;
    if (is_free(place))
        cache_remove(place);
    else
        remove_remains(place);
    if (mkdirat(place->dir_fd, UNFINISHED, 0700) != 0)
        return err_sys(err, "'%s'", place->dir);
    fd = openat(place->dir_fd, UNFINISHED, OPEN_DIR);
    if (fd < 0)
        return err_sys(err, "'%s'", place->dir);
    if (!extract_tree(image, fd, &options, NULL, err))
        return false;
    /* The image's root may be writable for others, or not for us; neither suits a cache. */
    if (fchmod(fd, 0700) != 0)
        return err_sys(err, "'%s'", place->dir);
    if (durable)
        tree_flush(place->dir_fd, UNFINISHED);
    return replace_tree(place, err) && write_manifest(place, request->payload, durable, err);
}

/* Removes the place unless it serves others. */
static void abandon(struct place *place)
{
    if ((place->lock_fd >= 0 || place_try_lock(place)) && is_free(place)) {
        cache_remove(place);
        place_remove(place);
    }
}

/* The signal that came meanwhile ends the process, as it would have before. */
static bool unpack_or_clean(const struct cache_request *request, struct place *place,
                            struct err *err)
{
    struct sigaction before[SIGNALS];
    bool done;

    catch_signals(before);
    done = unpack(request, place, err);
    if (!done)
        remove_remains(place);
    restore_signals(before);
    if (caught_signal != 0) {
        abandon(place);
        (void)raise(caught_signal);
    }
    return done;
}

/* Whether what was unpacked there is another version of the same app: it came from the same path,
 * or has the same name and its file is gone. */
static bool is_older(const struct manifest *manifest, const struct payload *payload)
{
    uint8_t image[PAYLOAD_IDENTITY_SIZE];

    payload_identity(payload, image);
    if (memcmp(manifest->image, image, sizeof(image)) == 0 || manifest->path[0] == '\0')
        return false;
    if (strcmp(manifest->path, payload->path) == 0)
        return true;
    return payload->ours && manifest->name[0] != '\0' &&
           strncmp(manifest->name, payload->header.name, FORMAT_NAME_SIZE) == 0 &&
           access(manifest->path, F_OK) != 0 && errno == ENOENT;
}

static void remove_if_older(const struct cache_request *request, size_t index, const char *key)
{
    struct place place = PLACE_NONE;
    struct manifest manifest;
    cleanup_fd int fd = -1;
    struct err ignored;
    bool last;

    if (!place_choose(&place, request->kind, index, key, request->trusted, &last, &ignored))
        return;
    if (place_open_made(&place) && read_manifest(&place, &manifest, &fd) &&
        is_older(&manifest, request->payload) && place_try_lock(&place) && is_free(&place)) {
        cache_remove(&place);
        place_remove(&place);
    }
    place_release(&place);
}

/* index: of the base that the place is in. */
static void remove_older(const struct cache_request *request, const struct place *place,
                         size_t index)
{
    cleanup_dir DIR *dir = NULL;
    const struct dirent *entry;
    int fd = openat(place->parent_fd, ".", OPEN_DIR);

    dir = fd < 0 ? NULL : fdopendir(fd);
    while (dir != NULL && (entry = readdir(dir)) != NULL)
        if (strlen(entry->d_name) == PAYLOAD_KEY_SIZE - 1 && strcmp(entry->d_name, place->key) != 0)
            remove_if_older(request, index, entry->d_name);
}

/* The place has a tree already; makes nothing otherwise. */
static bool find_tree(const struct cache_request *request, struct place *place)
{
    struct err ignored;

    if (!place_lock_made(place))
        return false;
    if (!is_usable(place, request->payload) || !place_add_user(place, getpid(), &ignored)) {
        place_forget(place);
        return false;
    }
    place_unlock(place);
    return true;
}

static bool unpack_at(const struct cache_request *request, struct place *place, size_t index,
                      struct err *err)
{
    bool made = false;

    if (!place_make(place, err) || !check_exec(place, place->dir_fd, err) ||
        !place_lock(place, err))
        return false;
    if (!is_usable(place, request->payload)) {
        if (!unpack_or_clean(request, place, err))
            return false;
        made = true;
    }
    if (!place_add_user(place, getpid(), err))
        return false;
    place_unlock(place);
    if (made && request->kind == PLACE_CACHE)
        remove_older(request, place, index);
    return true;
}

/* Releases the place on failure. */
static bool use_place(const struct cache_request *request, struct place *place, size_t index,
                      struct err *err)
{
    bool begun = false;

    if (!check_exec(place, place->base_fd, err))
        goto fail;
    if (request->kept && find_tree(request, place))
        return true;
    begun = request->begin(request->context, place, err);
    if (begun && unpack_at(request, place, index, err)) {
        request->end(request->context, true);
        return true;
    }
    if (begun)
        abandon(place);
fail:
    place_release(place);
    if (begun)
        request->end(request->context, false);
    return false;
}

/* Adds one place's failure to the report; what does not fit is left out. */
static void report(struct err *all, const struct err *one)
{
    size_t used = strlen(all->msg);

    (void)snprintf(all->msg + used, sizeof(all->msg) - used, "%s%s", used > 0 ? ", " : "",
                   one->msg);
}

bool cache_unpack(const struct cache_request *request, struct place *ret, struct err *err)
{
    struct err all = {.kind = ERR_SYSTEM};
    char key[PAYLOAD_KEY_SIZE];
    bool last = false;

    payload_key(request->payload, request->salt, key);
    for (size_t i = 0; !last; i++) {
        struct place place = PLACE_NONE;
        struct err one = {0};

        if (!place_choose(&place, request->kind, i, key, request->trusted, &last, &one)) {
            report(&all, &one);
            continue;
        }
        if (use_place(request, &place, i, &one)) {
            *ret = place;
            return true;
        }
        if (integrity_is_damage(&one)) {
            *err = one;
            return false;
        }
        report(&all, &one);
    }
    *err = all;
    return false;
}
