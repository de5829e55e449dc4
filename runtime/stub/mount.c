/* SPDX-License-Identifier: MIT */
#include "runtime/stub/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "runtime/stub/cache.h"
#include "runtime/stub/device.h"
#include "runtime/stub/fusermount.h"
#include "runtime/stub/hidden.h"
#include "runtime/stub/integrity.h"
#include "runtime/stub/loop.h"
#include "runtime/stub/message.h"
#include "runtime/stub/payload.h"
#include "runtime/stub/process.h"
#include "runtime/stub/sqfs.h"
#include "runtime/stub/userns.h"

enum { REASON_MAX = 120, LAST_REASON_MAX = 500, SECTOR = 512, MOUNT_TRIES = 3 };

/* One request on its way through the ways. What has been done for one serves the next. */
struct attempt {
    const struct mount_request *request;
    bool checked;
    struct sqfs_image *image;   /* NULL until somebody must read it */
    enum lifetime_unmount tree; /* what becomes of a tree that is unpacked */
    int tree_socket;            /* to the server of its place, or -1 */
};

static bool check_file(struct attempt *attempt, struct err *err)
{
    attempt->checked = attempt->checked || integrity_check(attempt->request->payload, err);
    return attempt->checked;
}

static bool need_image(struct attempt *attempt, struct err *err)
{
    const struct payload *payload = attempt->request->payload;

    return attempt->image != NULL ||
           (check_file(attempt, err) &&
            sqfs_image_open(&attempt->image, payload->fd, payload->image_offset,
                            payload->image_offset + payload->image_size, err));
}

/* need_image(), as the cache wants it. */
static bool open_image(void *context, struct sqfs_image **ret, struct err *err)
{
    struct attempt *attempt = context;

    if (!need_image(attempt, err))
        return false;
    *ret = attempt->image;
    return true;
}

/* The first candidate directory that can be used. */
static bool find_place(const struct mount_request *request, const char *salt, struct place *ret,
                       struct err *err)
{
    char key[PAYLOAD_KEY_SIZE];
    bool last = false;

    payload_key(request->payload, salt, key);
    for (size_t i = 0; !last; i++)
        if (place_open(ret, PLACE_RUN, i, key, request->trusted, &last, err))
            return true;
    return err_wrap(err, "no private directory to mount in");
}

static bool detach_dead(const struct mount_request *request, const struct place *place,
                        enum lifetime_unmount unmount, struct err *err)
{
    if (unmount == LIFETIME_HELPER)
        return fusermount_detach(request->helper, place->root, err);
    if (umount2(place->root, MNT_DETACH | UMOUNT_NOFOLLOW) != 0)
        return err_sys(err, "cannot detach the dead mount at '%s'", place->root);
    return true;
}

static struct lifetime describe(const struct attempt *attempt, struct place *place,
                                enum lifetime_unmount unmount)
{
    bool served = attempt->image != NULL && unmount != LIFETIME_TREE && unmount != LIFETIME_CACHE;

    return (struct lifetime){
        .place = place,
        .image = served ? attempt->image : NULL,
        .image_fd = served ? attempt->request->payload->fd : -1,
        .fd = -1,
        .socket = -1,
        .unmount = unmount,
        .helper = attempt->request->helper,
        /* For root the image's owners are as good as any; others own what they mount, as they
         * would own it unpacked. */
        .own_ids = geteuid() != 0,
    };
}

static bool name_hidden(const struct mount_request *request, struct place *ret, struct err *err)
{
    char key[PAYLOAD_KEY_SIZE];

    payload_key(request->payload, "", key);
    return hidden_name(ret, key, err);
}

/* Starts the server, which waits at *ret_socket for a device: before anything is mounted, so that
 * somebody cleans up if this process is killed in between. */
static bool start_server(struct attempt *attempt, struct place *place,
                         enum lifetime_unmount unmount, int *ret_socket, struct err *err)
{
    struct lifetime lifetime = describe(attempt, place, unmount);
    cleanup_fd int ours = -1;
    int sockets[2];
    bool done;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0)
        return err_sys(err, "socket pair");
    ours = sockets[0];
    lifetime.socket = sockets[1];
    lifetime.shares_memory =
        (unmount == LIFETIME_DIRECT || unmount == LIFETIME_HELPER) && !attempt->request->visible;
    done = lifetime_start(&lifetime, err);
    (void)close(sockets[1]);
    if (done)
        *ret_socket = steal_fd(&ours);
    return done;
}

/* Mounts, and gives the server the device. */
static bool mount_device(struct attempt *attempt, const struct place *place,
                         enum lifetime_unmount unmount, int socket, struct err *err)
{
    cleanup_fd int fd = -1;
    struct err ignored;

