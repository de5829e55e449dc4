/* SPDX-License-Identifier: MIT */
#include "runtime/stub/lifetime.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "runtime/stub/cache.h"
#include "runtime/stub/fuse.h"
#include "runtime/stub/fusermount.h"
#include "runtime/stub/guard.h"
#include "runtime/stub/inuse.h"
#include "runtime/stub/message.h"
#include "runtime/stub/place.h"
#include "runtime/stub/process.h"
#include "runtime/stub/sweep.h"
#include "runtime/stub/tree.h"

enum {
    GRACE_MS = 50, /* for a background child that has not executed its program yet */
    FIRST_DELAY_MS = 1,
    LAST_DELAY_MS = 1000,
    HELPER_POLL_MS = 2,
    NO_PIDFD_POLL_MS = 100,
    TIDY_TRIES = 50,
    TIDY_PAUSE_MS = 20,
    ABANDON_TRIES = 5,
    FIRST_STACK_SIZE = 16 << 10,
    SERVER_STACK_SIZE = 512 << 10,
};

/* A shadow memory of addresses and of threads does not survive two processes in it. */
#if defined(__SANITIZE_ADDRESS__)
enum { CAN_SHARE = 0 };
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
enum { CAN_SHARE = 0 };
#else
enum { CAN_SHARE = 1 };
#endif
#else
enum { CAN_SHARE = 1 };
#endif

struct server {
    struct lifetime job;
    struct fuse *fuse;
    struct guard guard;
    int ready_fd;   /* closed when the server is guarded, or -1 */
    bool is_deputy; /* the server was killed, this is its guard */
    pid_t app;
    int app_fd; /* pidfd, or -1 */
    bool app_gone;
    bool detached; /* not mounted here any more; perhaps elsewhere, or still used */
    bool kept;     /* what is there is meant to stay */
    bool done;
    pid_t unmounter; /* a running helper, or 0 */
    int delay_ms;    /* to the next attempt */
    uint64_t due_ms;
};

/* A server that shares memory. Static: the stack it was described on is the first process's. */
static struct sharing {
    struct server server;
    struct place place;
    atomic_int started; /* 0, then 1 or -errno */
    _Alignas(16) char stack[FIRST_STACK_SIZE];
} sharing;

/* What the guard does its work with. */
static struct {
    struct server server;
    struct place place;
} deputy;

static void deputize(void *context);

static bool is_tree(const struct server *server)
{
    return server->job.unmount == LIFETIME_TREE || server->job.unmount == LIFETIME_CACHE;
}

static void pause_ms(int ms)
{
    (void)poll(NULL, 0, ms);
}

/* The place's lock, while nobody uses it. The last user may be on its way out still: a namespace
 * dies a little before its process is seen to have ended. */
static bool lock_unused(struct place *place)
{
    for (int i = 0; i < TIDY_TRIES && place_exists(place); i++) {
        if (place_try_lock(place)) {
            if (!place_has_users(place, getpid()))
                return true;
            place_unlock(place);
        }
        pause_ms(i < 10 ? FIRST_DELAY_MS : TIDY_PAUSE_MS);
    }
    return false;
}

/* Removes the place unless a newer start has it, or another server: then that one will. */
static void tidy(struct place *place)
{
    if ((place->lock_fd < 0 && !lock_unused(place)) || place_is_mounted(place))
        return;
    if (flock(place->dir_fd, LOCK_EX | LOCK_NB) == 0)
        place_remove(place);
    else
        (void)flock(place->dir_fd, LOCK_UN);
}

static void tidy_up(const struct server *server)
{
    if (server->kept)
        place_unlock(server->job.place);
    else if (server->job.unmount != LIFETIME_NAMESPACE)
        tidy(server->job.place);
}

/* What is still used is served until the kernel says that it is gone: copies of the mount in other
 * mount namespaces, files and directories that were open when it was detached. */
static void detached(struct server *server)
{
    server->detached = true;
    server->done = server->fuse == NULL;
    if (!server->done)
        place_unlock(server->job.place);
}

static void try_later(struct server *server)
{
    place_unlock(server->job.place);
    server->due_ms = process_now_ms() + (uint64_t)server->delay_ms;
    server->delay_ms = server->delay_ms * 2 < LAST_DELAY_MS ? server->delay_ms * 2 : LAST_DELAY_MS;
}

