/* SPDX-License-Identifier: MIT */
#include "mount.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdalign.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "extract.h"
#include "kernel.h"
#include "lifetime.h"
#include "payload.h"
#include "place.h"
#include "sqfs.h"

enum { FUSE_MAGIC = 0x65735546 };

static const char *const way_names[MOUNT_WAYS] = {"kernel", "fuse", "fusermount", "userns",
                                                  "extract"};

int mount_way_named(const char *name)
{
    for (int i = 0; i < MOUNT_WAYS; i++) {
        if (strcmp(name, way_names[i]) == 0)
            return i;
    }
    return -1;
}

void mount_release(struct mount *mount)
{
    free(mount->root);
    cleanup_fd_value(&mount->lock_fd);
    *mount = (struct mount){.lock_fd = -1};
}

/* ------------------------------------------------------------------- fuse */

static bool mount_fuse_fd(const char *root, int fd, struct err *err)
{
    cleanup_free char *options = place_format("fd=%d,rootmode=40000,user_id=%u,group_id=%u", fd,
                                              (unsigned)geteuid(), (unsigned)getegid());

    if (options == NULL ||
        mount("rucksack", root, "fuse.rucksack", MS_RDONLY | MS_NOSUID | MS_NODEV, options) != 0)
        return err_sys(err, "cannot mount on '%s'", root);
    return true;
}

static bool open_fuse(int *ret_fd, struct err *err)
{
    *ret_fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    return *ret_fd >= 0 || err_sys(err, "/dev/fuse");
}

static const char *fusermount_program(const struct mount_request *request)
{
    const char *given = request->secure ? NULL : getenv("FUSERMOUNT_PROG");

    return given != NULL && given[0] != '\0' ? given : NULL;
}

/* The helper sends the mounted descriptor over the socket that _FUSE_COMMFD names. */
static bool run_fusermount(const char *program, const char *root, int stderr_fd, int *ret_fd,
                           int *ret_code)
{
    char *argv[] = {(char *)(uintptr_t)program,
                    (char *)(uintptr_t) "-o",
                    (char *)(uintptr_t) "ro,nosuid,nodev,fsname=rucksack,subtype=rucksack",
                    (char *)(uintptr_t) "--",
                    (char *)(uintptr_t)root,
                    NULL};
    int pair[2];
    char number[16];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return false;
    fcntl(pair[1], F_SETFD, 0);
    snprintf(number, sizeof(number), "%d", pair[1]);
    setenv("_FUSE_COMMFD", number, 1);
    *ret_code = lifetime_run(program, argv, stderr_fd);
    unsetenv("_FUSE_COMMFD");
    close(pair[1]);
    *ret_fd = *ret_code == 0 ? lifetime_receive(pair[0]) : -1;
    close(pair[0]);
    return *ret_fd >= 0;
}

/* What the helper said, as the reason. */
static bool helper_error(const char *program, int stderr_fd, int code, struct err *err)
{
    char text[160] = "";
    ssize_t n = stderr_fd >= 0 ? pread(stderr_fd, text, sizeof(text) - 1, 0) : 0;

    text[n > 0 ? n : 0] = '\0';
    text[strcspn(text, "\n")] = '\0';
    if (text[0] != '\0')
        return err_set(err, ERR_INPUT, "%s", text);
    return err_set(err, ERR_INPUT, "%s refused (exit code %d)", program, code);
}

static bool mount_fusermount(const struct mount_request *request, const char *root, int *ret_fd,
                             const char **ret_program, struct err *err)
{
    const char *given = fusermount_program(request);
    const char *const programs[] = {given != NULL ? given : "fusermount3",
                                    given != NULL ? NULL : "fusermount"};
    cleanup_fd int said = memfd_create("fusermount", MFD_CLOEXEC);
    int code = -1;

    for (size_t i = 0; i < 2 && programs[i] != NULL; i++) {
        if (run_fusermount(programs[i], root, said, ret_fd, &code)) {
            *ret_program = programs[i];
            return true;
        }
        /* It is there and refused: its older name would do the same. */
        if (code != 127)
            return helper_error(programs[i], said, code, err);
    }
    return err_set(err, ERR_INPUT, "%s is not installed", programs[0]);
}

/* ------------------------------------------------------------------ userns */