    if (unmount == LIFETIME_HELPER
            ? !fusermount_mount(attempt->request->helper, place->root, &fd, err)
            : !device_mount(place->root, &fd, err))
        return false;
    if (message_send_fd(socket, fd))
        return true;
    (void)err_sys(err, "cannot reach the server");
    (void)detach_dead(attempt->request, place, unmount, &ignored);
    return false;
}

/* *socket leads to the server, or is -1: then one is started. */
static bool mount_served(struct attempt *attempt, struct place *place,
                         enum lifetime_unmount unmount, int *socket, struct err *err)
{
    const char *helper = attempt->request->helper;

    if (!need_image(attempt, err))
        return false;
    if (mkdirat(place->dir_fd, "m", 0700) != 0 && errno != EEXIST)
        return err_sys(err, "cannot make '%s'", place->root);
    return (unmount != LIFETIME_HELPER || fusermount_check(helper, place->root, err)) &&
           (*socket >= 0 || start_server(attempt, place, unmount, socket, err)) &&
           mount_device(attempt, place, unmount, *socket, err);
}

static void end_server(int *socket)
{
    if (*socket < 0)
        return;
    lifetime_cancel(*socket);
    (void)close(*socket);
    *socket = -1;
}

/* More than once: the helper of a start that was killed may still have been mounting when we
 * looked. */
static bool join_or_mount(struct attempt *attempt, struct place *place,
                          enum lifetime_unmount unmount, int *socket, struct err *err)
{
    for (int i = 0; i < MOUNT_TRIES; i++) {
        enum place_mount state = place_mount_state(place);

        if (state == PLACE_LIVE) {
            if (*socket >= 0)
                lifetime_dismiss(*socket);
            return true;
        }
        if (state == PLACE_DEAD && !detach_dead(attempt->request, place, unmount, err))
            return false;
        if (mount_served(attempt, place, unmount, socket, err))
            return true;
        end_server(socket);
        if (place_mount_state(place) != PLACE_DEAD)
            return false;
    }
    return false;
}

/* Whether there seems to be a mount to join; makes nothing, waits for nothing. */
static bool is_live(const struct mount_request *request)
{
    char key[PAYLOAD_KEY_SIZE];
    struct place place;
    bool live;

    payload_key(request->payload, "", key);
    if (!place_find(&place, PLACE_RUN, key, request->trusted))
        return false;
    live = place_is_mounted(&place);
    place_release(&place);
    return live;
}

/* As find_place(), with a server that knows of the directories before there are any: should this
 * process be killed it removes them. */
static bool make_place(struct attempt *attempt, enum lifetime_unmount unmount, struct place *ret,
                       int *ret_socket, struct err *err)
{
    char key[PAYLOAD_KEY_SIZE];
    bool last = false;

    if (!need_image(attempt, err))
        return false;
    payload_key(attempt->request->payload, "", key);
    for (size_t i = 0; !last; i++) {
        struct place place;

        if (!place_choose(&place, PLACE_RUN, i, key, attempt->request->trusted, &last, err))
            continue;
        if (start_server(attempt, &place, unmount, ret_socket, err)) {
            if (place_make(&place, err)) {
                *ret = place;
                return true;
            }
            end_server(ret_socket);
        }
        place_release(&place);
    }
    return err_wrap(err, "no private directory to mount in");
}

static bool mount_shared(struct attempt *attempt, enum lifetime_unmount unmount,
                         struct mounted *ret, struct err *err)
{
    struct place place = PLACE_NONE;
    cleanup_fd int socket = -1;

    if (is_live(attempt->request) ? !find_place(attempt->request, "", &place, err)
                                  : !make_place(attempt, unmount, &place, &socket, err))
        return false;
    if (!place_lock(&place, err))
        goto fail;
    if (!place_add_user(&place, getpid(), err) ||
        !join_or_mount(attempt, &place, unmount, &socket, err)) {
        place_remove(&place);
        goto fail;
    }
    *ret = (struct mounted){.place = place, .unmount = unmount};
    return true;
fail:
    end_server(&socket);
    place_release(&place);
    return false;
}