static bool unmount_directly(const struct place *place)
{
    /* EINVAL: it is no longer a mount point. */
    return umount2(place->root, UMOUNT_NOFOLLOW) == 0 || errno == EINVAL;
}

/* What the app left running in the background uses it like the app. /proc tells of directories that
 * processes are in, leases of files that are open in whatever namespace. */
static bool remove_tree(const struct place *place)
{
    if (inuse_tree(place->root))
        return false;
    cache_remove(place);
    return true;
}

/* What a server that was killed has left is dead, or already gone. Anything else is a newer
 * start's, whose own server will see to it. */
static bool is_settled(const struct server *server)
{
    return server->is_deputy && !is_tree(server) &&
           place_mount_state(server->job.place) != PLACE_DEAD;
}

static void try_unmount(struct server *server)
{
    struct place *place = server->job.place;

    if (!place_exists(place)) {
        detached(server);
        return;
    }
    if (!place_try_lock(place)) {
        try_later(server);
        return;
    }
    server->kept = server->job.unmount == LIFETIME_CACHE && cache_is_complete(place);
    if (server->kept) {
        detached(server);
        return;
    }
    if (place_has_users(place, getpid())) {
        try_later(server);
        return;
    }
    if (is_settled(server)) {
        detached(server);
        return;
    }
    if (server->job.unmount == LIFETIME_HELPER) {
        /* The helper looks at the mount, so it must be served meanwhile; the lock stays ours. */
        server->unmounter = fusermount_start_unmount(server->job.helper, place->root, false);
        if (server->unmounter < 0)
            try_later(server);
        return;
    }
    if (is_tree(server) ? remove_tree(place) : unmount_directly(place))
        detached(server);
    else
        try_later(server);
}

