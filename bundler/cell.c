/* SPDX-License-Identifier: MIT */
#include "bundler/cell.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/fs.h"
#include "common/xalloc.h"

static bool write_text(const char *path, const char *text, struct err *err)
{
    cleanup_fd int fd = open(path, O_WRONLY | O_CLOEXEC);

    return fd < 0 ? err_sys(err, "'%s'", path) : fs_write_all(fd, text, strlen(text), err);
}

/* Everybody stays who he is (user_namespaces(7)). */
static bool enter_user_namespace(struct err *err)
{
    cleanup_free char *users = xasprintf("%u %u 1\n", (unsigned)geteuid(), (unsigned)geteuid());
    cleanup_free char *groups = xasprintf("%u %u 1\n", (unsigned)getegid(), (unsigned)getegid());

    if (unshare(CLONE_NEWUSER) != 0)
        return err_sys(err, "user namespace");
    return write_text("/proc/self/uid_map", users, err) &&
           write_text("/proc/self/setgroups", "deny", err) &&
           write_text("/proc/self/gid_map", groups, err);
}

/* A file of the machine at a path of the root that is made. */
static bool bind_file(const char *source, const char *target, struct err *err)
{
    int fd = open(target, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0)
        return err_sys(err, "'%s'", target);
    (void)close(fd);
    return mount(source, target, NULL, MS_BIND, NULL) == 0 || err_sys(err, "'%s'", source);
}

static bool make_devices(struct err *err)
{
    static const char *const names[] = {"null", "zero", "full", "random", "urandom", "fuse"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        cleanup_free char *source = xasprintf("/dev/%s", names[i]);
        cleanup_free char *target = xasprintf("dev/%s", names[i]);

        if (access(source, F_OK) == 0 && !bind_file(source, target, err))
            return false;
    }
    return true;
}

/* In the directory that becomes the root. */
static bool fill_root(struct err *err)
{
    static const char *const dirs[] = {"dev", "old", "proc", "state", "tmp"};

    for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
        if (mkdir(dirs[i], 0755) != 0)
            return err_sys(err, "'%s'", dirs[i]);
    if (!make_devices(err))
        return false;
    return mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0 ||
           err_sys(err, "proc");
}

/* /tmp stands on every system; what it holds there is not seen any more. */
static bool enter_root(struct err *err)
{
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("cell", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") != 0 ||
        chdir("/tmp") != 0)
        return err_sys(err, "a root of its own");
    if (!fill_root(err))
        return false;
    if (syscall(SYS_pivot_root, ".", "old") != 0 || umount2("old", MNT_DETACH) != 0 ||
        rmdir("old") != 0 || chdir("/") != 0)
        return err_sys(err, "a root of its own");
    return true;
}

static bool raise_loopback(struct err *err)
{
    cleanup_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};

    return (fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &request) == 0) || err_sys(err, "loopback device");
}

struct cell {
    cell_program *program;
    void *context;
    int answer; /* where the first process says that it has begun, or why not */
};

[[gnu::noreturn]] static void be_first(const struct cell *cell)
{
    struct err err = {0};
    bool done;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    done = enter_root(&err) && raise_loopback(&err);
    if (!done) {
        if (write(cell->answer, &err, sizeof(err)) != (ssize_t)sizeof(err))
            _exit(2);
        _exit(1);
    }
    (void)close(cell->answer);
    cell->program(cell->context);
    _exit(0);
}

static bool await_first(pid_t pid, int answer, struct err *err)
{
    ssize_t got = read(answer, err, sizeof(*err));

    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    return got == 0 || (got == (ssize_t)sizeof(*err) ? false : err_set(err, ERR_SYSTEM, "cut off"));
}

bool cell_run(cell_program *program, void *context, struct err *err)
{
    struct cell cell = {.program = program, .context = context};
    cleanup_fd int answer = -1;
    int pipes[2];
    pid_t pid;

    if (geteuid() != 0 && !enter_user_namespace(err))
        return false;
    if (unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC) != 0)
        return err_sys(err, "namespaces");
    if (pipe2(pipes, O_CLOEXEC) != 0)
        return err_sys(err, "pipe");
    answer = pipes[0];
    cell.answer = pipes[1];
    pid = fork();
    if (pid == 0)
        be_first(&cell);
    (void)close(pipes[1]);
    return pid < 0 ? err_sys(err, "cannot start a process") : await_first(pid, answer, err);
}