static bool way_kernel(struct attempt *attempt, struct mounted *ret, struct err *err)
{
    const struct mount_request *request = attempt->request;
    const struct payload *payload = request->payload;
    struct mounted mounted = {.place = PLACE_NONE, .unmount = LIFETIME_DIRECT};
    struct lifetime lifetime;
    uint64_t bytes;

    if (!check_file(attempt, err) ||
        !sqfs_check_superblock(payload->fd, payload->image_offset,
                               payload->image_offset + payload->image_size, &bytes, err))
        return false;
    /* A loop device has whole sectors only. */
    if (bytes > payload->image_size / SECTOR * SECTOR)
        return err_set(err, ERR_INPUT, "the image does not end at a sector");
    if (request->visible ? !find_place(request, "kernel", &mounted.place, err)
                         : !name_hidden(request, &mounted.place, err))
        return false;
    if (!loop_mount(payload, &mounted.place, !request->visible, err)) {
        place_remove(&mounted.place);
        place_release(&mounted.place);
        return false;
    }
    if (!request->visible)
        mounted.unmount = LIFETIME_NAMESPACE;
    *ret = mounted;
    if (!request->visible)
        return true;
    lifetime = describe(attempt, &ret->place, LIFETIME_DIRECT);
    return lifetime_start(&lifetime, err);
}

/* In a mount namespace of the app's own. The server stays outside: inside, it would keep the
 * namespace alive that is to die with the app. */
static bool enter_served(struct attempt *attempt, struct place *place,
                         bool (*enter)(const struct place *place, int *ret_fd, struct err *err),
                         struct err *err)
{
    cleanup_fd int fd = -1, socket = -1;

    if (!start_server(attempt, place, LIFETIME_NAMESPACE, &socket, err) || !enter(place, &fd, err))
        return false;
    return message_send_fd(socket, fd) || err_sys(err, "cannot reach the server");
}

static bool enter_hidden(const struct place *place, int *ret_fd, struct err *err)
{
    if (!hidden_enter(place, err))
        return false;
    if (device_mount(place->root, ret_fd, err))
        return true;
    hidden_remove(place);
    return false;
}

/* For process_ends_all(): a mount that others see would have nobody to take it down. */
static bool mount_alone(struct attempt *attempt, struct mounted *ret, struct err *err)
{
    struct place place = PLACE_NONE;

    if (!need_image(attempt, err) || !name_hidden(attempt->request, &place, err))
        return false;
    if (!enter_served(attempt, &place, enter_hidden, err)) {
        place_release(&place);
        return false;
    }
    *ret = (struct mounted){.place = place, .unmount = LIFETIME_NAMESPACE};
    return true;
}

static bool way_fuse(struct attempt *attempt, struct mounted *ret, struct err *err)
{
    struct err ignored;

    if (!attempt->request->visible && process_ends_all() && mount_alone(attempt, ret, &ignored))
        return true;
    return mount_shared(attempt, LIFETIME_DIRECT, ret, err);
}

static bool way_userns(struct attempt *attempt, struct mounted *ret, struct err *err)
{
    struct place place = PLACE_NONE;

    if (!need_image(attempt, err) || !name_hidden(attempt->request, &place, err))
        return false;
    if (!userns_probe(&place, err) || !enter_served(attempt, &place, userns_enter, err)) {
        place_release(&place);
        return false;
    }
    *ret = (struct mounted){.place = place, .unmount = LIFETIME_NAMESPACE};
    return true;
}

static bool way_fusermount(struct attempt *attempt, struct mounted *ret, struct err *err)
{
    const struct mount_request *request = attempt->request;
    struct err ignored;

    if (request->way == NULL && !request->visible && process_ends_all() &&
        way_userns(attempt, ret, &ignored))
        return true;
    return mount_shared(attempt, LIFETIME_HELPER, ret, err);
}

/* A tree has a server while it is unpacked, and before it has directories: who is killed then
 * leaves none. */
static bool begin_unpacking(void *context, struct place *place, struct err *err)
{
    struct attempt *attempt = context;

    return start_server(attempt, place, attempt->tree, &attempt->tree_socket, err);
}

static void end_unpacking(void *context, bool complete)
{
    struct attempt *attempt = context;

    if (complete)
        lifetime_dismiss(attempt->tree_socket);
    else
        lifetime_cancel(attempt->tree_socket);
    (void)close(attempt->tree_socket);
    attempt->tree_socket = -1;
}

static bool way_extract(struct attempt *attempt, struct mounted *ret, struct err *err)
{
    const struct mount_request *request = attempt->request;
    struct mounted mounted = {.place = PLACE_NONE, .permanent = true};
    const struct cache_request cache = {
        .payload = request->payload,
        .kind = PLACE_CACHE,
        .salt = "",
        .trusted = request->trusted,
        .open_image = open_image,
        .begin = begin_unpacking,
        .end = end_unpacking,
        .kept = true,
        .context = attempt,
    };

    attempt->tree = LIFETIME_CACHE;
    if (!cache_unpack(&cache, &mounted.place, err))
        return false;
    *ret = mounted;
    return true;
}