static void await_helper(struct server *server)
{
    int status;
    pid_t pid = waitpid(server->unmounter, &status, WNOHANG);

    if (pid == 0)
        return;
    server->unmounter = 0;
    if (pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        detached(server);
    else
        try_later(server);
}

static int poll_timeout(const struct server *server)
{
    uint64_t now = process_now_ms();

    if (server->unmounter > 0)
        return HELPER_POLL_MS;
    if (!server->app_gone)
        return server->app_fd < 0 ? NO_PIDFD_POLL_MS : -1;
    if (server->detached || server->job.unmount == LIFETIME_NAMESPACE)
        return -1;
    return server->due_ms > now ? (int)(server->due_ms - now) : 0;
}

/* Somebody else unmounted. The place stays until its first user has ended: it is registered. */
static void await_app(const struct server *server)
{
    struct pollfd wait = {.fd = server->app_fd, .events = POLLIN};

    if (!server->app_gone && server->app_fd >= 0 && server->job.unmount != LIFETIME_NAMESPACE)
        (void)poll(&wait, 1, -1);
}

static void watch_app(struct server *server, bool signalled)
{
    if (server->app_gone)
        return;
    server->app_gone = server->app_fd >= 0 ? signalled : !process_runs(server->app);
    if (server->app_gone)
        server->due_ms = process_now_ms() + GRACE_MS;
}

static void await_end(struct server *server)
{
    while (!server->app_gone) {
        struct pollfd wait = {.fd = server->app_fd, .events = POLLIN};

        (void)poll(&wait, 1, poll_timeout(server));
        watch_app(server, wait.revents != 0);
    }
}

static void serve(struct server *server)
{
    while (!server->done) {
        struct pollfd wait[2] = {
            {.fd = server->fuse != NULL ? fuse_gone_fd(server->fuse) : -1, .events = POLLIN},
            {.fd = server->app_gone ? -1 : server->app_fd, .events = POLLIN},
        };

        (void)poll(wait, 2, poll_timeout(server));
        if (wait[0].revents != 0) {
            await_app(server);
            return;
        }
        watch_app(server, wait[1].revents != 0);
        if (server->unmounter > 0)
            await_helper(server);
        else if (server->app_gone && !server->detached &&
                 server->job.unmount != LIFETIME_NAMESPACE && process_now_ms() >= server->due_ms)
            try_unmount(server);
    }
}

static void leave_session(void)
{
    static const int ignored[] = {SIGINT,  SIGTERM, SIGHUP,  SIGQUIT, SIGPIPE,
                                  SIGTSTP, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2};
    sigset_t none;

    (void)setsid();
    for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
        (void)signal(ignored[i], SIG_IGN);
    (void)signal(SIGCHLD, SIG_DFL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)prctl(PR_SET_NAME, "rucksack-fs");
    (void)umask(077);
    if (chdir("/") != 0) /* keep the app's directory busy rather than serve nothing */
        return;
}

/* Nothing of the app's stays open; 0, 1 and 2 lead nowhere, so that no library writes into the
 * device. */
static void leave_descriptors(struct server *server)
{
    const struct place *place = server->job.place;
    int keep[] = {server->job.fd, server->job.socket, server->job.image_fd, server->app_fd,
                  place->base_fd, place->parent_fd,   place->dir_fd,        server->ready_fd};
    int null;

    /* Shared with the first process: it must not be ours to hold or to drop. */
    place_unlock(server->job.place);
    process_close_fds(keep, sizeof(keep) / sizeof(keep[0]));
    do {
        null = open("/dev/null", O_RDWR | O_CLOEXEC);
    } while (null >= 0 && null < STDERR_FILENO);
    if (null > STDERR_FILENO)
        (void)close(null);
}

/* Without a guard we serve as well. Allocates nothing. */
static void start_guard(struct server *server)
{
    const struct place *place = &deputy.place;
    int keep[] = {server->app_fd, place->base_fd, place->parent_fd, place->dir_fd, 0};
    const struct guard_job job = {deputize, &deputy.server, keep, 4, server->job.shares_memory};
    struct err err;

    if (!guard_start(&server->guard, &job, &err))
        server->guard = GUARD_NONE;
}

/* Of two processes: the one that shares memory ends when the other one is guarded. */
[[gnu::noreturn]] static void end_sharing(struct server *server, pid_t other, int ready)
{
    char byte;

    /* Without the other one it is our guard that does what is to be done. */
    if (other < 0)
        _exit(1);
    while (read(ready, &byte, 1) < 0 && errno == EINTR)
        continue;
    guard_stop(&server->guard);
    _exit(0);
}

/* A server that shares the memory of the first process gives it free at once: that one goes on to
 * another way, or ends. */
static void part(struct server *server)
{
    int ready[2] = {-1, -1};
    pid_t pid;

    if (!server->job.shares_memory)
        return;
    if (pipe2(ready, O_CLOEXEC) != 0)
        ready[0] = -1;
    pid = fork();
    if (pid != 0) {
        (void)close(ready[1]);
        end_sharing(server, pid, ready[0]);
    }
    cleanup_fd_value(&server->job.socket);
    server->job.socket = -1;
    server->job.shares_memory = false;
    if (server->guard.fd >= 0) {
        (void)close(server->guard.fd);
        start_guard(server);
    }
    (void)close(ready[1]);
}

[[gnu::noreturn]] static void leave(struct server *server, int status)
{
    guard_dismiss(&server->guard);
    _exit(status);
}

/* The directories of a place that was only chosen when we started. Our lock on them: see above. */
static bool open_place(struct place *place)
{
    if (place->dir_fd < 0 && !place_open_made(place)) {
        place_remove(place);
        return false;
    }
    (void)flock(place->dir_fd, LOCK_SH);
    return true;
}

static bool await_device(struct server *server)
{
    int fd = message_receive_fd(server->job.socket);

    if (fd == MESSAGE_BARE)
        leave(server, 0);
    if (fd < 0)
        part(server);
    else if (server->job.unmount != LIFETIME_NAMESPACE)
        (void)open_place(server->job.place); /* who sent the device has made it */
    cleanup_fd_value(&server->job.socket);
    server->job.socket = -1;
    server->job.fd = fd;
    return fd >= 0;
}

/* Until the tree is complete. Who was killed before, or gives it up, uses it no more. False when
 * there is nothing to remove. */
static bool await_tree(struct server *server)
{
    bool complete = message_receive_fd(server->job.socket) == MESSAGE_BARE;

    cleanup_fd_value(&server->job.socket);
    server->job.socket = -1;
    if (complete && server->job.unmount == LIFETIME_CACHE)
        return false;
    server->app_gone = server->app_gone || !complete;
    return open_place(server->job.place);
}

static void unmount_now(struct place *place, enum lifetime_unmount unmount, const char *helper)
{
    pid_t pid = 0;

    if (unmount == LIFETIME_DIRECT)
        (void)umount2(place->root, UMOUNT_NOFOLLOW);
    else if (unmount == LIFETIME_HELPER)
        pid = fusermount_start_unmount(helper, place->root, false);
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
}

/* Nothing can be served: the first process ended, or gave up, before there was a device, perhaps
 * while its helper was mounting. */
static void abandon(struct server *server)
{
    struct place *place = server->job.place;

    if (!open_place(place))
        return;
    for (int i = 0; i < ABANDON_TRIES && lock_unused(place); i++) {
        if (place_is_mounted(place))
            unmount_now(place, server->job.unmount, server->job.helper);
        tidy(place);
        place_unlock(place);
        pause_ms(TIDY_PAUSE_MS);
    }
}

/* For sweep.h. A mount that is still served has users that are not registered, or a server that is
 * about to take it down. */
static void clear_left(struct place *left, void *context)
{
    const struct server *server = context;
    enum place_mount state = place_mount_state(left);

    if (state == PLACE_DEAD)
        unmount_now(left, server->job.unmount, server->job.helper);
    if (state != PLACE_LIVE)
        tidy(left);
}

/* Of a server that was killed: what is left to be done for it. */
static void deputize(void *context)
{
    struct server *server = context;

    /* Before its end the first process may still make them. */
    if (server->job.place->dir_fd < 0)
        await_end(server);
    if (!open_place(server->job.place))
        return;
    serve(server);
    tidy_up(server);
    place_unlock(server->job.place);
    /* A helper that was mounting for a start that was killed, too, may have gone on. */
    if (!is_tree(server))
        abandon(server);
}

/* What the guard needs it has for itself: the first process may release its own, should we be
 * killed before it executes the app. */
static bool make_deputy(const struct server *server)
{
    if (server->job.unmount == LIFETIME_NAMESPACE || !place_copy(&deputy.place, server->job.place))
        return false;
    deputy.server = *server;
    deputy.server.is_deputy = true;
    deputy.server.job.image = NULL;
    deputy.server.job.place = &deputy.place;
    if (server->job.helper != NULL)
        deputy.server.job.helper = strdup(server->job.helper);
    return true;
}

/* Where it fails, the first process finds a mount that nobody serves, and ends. */
static bool begin_to_serve(struct server *server)
{
    struct err err;

    if (server->job.fd < 0 || fuse_start(&server->fuse, server->job.fd, server->job.image,
                                         server->job.own_ids, geteuid(), getegid(), &err))
        return true;
    cleanup_fd_value(&server->job.fd);
    server->job.fd = -1;
    await_end(server);
    return false;
}

[[gnu::noreturn]] static void run(struct server *server)
{
    leave_session();
    leave_descriptors(server);
    if (make_deputy(server))
        start_guard(server);
    if (server->job.shares_memory)
        process_tell(&sharing.started, 1);
    cleanup_fd_value(&server->ready_fd);
    if (is_tree(server)) {
        if (await_tree(server)) {
            serve(server);
            tidy_up(server);
        }
        leave(server, 0);
    }
    if ((server->job.socket >= 0 && !await_device(server)) || !begin_to_serve(server)) {
        if (server->job.unmount != LIFETIME_NAMESPACE)
            abandon(server);
        leave(server, 1);
    }
    if (server->fuse != NULL && server->job.unmount != LIFETIME_NAMESPACE)
        sweep_start(server->job.place, clear_left, server);
    serve(server);
    tidy_up(server);
    leave(server, 0);
}

static void *run_sharing(void *context)
{
    (void)context;
    run(&sharing.server);
}

/*
 * The first thread has the thread-local storage of the process whose memory it shares, so it must
 * not do anything but start one with its own. From then on the C library takes its locks, in the
 * other process too.
 */
static int start_sharing(void *context)
{
    pthread_attr_t attributes;
    pthread_t thread;
    int error;

    (void)context;
    (void)prctl(PR_SET_NAME, "rucksack-fs");
    (void)pthread_attr_init(&attributes);
    (void)pthread_attr_setstacksize(&attributes, SERVER_STACK_SIZE);
    error = pthread_create(&thread, &attributes, run_sharing, NULL);
    if (error != 0) {
        process_tell(&sharing.started, -error);
        _exit(1);
    }
    for (;;)
        (void)pause();
}

/* Returns once the new process takes locks, and is guarded. 0 or an errno. */
static int share_memory(void)
{
    char *stack = sharing.stack + sizeof(sharing.stack);

    pid_t pid = clone(start_sharing, stack, CLONE_VM | SIGCHLD, NULL);

    if (pid < 0)
        return errno;
    if (!process_await(&sharing.started, pid))
        return ECHILD;
    return sharing.started == 1 ? 0 : -sharing.started;
}

/* Returns once the new process is guarded, where it needs to be. 0 or an errno. */
static int copy_memory(struct server *server)
{
    int ready[2] = {-1, -1};
    pid_t pid;
    char byte;

    if (server->job.unmount != LIFETIME_NAMESPACE && pipe2(ready, O_CLOEXEC) != 0)
        return errno;
    server->ready_fd = ready[1];
    pid = fork();
    if (pid == 0)
        run(server);
    if (pid < 0)
        return errno;
    if (ready[1] >= 0)
        (void)close(ready[1]);
    while (ready[0] >= 0 && read(ready[0], &byte, 1) < 0 && errno == EINTR)
        continue;
    return 0;
}

/*
 * musl has the kernel write 0 into the lock of its list of threads when the first thread ends
 * (set_tid_address(2)), and so does an exec, as long as others have that memory (mm_release(),
 * kernel/fork.c). The server may hold the lock by then: a thread that ends would find itself in no
 * list.
 */
static void keep_lock(void)
{
    static int written;

    (void)syscall(SYS_set_tid_address, &written);
}

/* The middle process ends at once, so that the server is init's child, not the app's. It borrows
 * our memory (vfork): at most the server needs a copy. */
static pid_t start_middle(struct server *server)
{
    pid_t pid;

    if (server->job.shares_memory) {
        keep_lock();
        sharing.server = *server;
        sharing.place = *server->job.place;
        sharing.server.job.place = &sharing.place;
        sharing.started = 0;
    }
    pid = vfork();
    if (pid == 0)
        _exit(server->job.shares_memory ? share_memory() : copy_memory(server));
    return pid;
}

bool lifetime_start(const struct lifetime *lifetime, struct err *err)
{
    struct server server = {
        .job = *lifetime,
        .app = getpid(),
        .app_fd = process_open(getpid()),
        .guard = GUARD_NONE,
        .ready_fd = -1,
        .delay_ms = FIRST_DELAY_MS,
    };
    int status;
    pid_t pid;

    server.job.shares_memory = server.job.shares_memory && CAN_SHARE;
    /* The lock belongs to the open directory, which the server inherits and the app does not. */
    if (lifetime->place->dir_fd >= 0)
        (void)flock(lifetime->place->dir_fd, LOCK_SH);
    pid = start_middle(&server);
    if (server.app_fd >= 0)
        (void)close(server.app_fd);
    if (pid < 0)
        return err_sys(err, "cannot start the server");
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return true; /* SIGCHLD is ignored: the kernel has reaped it */
    errno = WIFEXITED(status) ? WEXITSTATUS(status) : ECHILD;
    return errno == 0 || err_sys(err, "cannot start the server");
}

void lifetime_dismiss(int socket)
{
    message_send_bare(socket);
}

void lifetime_cancel(int socket)
{
    char byte;

    (void)shutdown(socket, SHUT_WR);
    while (read(socket, &byte, 1) < 0 && errno == EINTR)
        continue;
}

void lifetime_end_early(struct place *place, enum lifetime_unmount unmount, const char *helper)
{
    if (!place_try_lock(place))
        return;
    if (!place_has_users(place, getpid()))
        unmount_now(place, unmount, helper);
    place_unlock(place);
}
