/* SPDX-License-Identifier: MIT */
/*
 * Data that libraries look for at a compiled-in place of the build machine, like time zones in
 * /usr/share/zoneinfo: where the host has nothing there, the image's copy is found.
 *
 * Only after ENOENT, only below the prefixes of the launch file, never to create anything. What the
 * host has always wins. Calls that libc makes inside of itself cannot be seen from here, so each
 * public function is interposed; those that glibc had before 2.33 (__xstat) too. Nothing here
 * allocates or locks.
 */
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

#include "common/launchfile.h"
#include "guest.h"

enum { PREFIXES_MAX = 4096 };

/* Absolute paths, each with its NUL. */
static char prefixes[PREFIXES_MAX];
static size_t prefixes_len;

void fallback_record(const struct launchfile_record *record)
{
    size_t len = strlen(record->fields[1]) + 1;

    if (!launchfile_is(record, "path", 1))
        return;
    if (len > sizeof(prefixes) - prefixes_len)
        guest_die("too many paths: ", record->fields[1]);
    memcpy(prefixes + prefixes_len, record->fields[1], len);
    prefixes_len += len;
}

static bool is_listed(const char *path)
{
    if (path == NULL || path[0] != '/' || guest_root_len == 0)
        return false;
    for (const char *at = prefixes; at < prefixes + prefixes_len; at += strlen(at) + 1) {
        size_t len = strlen(at);

        if (strncmp(path, at, len) == 0 && (path[len] == '\0' || path[len] == '/'))
            return true;
    }
    return false;
}

bool fallback_path(char ret[GUEST_PATH_MAX], const char *path)
{
    return errno == ENOENT && is_listed(path) && guest_path(ret, path + 1);
}

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
typedef int access_function(const char *, int);

struct functions {
    open_function *open;
    open_function *open64;
    openat_function *openat;
    openat_function *openat64;
    fopen_function *fopen;
    fopen_function *fopen64;
    stat_function *stat;
    stat_function *stat64;
    stat_function *lstat;
    stat_function *lstat64;
    statat_function *fstatat;
    statat_function *fstatat64;
    xstat_function *xstat;
    xstat_function *xstat64;
    xstat_function *lxstat;
    xstat_function *lxstat64;
    xstatat_function *fxstatat;
    xstatat_function *fxstatat64;
    int (*statx)(int, const char *, int, unsigned int, void *);
    access_function *access;
    access_function *eaccess;
    access_function *euidaccess;
    int (*faccessat)(int, const char *, int, int);
    DIR *(*opendir)(const char *);
    ssize_t (*readlink)(const char *, char *, size_t);
    ssize_t (*readlinkat)(int, const char *, char *, size_t);
    char *(*realpath)(const char *, char *);
    char *(*realpath_chk)(const char *, char *, size_t);
    void *(*dlopen)(const char *, int);
};

static struct functions libc;