static const struct way {
    const char *name;
    bool root_only; /* otherwise not even tried, unless forced */
    bool hidden;    /* others cannot see it */
    bool fuse;
    bool (*mount)(struct attempt *attempt, struct mounted *ret, struct err *err);
} ways[] = {
    {"kernel", true, false, false, way_kernel},         {"fuse", true, false, true, way_fuse},
    {"fusermount", false, false, true, way_fusermount}, {"userns", false, true, true, way_userns},
    {"extract", false, false, false, way_extract},
};

/* Adds "name: reason" to the report, the reason shortened so that every way finds room. The cache
 * has a reason for each place. */
static void report(struct err *all, const struct way *way, const char *reason)
{
    size_t used = strlen(all->msg);
    int max = way->mount == way_extract ? LAST_REASON_MAX : REASON_MAX;

    (void)snprintf(all->msg + used, sizeof(all->msg) - used, "%s%s: %.*s", used > 0 ? "; " : "",
                   way->name, max, reason);
}

/* Why a way is not tried at all, or NULL. A visible mount prefers a server, which cleans up even
 * after a kill -9, to the kernel's, which nobody would. */
static const char *skip_reason(const struct mount_request *request, const struct way *way)
{
    if (request->way != NULL)
        return strcmp(request->way, way->name) == 0 ? NULL : "";
    /* fuse_permissible_uidgid() in fs/fuse/dir.c: all ids must be the mounting user's. */
    if (way->fuse && (getuid() != geteuid() || getgid() != getegid()))
        return "FUSE admits no process of two users";
    if (way->root_only && geteuid() != 0)
        return "needs root";
    if (request->visible && way->hidden)
        return "others would not see it";
    if (request->visible && way->mount == way_kernel)
        return "";
    return NULL;
}

static bool check_forced(const struct mount_request *request, struct err *err)
{
    if (request->way == NULL)
        return true;
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
        if (strcmp(request->way, ways[i].name) == 0)
            return true;
    (void)err_set(err, ERR_INPUT, "RUCKSACK_MOUNT: unknown way '%s'", request->way);
    return err_hint(err, "one of kernel, fuse, fusermount, userns, extract");
}

/* Goes through the ways; *all collects why each failed. */
static bool try_ways(struct attempt *attempt, struct mounted *ret, struct err *all)
{
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        const char *skip = skip_reason(attempt->request, &ways[i]);
        struct err one = {0};

        if (skip == NULL) {
            if (ways[i].mount(attempt, ret, &one))
                return true;
            if (integrity_is_damage(&one)) {
                *all = one;
                return false;
            }
            skip = one.msg;
        }
        if (skip[0] != '\0')
            report(all, &ways[i], skip);
    }
    return false;
}

bool mount_image(const struct mount_request *request, struct mounted *ret, struct err *err)
{
    struct attempt attempt = {.request = request, .tree_socket = -1};
    struct err all = {.kind = ERR_SYSTEM};
    bool done;

    if (!check_forced(request, err))
        return false;
    done = try_ways(&attempt, ret, &all);
    /* On success the image stays: exec drops it at once, which is cheaper than to free pages that
     * are shared with the server. Who waits beside a visible mount executes nothing. */
    if (!done || request->visible)
        sqfs_image_free(attempt.image);
    if (done)
        return true;
    *err = all;
    if (integrity_is_damage(err))
        return false;
    (void)err_id(err, "E-MOUNT");
    (void)err_hint(err, "install fuse3 (apt install fuse3, dnf install fuse3, apk add fuse3) and "
                        "see that /dev/fuse exists, or run with --appimage-extract-and-run");
    return err_wrap(err, "cannot mount the image");
}

bool mount_unpacked(const struct mount_request *request, bool keep, struct mounted *ret,
                    struct err *err)
{
    struct attempt attempt = {
        .request = request,
        .tree = keep ? LIFETIME_CACHE : LIFETIME_TREE,
        .tree_socket = -1,
    };
    struct mounted mounted = {.place = PLACE_NONE, .unmount = LIFETIME_TREE, .permanent = keep};
    const struct cache_request cache = {
        .payload = request->payload,
        .kind = PLACE_TEMP,
        /* A tree that is kept must not be removed by a run that does not keep its own. */
        .salt = keep ? "kept" : "run",
        .trusted = request->trusted,
        .open_image = open_image,
        .begin = begin_unpacking,
        .end = end_unpacking,
        .kept = keep,
        .context = &attempt,
    };
    bool done;

    done = cache_unpack(&cache, &mounted.place, err);
    sqfs_image_free(attempt.image);
    if (!done)
        return err_wrap(err, "cannot unpack the image");
    *ret = mounted;
    return true;
}
