/* SPDX-License-Identifier: MIT */
#include "lifetime.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdalign.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "fuse.h"
#include "place.h"

enum {
    LOCK_TRIES = 2000,
    LOCK_WAIT_MS = 5,
    BACKOFF_MIN_MS = 2,
    BACKOFF_MAX_MS = 1000,
    CHILD_WAIT_MS = 2,
    JOIN_GRACE_MS = 1000,
};

struct server {
    const struct lifetime *spec;
    struct fuse *fuse;
    int fuse_fd, pid_fd, lock_fd;
    pid_t first;           /* the process that becomes the app */
    bool gone;             /* it ended */
    struct timespec start; /* the lock's time when we began: a newer one is a join's */
    int64_t next_try_ms;
    int backoff_ms;
    pid_t unmounting; /* child at work, or 0 */
};

static int64_t now_ms(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* -------------------------------------------------------------------- lock */

bool lifetime_lock(struct place *place, int *ret_fd, struct err *err)
{
    for (int i = 0; i < LOCK_TRIES; i++) {
        struct timespec wait = {.tv_nsec = LOCK_WAIT_MS * 1000000L};
        struct stat st;
        int fd = openat(place->dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

        if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) {
            /* An ending server may have removed it after our open. */
            if (fstat(fd, &st) == 0 && st.st_nlink > 0) {
                *ret_fd = fd;
                return true;
            }
            close(fd);
            continue;
        }
        if (fd >= 0)
            close(fd);
        else if (errno != ENOENT)
            return err_sys(err, "cannot open '%s/lock'", place->dir);
        else if (!place_make_dir(place, err)) /* the same for the directory */
            return false;
        nanosleep(&wait, NULL);
    }
    return err_set(err, ERR_INPUT, "'%s' is locked by a start that does not end", place->dir);
}

/* ----------------------------------------------------------------- helpers */

int lifetime_run(const char *program, char *const argv[], int stderr_fd)
{
    pid_t pid = fork();
    int status;

    if (pid < 0)
        return -1;
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR);

        for (int fd = 0; null >= 0 && fd <= 2; fd++)
            dup2(fd == 2 && stderr_fd >= 0 ? stderr_fd : null, fd);
        execvp(program, argv);
        _exit(127);
    }
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return -1;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool lifetime_unmount(const char *root, const char *fusermount, bool lazy)
{
    char *argv[] = {(char *)(uintptr_t)fusermount, (char *)(uintptr_t)(lazy ? "-uz" : "-u"),
                    (char *)(uintptr_t) "--", (char *)(uintptr_t)root, NULL};

    if (umount2(root, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) == 0)
        return true;
    return fusermount != NULL && lifetime_run(fusermount, argv, -1) == 0;
}

static void close_range_fd(unsigned first, unsigned last)
{
    if (first > last || syscall(SYS_close_range, first, last, 0) == 0)
        return;
    /* Before Linux 5.9. Descriptors above 64 Ki are somebody's experiment. */
    for (unsigned fd = first; fd <= last && fd < 1 << 16; fd++)
        close((int)fd);
}

static void close_others(const int *keep, size_t count)
{
    unsigned first = 3;

    for (;;) {
        unsigned next = ~0u;

        for (size_t i = 0; i < count; i++) {
            if (keep[i] >= (int)first && (unsigned)keep[i] < next)
                next = (unsigned)keep[i];
        }
        if (next == ~0u)
            break;
        close_range_fd(first, next - 1);
        first = next + 1;
    }
    close_range_fd(first, ~0u);
}

/* ------------------------------------------------------------------ server */

/* Away from the app's session, terminal, directories and descriptors. */
static void detach(const struct server *server)
{
    const struct lifetime *spec = server->spec;
    int keep[] = {spec->image_fd, spec->fuse_fd,        spec->socket_fd,
                  server->pid_fd, spec->place->base_fd, spec->place->dir_fd};
    static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGQUIT, SIGTSTP};
    sigset_t none;
    int null;

    for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
        signal(ignored[i], SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_NAME, "rucksack-fs");
    /* Staying where we are would keep that file system busy, no more. */
    (void)!chdir("/");
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd <= 2; fd++) {
        if (null < 0)
            close(fd);
        else if (null != fd)
            dup2(null, fd);
    }
    close_others(keep, sizeof(keep) / sizeof(keep[0]));
}

int lifetime_receive(int socket)
{
    alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    char byte;
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof(control)};
    struct cmsghdr *header;
    int fd;

    if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) <= 0)
        return -1;
    header = CMSG_FIRSTHDR(&message);
    if (header == NULL || header->cmsg_type != SCM_RIGHTS)
        return -1;
    memcpy(&fd, CMSG_DATA(header), sizeof(fd));
    return fd;
}

/*
 * The lock, unless a starter has it, or, while it is mounted, somebody joined just now. Not
 * waiting: the starter may be waiting for us.
 */