void fallback_init(void)
{
    static const struct {
        const char *name;
        void *slot;
    } functions[] = {
        {"open", &libc.open},           {"open64", &libc.open64},
        {"openat", &libc.openat},       {"openat64", &libc.openat64},
        {"fopen", &libc.fopen},         {"fopen64", &libc.fopen64},
        {"stat", &libc.stat},           {"stat64", &libc.stat64},
        {"lstat", &libc.lstat},         {"lstat64", &libc.lstat64},
        {"fstatat", &libc.fstatat},     {"fstatat64", &libc.fstatat64},
        {"__xstat", &libc.xstat},       {"__xstat64", &libc.xstat64},
        {"__lxstat", &libc.lxstat},     {"__lxstat64", &libc.lxstat64},
        {"__fxstatat", &libc.fxstatat}, {"__fxstatat64", &libc.fxstatat64},
        {"statx", &libc.statx},         {"access", &libc.access},
        {"eaccess", &libc.eaccess},     {"euidaccess", &libc.euidaccess},
        {"faccessat", &libc.faccessat}, {"opendir", &libc.opendir},
        {"readlink", &libc.readlink},   {"readlinkat", &libc.readlinkat},
        {"realpath", &libc.realpath},   {"__realpath_chk", &libc.realpath_chk},
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

static int open_with(open_function *call, const char *path, int flags, mode_t mode)
{
    char other[GUEST_PATH_MAX];
    int fd = call(path, flags, mode);

    return fd < 0 && !creates(flags) && fallback_path(other, path) ? settled(call(other, flags))
                                                                   : fd;
}

static int openat_with(openat_function *call, int dir, const char *path, int flags, mode_t mode)
{
    char other[GUEST_PATH_MAX];
    int fd = call(dir, path, flags, mode);

    return fd < 0 && !creates(flags) && fallback_path(other, path)
               ? settled(call(dir, other, flags))
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

GUEST_EXPORT int open64(const char *path, int flags, ...)
{
    return open_with(next()->open64, path, flags, TAKE_MODE(flags));
}

GUEST_EXPORT int openat(int dir, const char *path, int flags, ...)
{
    return openat_with(next()->openat, dir, path, flags, TAKE_MODE(flags));
}

GUEST_EXPORT int openat64(int dir, const char *path, int flags, ...)
{
    return openat_with(next()->openat64, dir, path, flags, TAKE_MODE(flags));
}

/* Those that no header declares: of fortified callers (glibc's bits/fcntl2.h, bits/stdlib.h), and
 * of programs that were built against a glibc before 2.33. */
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int dir, const char *path, int flags);
int __openat64_2(int dir, const char *path, int flags);
char *__realpath_chk(const char *path, char *resolved, size_t size);
int __xstat(int version, const char *path, struct stat *st);
int __xstat64(int version, const char *path, struct stat64 *st);
int __lxstat(int version, const char *path, struct stat *st);
int __lxstat64(int version, const char *path, struct stat64 *st);
int __fxstatat(int version, int dir, const char *path, struct stat *st, int flags);
int __fxstatat64(int version, int dir, const char *path, struct stat64 *st, int flags);

GUEST_EXPORT int __open_2(const char *path, int flags)
{
    return open_with(next()->open, path, flags, 0);
}

GUEST_EXPORT int __open64_2(const char *path, int flags)
{
    return open_with(next()->open64, path, flags, 0);
}

GUEST_EXPORT int __openat_2(int dir, const char *path, int flags)
{
    return openat_with(next()->openat, dir, path, flags, 0);
}

GUEST_EXPORT int __openat64_2(int dir, const char *path, int flags)
{
    return openat_with(next()->openat64, dir, path, flags, 0);
}

static FILE *fopen_with(fopen_function *call, const char *path, const char *mode)
{
    char other[GUEST_PATH_MAX];
    FILE *file = call(path, mode);

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

GUEST_EXPORT FILE *fopen64(const char *path, const char *mode)
{
    return fopen_with(next()->fopen64, path, mode);
}

static int stat_with(stat_function *call, const char *path, void *st)
{
    char other[GUEST_PATH_MAX];
    int result = call(path, st);

    return result < 0 && fallback_path(other, path) ? settled(call(other, st)) : result;
}

GUEST_EXPORT int stat(const char *path, struct stat *st)
{
    return stat_with(next()->stat, path, st);
}

GUEST_EXPORT int stat64(const char *path, struct stat64 *st)
{
    return stat_with(next()->stat64, path, st);
}

GUEST_EXPORT int lstat(const char *path, struct stat *st)
{
    return stat_with(next()->lstat, path, st);
}

GUEST_EXPORT int lstat64(const char *path, struct stat64 *st)
{
    return stat_with(next()->lstat64, path, st);
}

static int statat_with(statat_function *call, int dir, const char *path, void *st, int flags)
{
    char other[GUEST_PATH_MAX];
    int result = call(dir, path, st, flags);

    return result < 0 && fallback_path(other, path) ? settled(call(dir, other, st, flags)) : result;
}

GUEST_EXPORT int fstatat(int dir, const char *path, struct stat *st, int flags)
{
    return statat_with(next()->fstatat, dir, path, st, flags);
}

GUEST_EXPORT int fstatat64(int dir, const char *path, struct stat64 *st, int flags)
{
    return statat_with(next()->fstatat64, dir, path, st, flags);
}

static int xstat_with(xstat_function *call, int version, const char *path, void *st)
{
    char other[GUEST_PATH_MAX];
    int result = call(version, path, st);

    return result < 0 && fallback_path(other, path) ? settled(call(version, other, st)) : result;
}

GUEST_EXPORT int __xstat(int version, const char *path, struct stat *st)
{
    return xstat_with(next()->xstat, version, path, st);
}

GUEST_EXPORT int __xstat64(int version, const char *path, struct stat64 *st)
{
    return xstat_with(next()->xstat64, version, path, st);
}

GUEST_EXPORT int __lxstat(int version, const char *path, struct stat *st)
{
    return xstat_with(next()->lxstat, version, path, st);
}

GUEST_EXPORT int __lxstat64(int version, const char *path, struct stat64 *st)
{
    return xstat_with(next()->lxstat64, version, path, st);
}

static int xstatat_with(xstatat_function *call, int version, int dir, const char *path, void *st,
                        int flags)
{
    char other[GUEST_PATH_MAX];
    int result = call(version, dir, path, st, flags);

    return result < 0 && fallback_path(other, path) ? settled(call(version, dir, other, st, flags))
                                                    : result;
}

GUEST_EXPORT int __fxstatat(int version, int dir, const char *path, struct stat *st, int flags)
{
    return xstatat_with(next()->fxstatat, version, dir, path, st, flags);
}

GUEST_EXPORT int __fxstatat64(int version, int dir, const char *path, struct stat64 *st, int flags)
{
    return xstatat_with(next()->fxstatat64, version, dir, path, st, flags);
}

GUEST_EXPORT int statx(int dir, const char *path, int flags, unsigned int mask, struct statx *st)
{
    char other[GUEST_PATH_MAX];
    int result = next()->statx(dir, path, flags, mask, st);

    return result < 0 && fallback_path(other, path)
               ? settled(next()->statx(dir, other, flags, mask, st))
               : result;
}

static int access_with(access_function *call, const char *path, int mode)
{
    char other[GUEST_PATH_MAX];
    int result = call(path, mode);

    return result < 0 && fallback_path(other, path) ? settled(call(other, mode)) : result;
}

GUEST_EXPORT int access(const char *path, int mode)
{
    return access_with(next()->access, path, mode);
}

GUEST_EXPORT int eaccess(const char *path, int mode)
{
    return access_with(next()->eaccess, path, mode);
}

GUEST_EXPORT int euidaccess(const char *path, int mode)
{
    return access_with(next()->euidaccess, path, mode);
}

GUEST_EXPORT int faccessat(int dir, const char *path, int mode, int flags)
{
    char other[GUEST_PATH_MAX];
    int result = next()->faccessat(dir, path, mode, flags);

    return result < 0 && fallback_path(other, path)
               ? settled(next()->faccessat(dir, other, mode, flags))
               : result;
}

GUEST_EXPORT DIR *opendir(const char *path)
{
    char other[GUEST_PATH_MAX];
    DIR *dir = next()->opendir(path);

    if (dir != NULL || !fallback_path(other, path))
        return dir;
    dir = next()->opendir(other);
    (void)settled(dir == NULL ? -1 : 0);
    return dir;
}

GUEST_EXPORT ssize_t readlink(const char *path, char *text, size_t size)
{
    char other[GUEST_PATH_MAX];
    ssize_t length = next()->readlink(path, text, size);

    return length < 0 && fallback_path(other, path) ? next()->readlink(other, text, size) : length;
}

GUEST_EXPORT ssize_t readlinkat(int dir, const char *path, char *text, size_t size)
{
    char other[GUEST_PATH_MAX];
    ssize_t length = next()->readlinkat(dir, path, text, size);

    return length < 0 && fallback_path(other, path) ? next()->readlinkat(dir, other, text, size)
                                                    : length;
}

GUEST_EXPORT char *realpath(const char *path, char *resolved)
{
    char other[GUEST_PATH_MAX];
    char *result = next()->realpath(path, resolved);

    return result == NULL && fallback_path(other, path) ? next()->realpath(other, resolved)
                                                        : result;
}

GUEST_EXPORT char *__realpath_chk(const char *path, char *resolved, size_t size)
{
    char other[GUEST_PATH_MAX];
    char *result = next()->realpath_chk(path, resolved, size);

    return result == NULL && fallback_path(other, path)
               ? next()->realpath_chk(other, resolved, size)
               : result;
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

/*
 * For a name the loader searches the caller's RUNPATH, and knows the caller by the return address:
 * the call is the last thing that is done, a jump, so that it stays the caller's.
 */
GUEST_EXPORT void *dlopen(const char *path, int mode)
{
    if (is_listed(path))
        return dlopen_inside(path, mode);
    return next()->dlopen(path, mode);
}