static bool write_text(const char *path, const char *text)
{
    cleanup_fd int fd = open(path, O_WRONLY | O_CLOEXEC);

    return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

/* Into a user namespace that has us as ourselves, with the image's directory as a tmpfs. */
static bool enter_userns(const struct place *place, struct err *err)
{
    unsigned uid = geteuid(), gid = getegid();
    cleanup_free char *uid_map = place_format("%u %u 1", uid, uid);
    cleanup_free char *gid_map = place_format("%u %u 1", gid, gid);

    if (uid_map == NULL || gid_map == NULL)
        return err_set(err, ERR_INPUT, "out of memory");
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
        return err_sys(err, "no user namespace");
    if (!write_text("/proc/self/setgroups", "deny") || !write_text("/proc/self/uid_map", uid_map) ||
        !write_text("/proc/self/gid_map", gid_map))
        return err_sys(err, "user namespaces are restricted");
    if (mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL) != 0)
        return err_sys(err, "cannot separate the mounts");
    if (mount("rucksack", place->dir, "tmpfs", MS_NOSUID | MS_NODEV,
              "mode=0700,size=64k,nr_inodes=16") != 0)
        return err_sys(err, "cannot mount a tmpfs on '%s'", place->dir);
    if (mkdir(place->root, 0700) != 0)
        return err_sys(err, "cannot make '%s'", place->root);
    return true;
}

static bool mount_userns(const struct place *place, int *ret_fd, struct err *err)
{
    return enter_userns(place, err) && open_fuse(ret_fd, err) &&
           mount_fuse_fd(place->root, *ret_fd, err);
}

/* There is no way back out of a namespace, so a child goes first and says how it went. */
static bool probe_userns(const struct place *place, struct err *err)
{
    struct err why = {0};
    int ends[2], fd;
    ssize_t n;
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_sys(err, "no pipe");
    pid = fork();
    if (pid == 0) {
        if (mount_userns(place, &fd, &why))
            why.kind = ERR_NONE;
        n = write(ends[1], &why, sizeof(why));
        _exit(n == (ssize_t)sizeof(why) ? 0 : 1);
    }
    close(ends[1]);
    n = pid < 0 ? -1 : read(ends[0], &why, sizeof(why));
    close(ends[0]);
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    if (n != (ssize_t)sizeof(why))
        return err_set(err, ERR_INPUT, "no user namespace");
    if (why.kind != ERR_NONE) {
        *err = why;
        return false;
    }
    return true;
}

static bool send_fd(int socket, int fd)
{
    alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
    char byte = 0;
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof(control)};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);

    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &fd, sizeof(fd));
    return sendmsg(socket, &message, MSG_NOSIGNAL) == 1;
}

/* ----------------------------------------------------------------- serving */

/* Whether a living server answers at root. A dead one's mount is detached. */
static bool is_served(const char *root, const char *fusermount)
{
    struct statfs fs;

    /* Attributes may come from the kernel's cache; this question always goes to the server. */
    if (statfs(root, &fs) == 0)
        return fs.f_type == FUSE_MAGIC;
    if (errno == ENOTCONN)
        lifetime_unmount(root, fusermount, true);
    return false;
}

static bool start_userns(struct lifetime *lifetime, struct err *err)
{
    int pair[2], fd = -1;
    bool done;

    if (!probe_userns(lifetime->place, err))
        return false;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return err_sys(err, "no socket");
    lifetime->socket_fd = pair[0];
    done = lifetime_spawn(lifetime, err);
    close(pair[0]);
    if (done) {
        done = mount_userns(lifetime->place, &fd, err);
        if (done && !send_fd(pair[1], fd))
            done = err_sys(err, "the server is gone");
    }
    cleanup_fd_value(&fd);
    close(pair[1]);
    return done;
}

static bool start_server(const struct mount_request *request, enum mount_way way,
                         struct place *place, struct mount *ret, struct err *err)
{
    struct lifetime lifetime = {.place = place,
                                .fs = request->fs,
                                .image_fd = request->payload->fd,
                                .fuse_fd = -1,
                                .socket_fd = -1,
                                .unmounts = way != MOUNT_USERNS};
    bool done;

