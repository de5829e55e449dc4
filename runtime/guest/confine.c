/* SPDX-License-Identifier: MIT */
/*
 * Calls after which a path leads elsewhere, or not to everybody: another root, another mount
 * namespace, something mounted, another user or group, a sandbox. The name table knows the image as
 * it was when the process began, so each of them puts it off, before it is done and whether or not
 * it succeeds. By vfork(2) a child does so for its parent, which only costs the parent some time.
 */
#include <grp.h>
#include <sched.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include "guest.h"

/* The same number on every machine; kernels since 5.12. */
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif
#ifndef SYS_landlock_restrict_self
#define SYS_landlock_restrict_self 446
#endif

typedef int ids_function(unsigned int, ...);
typedef int clone_function(int (*)(void *), void *, int, void *, ...);

static struct {
    long (*syscall)(long, ...);
    clone_function *clone;
    ids_function *setuid, *seteuid, *setreuid, *setresuid;
    ids_function *setgid, *setegid, *setregid, *setresgid;
    ids_function *setfsuid, *setfsgid;
    int (*setgroups)(size_t, const gid_t *);
    int (*initgroups)(const char *, gid_t);
} libc;

void confine_init(void)
{
    static const struct {
        const char *name;
        void *slot;
    } functions[] = {
        {"syscall", &libc.syscall},     {"clone", &libc.clone},
        {"setuid", &libc.setuid},       {"seteuid", &libc.seteuid},
        {"setreuid", &libc.setreuid},   {"setresuid", &libc.setresuid},
        {"setgid", &libc.setgid},       {"setegid", &libc.setegid},
        {"setregid", &libc.setregid},   {"setresgid", &libc.setresgid},
        {"setfsuid", &libc.setfsuid},   {"setfsgid", &libc.setfsgid},
        {"setgroups", &libc.setgroups}, {"initgroups", &libc.initgroups},
    };

    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
        *(void **)functions[i].slot = guest_next(functions[i].name);
}

static void before(void)
{
    guest_prepare();
    names_off();
}

static bool confines(long number)
{
    switch (number) {
    case SYS_chroot:
    case SYS_pivot_root:
    case SYS_mount:
    case SYS_umount2:
    case SYS_move_mount:
    case SYS_mount_setattr:
    case SYS_unshare:
    case SYS_setns:
    case SYS_clone:
    case SYS_clone3:
    case SYS_setuid:
    case SYS_setreuid:
    case SYS_setresuid:
    case SYS_setgid:
    case SYS_setregid:
    case SYS_setresgid:
    case SYS_setfsuid:
    case SYS_setfsgid:
    case SYS_setgroups:
    case SYS_capset:
    case SYS_landlock_restrict_self:
        return true;
    default:
        return false;
    }
}

/* What has no function, or is called without it: Ruby's Kernel#syscall. The kernel takes at most
 * six arguments, and libc passes on as many, whatever there are. */
GUEST_EXPORT long syscall(long number, ...)
{
    va_list list;
    long words[6];

    guest_prepare();
    if (confines(number))
        names_off();
    va_start(list, number);
    for (size_t i = 0; i < 6; i++)
        words[i] = va_arg(list, long);
    va_end(list);
    return libc.syscall(number, words[0], words[1], words[2], words[3], words[4], words[5]);
}

/* Those that are no more than their system call. */
#define LEAVE(number, ...)                                                                         \
    do {                                                                                           \
        before();                                                                                  \
        return (int)libc.syscall(number, __VA_ARGS__);                                             \
    } while (0)

/* Not all of them have a header everywhere. */
int pivot_root(const char *root, const char *old);
int capset(void *header, const void *data);
int mount(const char *source, const char *target, const char *type, unsigned long flags,
          const void *data);
int umount(const char *target);
int umount2(const char *target, int flags);
int move_mount(int from, const char *from_path, int to, const char *to_path, unsigned int flags);
int mount_setattr(int dir, const char *path, unsigned int flags, void *attributes, size_t size);

GUEST_EXPORT int chroot(const char *path)
{
    LEAVE(SYS_chroot, path);
}

GUEST_EXPORT /* Not all of them have a header everywhere. */
    int
    pivot_root(const char *root, const char *old)
{
    LEAVE(SYS_pivot_root, root, old);
}

GUEST_EXPORT int mount(const char *source, const char *target, const char *type,
                       unsigned long flags, const void *data)
{
    LEAVE(SYS_mount, source, target, type, flags, data);
}

GUEST_EXPORT int umount(const char *target)
{
    LEAVE(SYS_umount2, target, 0L);
}

GUEST_EXPORT int umount2(const char *target, int flags)
{
    LEAVE(SYS_umount2, target, (long)flags);
}

GUEST_EXPORT int move_mount(int from, const char *from_path, int to, const char *to_path,
                            unsigned int flags)
{
    LEAVE(SYS_move_mount, (long)from, from_path, (long)to, to_path, (unsigned long)flags);
}

GUEST_EXPORT int mount_setattr(int dir, const char *path, unsigned int flags, void *attributes,
                               size_t size)
{
    LEAVE(SYS_mount_setattr, (long)dir, path, (unsigned long)flags, attributes, size);
}

GUEST_EXPORT int unshare(int flags)
{
    LEAVE(SYS_unshare, (long)flags);
}

GUEST_EXPORT int setns(int fd, int kind)
{
    LEAVE(SYS_setns, (long)fd, (long)kind);
}

GUEST_EXPORT int capset(void *header, const void *data)
{
    LEAVE(SYS_capset, header, data);
}

GUEST_EXPORT int clone(int (*start)(void *), void *stack, int flags, void *argument, ...)
{
    va_list list;
    void *words[3];

    guest_prepare();
    if ((flags & (CLONE_NEWNS | CLONE_NEWUSER)) != 0)
        names_off();
    va_start(list, argument);
    for (size_t i = 0; i < 3; i++)
        words[i] = va_arg(list, void *);
    va_end(list);
    return libc.clone(start, stack, flags, argument, words[0], words[1], words[2]);
}

/* Ids are set by libc, in all threads at once: setxid(7). */
GUEST_EXPORT int setuid(uid_t uid)
{
    before();
    return libc.setuid(uid);
}

GUEST_EXPORT int seteuid(uid_t uid)
{
    before();
    return libc.seteuid(uid);
}

GUEST_EXPORT int setreuid(uid_t real, uid_t effective)
{
    before();
    return libc.setreuid(real, effective);
}

GUEST_EXPORT int setresuid(uid_t real, uid_t effective, uid_t saved)
{
    before();
    return libc.setresuid(real, effective, saved);
}

GUEST_EXPORT int setgid(gid_t gid)
{
    before();
    return libc.setgid(gid);
}

GUEST_EXPORT int setegid(gid_t gid)
{
    before();
    return libc.setegid(gid);
}

GUEST_EXPORT int setregid(gid_t real, gid_t effective)
{
    before();
    return libc.setregid(real, effective);
}

GUEST_EXPORT int setresgid(gid_t real, gid_t effective, gid_t saved)
{
    before();
    return libc.setresgid(real, effective, saved);
}

GUEST_EXPORT int setfsuid(uid_t uid)
{
    before();
    return libc.setfsuid(uid);
}

GUEST_EXPORT int setfsgid(gid_t gid)
{
    before();
    return libc.setfsgid(gid);
}

GUEST_EXPORT int setgroups(size_t count, const gid_t *groups)
{
    before();
    return libc.setgroups(count, groups);
}

GUEST_EXPORT int initgroups(const char *user, gid_t group)
{
    before();
    return libc.initgroups(user, group);
}
