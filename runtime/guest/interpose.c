/* SPDX-License-Identifier: MIT */
/*
 * libc's functions that take a path, each once: first the name table is asked (names.c), then libc,
 * and where the host has nothing, the image (fallback.c).
 *
 * Calls that libc makes inside of itself cannot be seen from here, so each public function is
 * interposed; those that glibc had before 2.33 (__xstat) and those of fortified callers too.
 * Nothing here allocates or locks.
 */
#include <assert.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest.h"

/* Two names of one function, in every libc where long has 64 bits: open64(3). */
#define SAME(other, name)                                                                          \
    __asm__(".globl " #other "\n.type " #other ", @function\n.set " #other ", " #name)

SAME(open64, open);
SAME(openat64, openat);
SAME(__open64_2, __open_2);
SAME(__openat64_2, __openat_2);
SAME(fopen64, fopen);
SAME(stat64, stat);
SAME(lstat64, lstat);
SAME(fstatat64, fstatat);
SAME(__xstat64, __xstat);
SAME(__lxstat64, __lxstat);
SAME(__fxstatat64, __fxstatat);
SAME(eaccess, euidaccess);
static_assert(sizeof(struct stat) == sizeof(struct stat64));

#if defined(__x86_64__)
enum { STAT_VERSION = 1 }; /* _STAT_VER of glibc before 2.33 */
#else
enum { STAT_VERSION = 0 };
#endif

/* What was not found in the image either was not found where the caller looked. */
static int settled(int result)
{
    if (result < 0)
        errno = ENOENT;
    return result;
}

typedef int open_function(const char *, int, ...);
typedef int openat_function(int, const char *, int, ...);
typedef FILE *fopen_function(const char *, const char *);
typedef int stat_function(const char *, void *);
typedef int statat_function(int, const char *, void *, int);
typedef int xstat_function(int, const char *, void *);
typedef int xstatat_function(int, int, const char *, void *, int);

struct functions {
    open_function *open;
    openat_function *openat;
    fopen_function *fopen;
    stat_function *stat;
    stat_function *lstat;
    statat_function *fstatat;
    xstat_function *xstat;
    xstat_function *lxstat;
    xstatat_function *fxstatat;
    int (*statx)(int, const char *, int, unsigned int, void *);
    access_function *access;
    access_function *euidaccess;
    int (*faccessat)(int, const char *, int, int);
    DIR *(*opendir)(const char *);
    ssize_t (*readlink)(const char *, char *, size_t);
    ssize_t (*readlink_chk)(const char *, char *, size_t, size_t);
    ssize_t (*readlinkat)(int, const char *, char *, size_t);
    ssize_t (*readlinkat_chk)(int, const char *, char *, size_t, size_t);
    realpath_function *realpath;
    char *(*realpath_chk)(const char *, char *, size_t);
    int (*isatty)(int);
    dlopen_function *dlopen;
};

static struct functions libc;

void interpose_init(void)
{
    static const struct {
        const char *name;
        void *slot;
    } functions[] = {
        {"open", &libc.open},

        {"openat", &libc.openat},

        {"fopen", &libc.fopen},

        {"stat", &libc.stat},

        {"lstat", &libc.lstat},

        {"fstatat", &libc.fstatat},

        {"__xstat", &libc.xstat},

        {"__lxstat", &libc.lxstat},

        {"__fxstatat", &libc.fxstatat},

        {"statx", &libc.statx},
        {"access", &libc.access},

        {"euidaccess", &libc.euidaccess},
        {"faccessat", &libc.faccessat},
        {"opendir", &libc.opendir},
        {"readlink", &libc.readlink},
        {"readlinkat", &libc.readlinkat},
        {"realpath", &libc.realpath},
        {"__realpath_chk", &libc.realpath_chk},
        {"__readlink_chk", &libc.readlink_chk},
        {"__readlinkat_chk", &libc.readlinkat_chk},
        {"isatty", &libc.isatty},
        {"dlopen", &libc.dlopen},
    };

    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
        *(void **)functions[i].slot = guest_next(functions[i].name);
}

static const struct functions *next(void)
{
    guest_prepare();
    return &libc;
}

static bool creates(int flags)
{
    return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
}

static bool is_absent(const char *path, int flags)
{
    return !creates(flags) && names_absent(path, (flags & O_NOFOLLOW) == 0);
}

static int open_with(open_function *call, const char *path, int flags, mode_t mode)
{
    char other[GUEST_PATH_MAX];
    int fd;

    if (is_absent(path, flags))
        return -1;
    fd = call(path, flags, mode);
    return fd < 0 && !creates(flags) && fallback_path(other, path)
               ? settled(is_absent(other, flags) ? -1 : call(other, flags))
               : fd;
}

static int openat_with(openat_function *call, int dir, const char *path, int flags, mode_t mode)
{
    char other[GUEST_PATH_MAX];
    int fd;

    if (is_absent(path, flags))
        return -1;
    fd = call(dir, path, flags, mode);
    return fd < 0 && !creates(flags) && fallback_path(other, path)
               ? settled(is_absent(other, flags) ? -1 : call(dir, other, flags))
               : fd;
}

/* The mode is there only when something may be created. */
#define TAKE_MODE(flags)                                                                           \
    ({                                                                                             \
        mode_t taken = 0;                                                                          \
        if (creates(flags)) {                                                                      \
            va_list more;                                                                          \
            va_start(more, flags);                                                                 \
            taken = va_arg(more, mode_t);                                                          \
            va_end(more);                                                                          \
        }                                                                                          \
        taken;                                                                                     \
    })

GUEST_EXPORT int open(const char *path, int flags, ...)
{
    return open_with(next()->open, path, flags, TAKE_MODE(flags));
}

GUEST_EXPORT int openat(int dir, const char *path, int flags, ...)
{
    return openat_with(next()->openat, dir, path, flags, TAKE_MODE(flags));
}

/* Those that no header declares: of fortified callers (glibc's bits/fcntl2.h, bits/stdlib.h), and
 * of programs that were built against a glibc before 2.33. */
int __open_2(const char *path, int flags);
int __openat_2(int dir, const char *path, int flags);
char *__realpath_chk(const char *path, char *resolved, size_t size);
ssize_t __readlink_chk(const char *path, char *text, size_t size, size_t room);
ssize_t __readlinkat_chk(int dir, const char *path, char *text, size_t size, size_t room);
int __xstat(int version, const char *path, struct stat *st);
int __lxstat(int version, const char *path, struct stat *st);
int __fxstatat(int version, int dir, const char *path, struct stat *st, int flags);

GUEST_EXPORT int __open_2(const char *path, int flags)
{
    return open_with(next()->open, path, flags, 0);
}

GUEST_EXPORT int __openat_2(int dir, const char *path, int flags)
{
    return openat_with(next()->openat, dir, path, flags, 0);
}

static FILE *fopen_with(fopen_function *call, const char *path, const char *mode)
{
    char other[GUEST_PATH_MAX];
    FILE *file;

    if (mode[0] == 'r' && names_absent(path, true))
        return NULL;
    file = call(path, mode);
    if (file != NULL || mode[0] != 'r' || !fallback_path(other, path))
        return file;
    file = call(other, mode);
    (void)settled(file == NULL ? -1 : 0);
    return file;
}

GUEST_EXPORT FILE *fopen(const char *path, const char *mode)
{
    return fopen_with(next()->fopen, path, mode);
}

static int stat_once(stat_function *call, const char *path, void *st, bool follow)
{
    int result;

    return names_stat(path, follow, st, &result) ? result : call(path, st);
}

static int stat_with(stat_function *call, const char *path, void *st, bool follow)
{
    char other[GUEST_PATH_MAX];
    int result = stat_once(call, path, st, follow);

    return result < 0 && fallback_path(other, path) ? settled(stat_once(call, other, st, follow))
                                                    : result;
}

GUEST_EXPORT int stat(const char *path, struct stat *st)
{
    return stat_with(next()->stat, path, st, true);
}

GUEST_EXPORT int lstat(const char *path, struct stat *st)
{
    return stat_with(next()->lstat, path, st, false);
}

static int statat_once(statat_function *call, int dir, const char *path, void *st, int flags)
{
    int result;

    return names_statat(path, flags, st, &result) ? result : call(dir, path, st, flags);
}

static int statat_with(statat_function *call, int dir, const char *path, void *st, int flags)
{
    char other[GUEST_PATH_MAX];
    int result = statat_once(call, dir, path, st, flags);

    return result < 0 && fallback_path(other, path)
               ? settled(statat_once(call, dir, other, st, flags))
               : result;
}

GUEST_EXPORT int fstatat(int dir, const char *path, struct stat *st, int flags)
{
    return statat_with(next()->fstatat, dir, path, st, flags);
}

static int xstat_once(xstat_function *call, int version, const char *path, void *st, bool follow)
{
    int result;

    return version == STAT_VERSION && names_stat(path, follow, st, &result)
               ? result
               : call(version, path, st);
}

static int xstat_with(xstat_function *call, int version, const char *path, void *st, bool follow)
{
    char other[GUEST_PATH_MAX];
    int result = xstat_once(call, version, path, st, follow);

    return result < 0 && fallback_path(other, path)
               ? settled(xstat_once(call, version, other, st, follow))
               : result;
}

GUEST_EXPORT int __xstat(int version, const char *path, struct stat *st)
{
    return xstat_with(next()->xstat, version, path, st, true);
}

GUEST_EXPORT int __lxstat(int version, const char *path, struct stat *st)
{
    return xstat_with(next()->lxstat, version, path, st, false);
}

static int xstatat_once(xstatat_function *call, int version, int dir, const char *path, void *st,
                        int flags)
{
    int result;

    return version == STAT_VERSION && names_statat(path, flags, st, &result)
               ? result
               : call(version, dir, path, st, flags);
}

static int xstatat_with(xstatat_function *call, int version, int dir, const char *path, void *st,
                        int flags)
{
    char other[GUEST_PATH_MAX];
    int result = xstatat_once(call, version, dir, path, st, flags);

    return result < 0 && fallback_path(other, path)
               ? settled(xstatat_once(call, version, dir, other, st, flags))
               : result;
}

GUEST_EXPORT int __fxstatat(int version, int dir, const char *path, struct stat *st, int flags)
{
    return xstatat_with(next()->fxstatat, version, dir, path, st, flags);
}

static int statx_once(int dir, const char *path, int flags, unsigned int mask, struct statx *st)
{
    int result;

    return names_statx(path, flags, mask, st, &result) ? result
                                                       : next()->statx(dir, path, flags, mask, st);
}

GUEST_EXPORT int statx(int dir, const char *path, int flags, unsigned int mask, struct statx *st)
{
    char other[GUEST_PATH_MAX];
    int result = statx_once(dir, path, flags, mask, st);

    return result < 0 && fallback_path(other, path)
               ? settled(statx_once(dir, other, flags, mask, st))
               : result;
}

static int access_once(access_function *call, const char *path, int mode)
{
    int result;

    return names_access(path, mode, &result) ? result : call(path, mode);
}

static int access_with(access_function *call, const char *path, int mode)
{
    char other[GUEST_PATH_MAX];
    int result = access_once(call, path, mode);

    return result < 0 && fallback_path(other, path) ? settled(access_once(call, other, mode))
                                                    : result;
}

GUEST_EXPORT int access(const char *path, int mode)
{
    return access_with(next()->access, path, mode);
}

GUEST_EXPORT int euidaccess(const char *path, int mode)
{
    return access_with(next()->euidaccess, path, mode);
}

/* While the table is on, the ids of AT_EACCESS are the real ones. */
static int faccessat_once(int dir, const char *path, int mode, int flags)
{
    int result;

    return (flags & ~AT_EACCESS) == 0 && names_access(path, mode, &result)
               ? result
               : next()->faccessat(dir, path, mode, flags);
}

GUEST_EXPORT int faccessat(int dir, const char *path, int mode, int flags)
{
    char other[GUEST_PATH_MAX];
    int result = faccessat_once(dir, path, mode, flags);

    return result < 0 && fallback_path(other, path)
               ? settled(faccessat_once(dir, other, mode, flags))
               : result;
}

GUEST_EXPORT DIR *opendir(const char *path)
{
    char other[GUEST_PATH_MAX];
    DIR *dir;

    if (names_no_dir(path))
        return NULL;
    dir = next()->opendir(path);
    if (dir != NULL || !fallback_path(other, path))
        return dir;
    dir = names_no_dir(other) ? NULL : next()->opendir(other);
    (void)settled(dir == NULL ? -1 : 0);
    return dir;
}

static ssize_t readlinkat_once(int dir, const char *path, char *text, size_t size)
{
    ssize_t length;

    return names_readlink(path, text, size, &length) ? length
                                                     : next()->readlinkat(dir, path, text, size);
}

GUEST_EXPORT ssize_t readlinkat(int dir, const char *path, char *text, size_t size)
{
    char other[GUEST_PATH_MAX];
    ssize_t length = readlinkat_once(dir, path, text, size);

    return length < 0 && fallback_path(other, path) ? readlinkat_once(dir, other, text, size)
                                                    : length;
}

static ssize_t readlink_once(const char *path, char *text, size_t size)
{
    ssize_t length;

    return names_readlink(path, text, size, &length) ? length : next()->readlink(path, text, size);
}

GUEST_EXPORT ssize_t readlink(const char *path, char *text, size_t size)
{
    char other[GUEST_PATH_MAX];
    ssize_t length = readlink_once(path, text, size);

    return length < 0 && fallback_path(other, path) ? readlink_once(other, text, size) : length;
}

/* libc ends a caller that has less room than it says. */
GUEST_EXPORT ssize_t __readlink_chk(const char *path, char *text, size_t size, size_t room)
{
    return size > room ? next()->readlink_chk(path, text, size, room) : readlink(path, text, size);
}

GUEST_EXPORT ssize_t __readlinkat_chk(int dir, const char *path, char *text, size_t size,
                                      size_t room)
{
    return size > room ? next()->readlinkat_chk(dir, path, text, size, room)
                       : readlinkat(dir, path, text, size);
}

static char *realpath_once(const char *path, char *resolved)
{
    char *result;

    return names_realpath(path, resolved, next()->realpath, &result)
               ? result
               : next()->realpath(path, resolved);
}

GUEST_EXPORT char *realpath(const char *path, char *resolved)
{
    char other[GUEST_PATH_MAX];
    char *result = realpath_once(path, resolved);

    return result == NULL && fallback_path(other, path) ? realpath_once(other, resolved) : result;
}

GUEST_EXPORT char *canonicalize_file_name(const char *path)
{
    return realpath(path, NULL);
}

GUEST_EXPORT char *__realpath_chk(const char *path, char *resolved, size_t size)
{
    return size < GUEST_PATH_MAX ? next()->realpath_chk(path, resolved, size)
                                 : realpath(path, resolved);
}

GUEST_EXPORT int isatty(int fd)
{
    return names_are_no_tty(fd) ? 0 : next()->isatty(fd);
}

/* Of a library the host's is another one, and never ours: the image's is taken in any case. */
[[gnu::noinline]] static void *dlopen_inside(const char *path, int mode)
{
    char other[GUEST_PATH_MAX];
    int kept = errno;
    bool is_inside = guest_path(other, path + 1) && next()->access(other, R_OK) == 0;

    errno = kept;
    return next()->dlopen(is_inside ? other : path, mode);
}

/* Of a path that is no bare name, so it does not matter who calls. */
[[gnu::noinline]] static void *dlopen_moment(const char *path, int mode)
{
    void *handle = next()->dlopen(path, mode);

    if (handle != NULL)
        compiled_begin(next()->dlopen, next()->access);
    return handle;
}

/*
 * For a name the loader searches the caller's RUNPATH, and knows the caller by the return address:
 * the call is the last thing that is done, a jump, so that it stays the caller's.
 */
GUEST_EXPORT void *dlopen(const char *path, int mode)
{
    if (fallback_lists(path))
        return dlopen_inside(path, mode);
    if (compiled_is_moment(path))
        return dlopen_moment(path, mode);
    return next()->dlopen(path, mode);
}
