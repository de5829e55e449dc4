/* SPDX-License-Identifier: MIT */
/*
 * Starts a program on a kernel that lacks some system calls, or forbids them.
 *
 *     deny ERROR NAME... -- PROGRAM [ARG...]
 *
 * ERROR is ENOSYS (an old kernel), EPERM (a container's filter), EINVAL or EAGAIN. NAME is a system
 * call, LOOP_CONFIGURE or LOOP_SET_STATUS64 (an ioctl, always EINVAL or EAGAIN), or "new": every
 * call that Linux 4.18 does not have. Must be root: no_new_privs would also disarm setuid programs.
 *
 * Filter: seccomp(2), Documentation/userspace-api/seccomp_filter.rst of Linux.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/loop.h>
#include <linux/seccomp.h>

#ifndef LOOP_CONFIGURE
#define LOOP_CONFIGURE 0x4C0A
#endif

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "a machine without a stub"
#endif

enum { FILTER_MAX = 256, LINES_PER_NAME = 5, LAST_OF_4_18 = SYS_rseq, EXIT_DENY = 99 };

/* The numbers of calls since Linux 5.1 are the same on every architecture; headers may be older. */
static const struct {
    const char *name;
    unsigned int number;
} calls[] = {
    {"open_tree", 428},
    {"move_mount", 429},
    {"fsopen", 430},
    {"fsconfig", 431},
    {"fsmount", 432},
    {"pidfd_open", 434},
    {"clone3", 435},
    {"close_range", 436},
    {"openat2", 437},
    {"faccessat2", 439},
    {"mount_setattr", 442},
    {"fchmodat2", 452},
    {"statx", SYS_statx},
    {"mount", SYS_mount},
    {"unshare", SYS_unshare},
    {"umount2", SYS_umount2},
    {"memfd_create", SYS_memfd_create},
    {"mkdirat", SYS_mkdirat},
};

static const struct {
    const char *name;
    unsigned int number;
} ioctls[] = {{"LOOP_CONFIGURE", LOOP_CONFIGURE}, {"LOOP_SET_STATUS64", LOOP_SET_STATUS64}};

static struct sock_filter filter[FILTER_MAX];
static unsigned short used;

static void put(unsigned short code, unsigned int value, unsigned char yes, unsigned char no)
{
    filter[used++] = (struct sock_filter)BPF_JUMP(code, value, yes, no);
}

static void load(size_t offset)
{
    put(BPF_LD | BPF_W | BPF_ABS, (unsigned int)offset, 0, 0);
}

static void answer(unsigned int error)
{
    put(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error, 0, 0);
}

/* The call's number is loaded before and after. */
static void deny_ioctl(unsigned int number, unsigned int error)
{
    put(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 4);
    load(offsetof(struct seccomp_data, args[1])); /* the lower half: both are little-endian */
    put(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1);
    answer(error);
    load(offsetof(struct seccomp_data, nr));
}

static void deny_name(const char *name, unsigned int error)
{
    if (strcmp(name, "new") == 0) {
        put(BPF_JMP | BPF_JGT | BPF_K, LAST_OF_4_18, 0, 1);
        answer(error);
        return;
    }
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        if (strcmp(name, calls[i].name) == 0) {
            put(BPF_JMP | BPF_JEQ | BPF_K, calls[i].number, 0, 1);
            answer(error);
            return;
        }
    }
    for (size_t i = 0; i < sizeof(ioctls) / sizeof(ioctls[0]); i++) {
        if (strcmp(name, ioctls[i].name) == 0) {
            deny_ioctl(ioctls[i].number, error == EAGAIN ? EAGAIN : EINVAL);
            return;
        }
    }
    fprintf(stderr, "deny: unknown name '%s'\n", name);
    exit(EXIT_DENY);
}

static unsigned int parse_error(const char *text)
{
    if (strcmp(text, "ENOSYS") == 0)
        return ENOSYS;
    if (strcmp(text, "EPERM") == 0)
        return EPERM;
    if (strcmp(text, "EINVAL") == 0)
        return EINVAL;
    if (strcmp(text, "EAGAIN") == 0)
        return EAGAIN;
    fprintf(stderr, "deny: unknown error '%s'\n", text);
    exit(EXIT_DENY);
}

int main(int argc, char **argv)
{
    struct sock_fprog program = {.filter = filter};
    int at = 2;

    if (argc < 3)
        return EXIT_DENY;
    /* Another architecture's calls have other numbers; none is made here. */
    load(offsetof(struct seccomp_data, arch));
    put(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0);
    put(BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
    load(offsetof(struct seccomp_data, nr));
    for (; at < argc && strcmp(argv[at], "--") != 0; at++) {
        if (used + LINES_PER_NAME >= FILTER_MAX)
            return EXIT_DENY;
        deny_name(argv[at], parse_error(argv[1]));
    }
    put(BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
    if (at + 1 >= argc)
        return EXIT_DENY;
    program.len = used;
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
        perror("deny: filter");
        return EXIT_DENY;
    }
    execvp(argv[at + 1], argv + at + 1);
    perror("deny: exec");
    return EXIT_DENY;
}
