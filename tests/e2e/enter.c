/* SPDX-License-Identifier: MIT */
/*
 * Starts a program on a machine that is not this one: in the given root directory, without network,
 * with a /proc and a /dev of its own, as root or as a user.
 *
 *     enter [--user UID] [--fuse] [--loop] [--chroot] [--no-proc] ROOT PROGRAM [ARG...]
 *
 * The program keeps the pid. Everything else is gone with its last process: the mounts are in a
 * private namespace. --chroot enters by chroot(2): the kernel then forbids user namespaces.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

struct request {
    uid_t user;
    bool fuse, loop, chroot, no_proc;
    const char *root;
    char **argv;
};

[[gnu::noreturn]] static void die(const char *what)
{
    fprintf(stderr, "enter: %s: %s\n", what, strerror(errno));
    exit(99);
}

static void node(const char *name, mode_t mode, unsigned int major_number,
                 unsigned int minor_number)
{
    if (mknod(name, mode, makedev(major_number, minor_number)) != 0 ||
        chmod(name, mode & 0777) != 0)
        die(name);
}

static void make_dev(const struct request *request)
{
    char name[32];

    if (mount("tmpfs", "dev", "tmpfs", 0, "mode=755") != 0 || chdir("dev") != 0)
        die("dev");
    node("null", S_IFCHR | 0666, 1, 3);
    node("zero", S_IFCHR | 0666, 1, 5);
    node("urandom", S_IFCHR | 0666, 1, 9);
    node("random", S_IFCHR | 0666, 1, 8);
    node("tty", S_IFCHR | 0666, 5, 0);
    if (request->fuse)
        node("fuse", S_IFCHR | 0666, 10, 229);
    if (request->loop)
        node("loop-control", S_IFCHR | 0600, 10, 237);
    for (unsigned int i = 0; request->loop && i < 64; i++) {
        (void)snprintf(name, sizeof(name), "loop%u", i);
        node(name, S_IFBLK | 0600, 7, i);
    }
    if (chdir("..") != 0)
        die("..");
}

static void loopback_up(void)
{
    struct ifreq request = {.ifr_flags = IFF_UP | IFF_RUNNING};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    memcpy(request.ifr_name, "lo", sizeof("lo"));
    if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) != 0)
        die("lo");
    close(fd);
}

static void enter_root(const struct request *request)
{
    if (unshare(CLONE_NEWNS | CLONE_NEWNET) != 0)
        die("unshare");
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount(request->root, request->root, NULL, MS_BIND | MS_REC, NULL) != 0 ||
        chdir(request->root) != 0)
        die(request->root);
    make_dev(request);
    if (!request->no_proc && mount("proc", "proc", "proc", 0, NULL) != 0)
        die("proc");
    if (request->chroot) {
        if (chroot(".") != 0)
            die("chroot");
        return;
    }
    if (syscall(SYS_pivot_root, ".", ".") != 0 || umount2(".", MNT_DETACH) != 0)
        die("pivot_root");
}

static void parse(struct request *request, int argc, char **argv)
{
    int i = 1;

    for (; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "--user") == 0 && i + 1 < argc)
            request->user = (uid_t)strtoul(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--fuse") == 0)
            request->fuse = true;
        else if (strcmp(argv[i], "--loop") == 0)
            request->loop = true;
        else if (strcmp(argv[i], "--chroot") == 0)
            request->chroot = true;
        else if (strcmp(argv[i], "--no-proc") == 0)
            request->no_proc = true;
        else
            exit(98);
    }
    if (i + 2 > argc)
        exit(98);
    request->root = argv[i];
    request->argv = argv + i + 1;
}

int main(int argc, char **argv)
{
    struct request request = {0};

    parse(&request, argc, argv);
    enter_root(&request);
    loopback_up();
    if (chdir("/srv") != 0)
        die("/srv");
    if (request.user != 0 &&
        (setgroups(0, NULL) != 0 || setgid(request.user) != 0 || setuid(request.user) != 0))
        die("user");
    /* A process that changed its user is undumpable, and its /proc/self then belongs to root. */
    (void)prctl(PR_SET_DUMPABLE, 1);
    execv(request.argv[0], request.argv);
    die(request.argv[0]);
}