static bool take_lock(struct server *server, bool mounted)
{
    struct stat st;

    if (server->lock_fd >= 0)
        return true;
    server->lock_fd = openat(server->spec->place->dir_fd, "lock", O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (server->lock_fd >= 0 && flock(server->lock_fd, LOCK_EX | LOCK_NB) == 0 &&
        fstat(server->lock_fd, &st) == 0) {
        int64_t touched = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
        int64_t age = now_ms(CLOCK_REALTIME) - touched;
        bool joined = st.st_mtim.tv_sec != server->start.tv_sec ||
                      st.st_mtim.tv_nsec != server->start.tv_nsec;

        if (!mounted || !joined || age < 0 || age > JOIN_GRACE_MS)
            return true;
    }
    cleanup_fd_value(&server->lock_fd);
    server->lock_fd = -1;
    return false;
}

static void try_again_later(struct server *server)
{
    cleanup_fd_value(&server->lock_fd);
    server->lock_fd = -1;
    server->next_try_ms = now_ms(CLOCK_MONOTONIC) + server->backoff_ms;
    server->backoff_ms *= 2;
    if (server->backoff_ms > BACKOFF_MAX_MS)
        server->backoff_ms = BACKOFF_MAX_MS;
}

/* In a child: resolving the path may need answers from us. */
static void begin_unmount(struct server *server)
{
    const struct lifetime *spec = server->spec;

    if (!take_lock(server, true)) {
        try_again_later(server);
        return;
    }
    server->unmounting = fork();
    if (server->unmounting == 0)
        _exit(lifetime_unmount(spec->place->root, spec->fusermount, false) ? 0 : 1);
    if (server->unmounting < 0) {
        server->unmounting = 0;
        try_again_later(server);
    }
}

static void check_unmount(struct server *server)
{
    int status;
    pid_t pid = waitpid(server->unmounting, &status, WNOHANG);

    if (pid == 0)
        return;
    server->unmounting = 0;
    /* After success the kernel's ENODEV ends the loop, and the lock stays ours. */
    if (pid < 0 || status != 0)
        try_again_later(server);
    else
        server->next_try_ms = now_ms(CLOCK_MONOTONIC) + BACKOFF_MAX_MS;
}

/* Milliseconds to sleep at most; -1 is for ever. */
static int step(struct server *server)
{
    int64_t left;

    if (!server->gone && server->pid_fd < 0)
        server->gone = kill(server->first, 0) != 0 && errno == ESRCH;
    if (!server->gone)
        return server->pid_fd < 0 ? BACKOFF_MAX_MS / 4 : -1;
    if (!server->spec->unmounts)
        return -1;
    if (server->unmounting > 0)
        check_unmount(server);
    if (server->unmounting > 0)
        return CHILD_WAIT_MS;
    left = server->next_try_ms - now_ms(CLOCK_MONOTONIC);
    if (left > 0)
        return (int)left;
    begin_unmount(server);
    return CHILD_WAIT_MS;
}

static void serve(struct server *server)
{
    for (;;) {
        struct pollfd fds[] = {{.fd = server->fuse_fd, .events = POLLIN},
                               {.fd = server->gone ? -1 : server->pid_fd, .events = POLLIN}};
        enum fuse_event event = fuse_serve(server->fuse);

        if (event == FUSE_EVENT_UNMOUNT)
            return;
        if (event == FUSE_EVENT_SERVED && !server->gone)
            continue;
        if (poll(fds, 2, event == FUSE_EVENT_SERVED ? 0 : step(server)) > 0 && fds[1].revents != 0)
            server->gone = true;
    }
}

static void remove_directories(struct server *server)
{
    const struct place *place = server->spec->place;

    /* Somebody is starting in here, or serves another mount namespace: it is theirs to remove. */
    if (!take_lock(server, false) || flock(place->dir_fd, LOCK_EX | LOCK_NB) != 0)
        return;
    unlinkat(place->dir_fd, "m", AT_REMOVEDIR);
    unlinkat(place->dir_fd, "state", 0);
    unlinkat(place->dir_fd, "lock", 0);
    unlinkat(place->base_fd, strrchr(place->dir, '/') + 1, AT_REMOVEDIR);
}

static void run_server(struct server *server)
{
    const struct lifetime *spec = server->spec;
    struct err err = {0};

    detach(server);
    server->fuse_fd = spec->fuse_fd >= 0 ? spec->fuse_fd : lifetime_receive(spec->socket_fd);
    if (server->fuse_fd >= 0 &&
        fuse_new(&server->fuse, server->fuse_fd, spec->fs, geteuid() != 0, &err)) {
        serve(server);
        fuse_free(server->fuse);
        close(server->fuse_fd);
        remove_directories(server);
    }
    _exit(0);
}

bool lifetime_spawn(const struct lifetime *lifetime, struct err *err)
{
    struct server server = {
        .spec = lifetime, .lock_fd = -1, .first = getpid(), .backoff_ms = BACKOFF_MIN_MS};
    struct stat st;
    int status = 0;
    pid_t pid;

    if (fstatat(lifetime->place->dir_fd, "lock", &st, AT_SYMLINK_NOFOLLOW) == 0)
        server.start = st.st_mtim;
    if (flock(lifetime->place->dir_fd, LOCK_SH | LOCK_NB) != 0)
        return err_sys(err, "cannot lock '%s'", lifetime->place->dir);
    server.pid_fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    pid = fork();
    if (pid == 0) {
        setsid();
        pid = fork();
        if (pid == 0)
            run_server(&server);
        _exit(pid < 0 ? 1 : 0);
    }
    cleanup_fd_value(&server.pid_fd);
    if (pid < 0)
        return err_sys(err, "cannot start the server");
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    /* With SIGCHLD ignored there is no status: then the server is there, or the mount dies. */
    if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
        return err_set(err, ERR_INPUT, "cannot start the server: no more processes");
    return true;
}