    if (way == MOUNT_USERNS)
        return start_userns(&lifetime, err);
    if (mkdirat(place->dir_fd, "m", 0700) != 0 && errno != EEXIST)
        return err_sys(err, "cannot make '%s'", place->root);
    if (way == MOUNT_FUSE)
        done =
            open_fuse(&lifetime.fuse_fd, err) && mount_fuse_fd(place->root, lifetime.fuse_fd, err);
    else
        done = mount_fusermount(request, place->root, &lifetime.fuse_fd, &lifetime.fusermount, err);
    ret->fusermount = lifetime.fusermount;
    if (done && !lifetime_spawn(&lifetime, err)) {
        lifetime_unmount(place->root, lifetime.fusermount, true);
        done = false;
    }
    cleanup_fd_value(&lifetime.fuse_fd);
    return done;
}

/* We hold the lock, and nothing is mounted. */
static void remove_place(struct place *place)
{
    if (flock(place->dir_fd, LOCK_EX | LOCK_NB) != 0)
        return;
    unlinkat(place->dir_fd, "m", AT_REMOVEDIR);
    unlinkat(place->dir_fd, "lock", 0);
    unlinkat(place->base_fd, strrchr(place->dir, '/') + 1, AT_REMOVEDIR);
}

static bool try_served(const struct mount_request *request, enum mount_way way, struct mount *ret,
                       struct err *err)
{
    const char *fusermount = fusermount_program(request);
    char key[PLACE_KEY_SIZE];
    struct place place;
    bool done = false;

    if (way == MOUNT_FUSE && geteuid() != 0)
        return err_set(err, ERR_INPUT, "for root only");
    place_key(request->payload, NULL, key);
    if (!place_for_mount(key, request->secure, &place, err))
        return false;
    if (place_make_dir(&place, err) && lifetime_lock(&place, &ret->lock_fd, err)) {
        if (way != MOUNT_USERNS &&
            is_served(place.root, fusermount != NULL ? fusermount : "fusermount3")) {
            futimens(ret->lock_fd, NULL);
            ret->fusermount = way == MOUNT_FUSE ? NULL : "fusermount3";
            done = true;
        } else {
            done = start_server(request, way, &place, ret, err);
        }
        if (!done)
            remove_place(&place);
    }
    if (done)
        ret->root = steal_ptr(&place.root);
    place_release(&place);
    return done;
}

static bool try_kernel(const struct mount_request *request, struct mount *ret, struct err *err)
{
    char key[PLACE_KEY_SIZE];
    struct place place;
    bool done;

    if (geteuid() != 0)
        return err_set(err, ERR_INPUT, "for root only");
    /* Own directories: a server that ends removes its own, which would pull ours away. */
    place_key(request->payload, request->visible ? "visible" : "kernel", key);
    if (!place_for_mount(key, request->secure, &place, err))
        return false;
    done = kernel_mount(&place, request->payload->fd, request->payload->image_offset,
                        !request->visible, err);
    if (done)
        ret->root = steal_ptr(&place.root);
    place_release(&place);
    return done;
}

static bool try_way(const struct mount_request *request, enum mount_way way, struct mount *ret,
                    struct err *err)
{
    *ret = (struct mount){.lock_fd = -1, .way = way};
    if (request->visible && way >= MOUNT_USERNS)
        return err_set(err, ERR_INPUT, "not visible to others");
    if (way == MOUNT_KERNEL ? try_kernel(request, ret, err)
        : way == MOUNT_EXTRACT
            ? extract_cached(request->payload, request->fs, request->secure, &ret->root, err)
            : try_served(request, way, ret, err))
        return true;
    mount_release(ret);
    return false;
}

bool mount_image(const struct mount_request *request, struct mount *ret, struct err *err)
{
    char reasons[sizeof(err->msg)] = "";
    size_t used = 0;

    for (enum mount_way way = 0; way < MOUNT_WAYS; way++) {
        struct err why = {0};
        int n;

        if (request->only >= 0 && request->only != (int)way)
            continue;
        if (try_way(request, way, ret, &why))
            return true;
        n = snprintf(reasons + used, sizeof(reasons) - used, "%s%s: %s", used > 0 ? "; " : "",
                     way_names[way], why.msg);
        if (n > 0 && (size_t)n < sizeof(reasons) - used)
            used += (size_t)n;
    }
    err_set(err, ERR_INPUT, "no way to open the image worked: %s", reasons);
    err_id(err, "E-MOUNT");
    return err_hint(err, "install fuse3, or set XDG_CACHE_HOME to a directory with room where "
                         "programs may run");
}
