/* SPDX-License-Identifier: MIT */
#include "bundler/witness.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/path.h"
#include "common/pattern.h"
#include "common/xalloc.h"

/* ld(1), --wrap: who calls access() comes to __wrap_access(), and __real_access() is libc's. The
 * names are those of 64 bit offsets. */
typedef int witness_filter(const struct dirent *entry);
typedef int witness_order(const struct dirent **a, const struct dirent **b);

#define WRAPPED(type, name, ...)                                                                   \
    type __real_##name(__VA_ARGS__);                                                               \
    type __wrap_##name(__VA_ARGS__)

WRAPPED(int, open64, const char *path, int flags, ...);
WRAPPED(int, openat64, int dirfd, const char *path, int flags, ...);
WRAPPED(FILE *, fopen64, const char *path, const char *mode);
WRAPPED(DIR *, opendir, const char *path);
WRAPPED(DIR *, fdopendir, int fd);
WRAPPED(int, scandir64, const char *path, struct dirent ***ret, witness_filter *filter,
        witness_order *order);
WRAPPED(int, stat64, const char *path, struct stat *ret);
WRAPPED(int, lstat64, const char *path, struct stat *ret);
WRAPPED(int, fstatat64, int dirfd, const char *path, struct stat *ret, int flags);
WRAPPED(int, access, const char *path, int mode);
WRAPPED(int, faccessat, int dirfd, const char *path, int mode, int flags);
WRAPPED(ssize_t, readlink, const char *path, char *ret, size_t size);
WRAPPED(char *, realpath, const char *path, char *ret);
WRAPPED(void, pattern_find, struct pattern_found *ret, const char *pattern);

enum { SLOTS_FIRST = 8192, IGNORED_MAX = 16, LINK_SIZE = 4096 };

/* Of this thread alone: those that compress have nothing to say. */
static _Thread_local struct witness *noting;
static _Thread_local bool is_deaf;
static char *ignored[IGNORED_MAX];

/* FNV-1a */
static size_t hash_of(enum sight_kind kind, const char *path)
{
    uint64_t hash = 0xcbf29ce484222325u ^ (uint64_t)kind;

    for (; *path != '\0'; path++)
        hash = (hash ^ (unsigned char)*path) * 0x100000001b3u;
    return (size_t)hash;
}

/* A slot holds the number of its note, from 1; never more than half are taken. */
static size_t *slot_of(const struct witness *witness, enum sight_kind kind, const char *path)
{
    size_t mask = witness->slot_count - 1;

    for (size_t i = hash_of(kind, path) & mask;; i = (i + 1) & mask) {
        size_t *slot = &witness->slots[i];

        if (*slot == 0 || (witness->notes[*slot - 1].kind == kind &&
                           strcmp(witness->notes[*slot - 1].path, path) == 0))
            return slot;
    }
}

static void make_room(struct witness *witness)
{
    if (witness->count < witness->slot_count / 2)
        return;
    witness->slot_count = witness->slot_count == 0 ? SLOTS_FIRST : witness->slot_count * 2;
    free(witness->slots);
    witness->slots = xcalloc(witness->slot_count, sizeof(*witness->slots));
    for (size_t i = 0; i < witness->count; i++)
        *slot_of(witness, witness->notes[i].kind, witness->notes[i].path) = i + 1;
}

static bool is_ignored(const char *path)
{
    /* mtab is a link into /proc */
    static const char *const never[] = {"/proc", "/sys", "/dev", "/etc/mtab"};

    for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
        if (path_lies_in(path, never[i]))
            return true;
    for (size_t i = 0; i < IGNORED_MAX && ignored[i] != NULL; i++)
        if (path_lies_in(path, ignored[i]))
            return true;
    return false;
}

static void note(enum sight_kind kind, const char *given)
{
    struct witness *witness = noting;
    int kept = errno;
    cleanup_free char *path = NULL;
    size_t *slot;
    size_t len;

    if (witness == NULL || is_deaf || given == NULL || given[0] == '\0')
        return;
    path = given[0] == '/' ? xstrdup(given) : xasprintf("%s/%s", witness->cwd, given);
    for (len = strlen(path); kind == SIGHT_DIR && len > 1 && path[len - 1] == '/';)
        path[--len] = '\0'; /* by one name, for what is left out of it */
    if (!is_ignored(path)) {
        make_room(witness);
        slot = slot_of(witness, kind, path);
        if (*slot == 0) {
            struct witness_note *fresh;

            is_deaf = true; /* for the look itself */
            witness->notes =
                xgrow(witness->notes, &witness->capacity, witness->count, sizeof(*witness->notes));
            fresh = &witness->notes[witness->count++];
            *fresh = (struct witness_note){.kind = kind};
            sight_see(kind, path, &fresh->sight);
            fresh->path = steal_ptr(&path);
            *slot = witness->count;
            is_deaf = false;
        }
    }
    errno = kept;
}

/* The path of an open directory, or NULL. */
static char *path_of(int dirfd)
{
    cleanup_free char *link = xasprintf("/proc/self/fd/%d", dirfd);
    char path[LINK_SIZE];
    ssize_t len = __real_readlink(link, path, sizeof(path));

    return len > 0 && (size_t)len < sizeof(path) ? xstrndup(path, (size_t)len) : NULL;
}

/* A name in an open directory. */
static void note_at(enum sight_kind kind, int dirfd, const char *name)
{
    cleanup_free char *dir = NULL;
    cleanup_free char *path = NULL;

    if (noting == NULL || is_deaf)
        return;
    if (dirfd == AT_FDCWD || name[0] == '/') {
        note(kind, name);
        return;
    }
    dir = path_of(dirfd);
    path = dir != NULL ? xasprintf("%s/%s", dir, name) : NULL;
    note(kind, path);
}

static void note_open(int dirfd, const char *path, int flags)
{
    if ((flags & O_ACCMODE) == O_RDONLY && (flags & (O_CREAT | O_TMPFILE)) != O_CREAT)
        note_at(SIGHT_FILE, dirfd, path);
}

static mode_t mode_of(int flags, va_list *list)
{
    return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(*list, mode_t) : 0;
}

/* Who has no memory to look cannot say that nothing is there. */
static void *looked(void *found)
{
    if (found == NULL && errno == ENOMEM)
        xdie();
    return found;
}

int __wrap_open64(const char *path, int flags, ...)
{
    va_list list;
    mode_t mode;

    va_start(list, flags);
    mode = mode_of(flags, &list);
    va_end(list);
    note_open(AT_FDCWD, path, flags);
    return __real_open64(path, flags, mode);
}

int __wrap_openat64(int dirfd, const char *path, int flags, ...)
{
    va_list list;
    mode_t mode;

    va_start(list, flags);
    mode = mode_of(flags, &list);
    va_end(list);
    note_open(dirfd, path, flags);
    return __real_openat64(dirfd, path, flags, mode);
}

FILE *__wrap_fopen64(const char *path, const char *mode)
{
    if (mode[0] == 'r')
        note(SIGHT_FILE, path);
    return looked(__real_fopen64(path, mode));
}

DIR *__wrap_opendir(const char *path)
{
    note(SIGHT_DIR, path);
    return looked(__real_opendir(path));
}

DIR *__wrap_fdopendir(int fd)
{
    cleanup_free char *path = noting != NULL ? path_of(fd) : NULL;

    note(SIGHT_DIR, path);
    return __real_fdopendir(fd);
}

int __wrap_scandir64(const char *path, struct dirent ***ret, witness_filter *filter,
                     witness_order *order)
{
    int count;

    note(SIGHT_DIR, path);
    count = __real_scandir64(path, ret, filter, order);
    if (count < 0 && errno == ENOMEM)
        xdie();
    return count;
}

int __wrap_stat64(const char *path, struct stat *ret)
{
    note(SIGHT_FILE, path);
    return __real_stat64(path, ret);
}

int __wrap_lstat64(const char *path, struct stat *ret)
{
    note(SIGHT_LINK, path);
    return __real_lstat64(path, ret);
}

int __wrap_fstatat64(int dirfd, const char *path, struct stat *ret, int flags)
{
    note_at((flags & AT_SYMLINK_NOFOLLOW) != 0 ? SIGHT_LINK : SIGHT_FILE, dirfd, path);
    return __real_fstatat64(dirfd, path, ret, flags);
}

int __wrap_access(const char *path, int mode)
{
    note(SIGHT_FILE, path);
    return __real_access(path, mode);
}

int __wrap_faccessat(int dirfd, const char *path, int mode, int flags)
{
    note_at(SIGHT_FILE, dirfd, path);
    return __real_faccessat(dirfd, path, mode, flags);
}

ssize_t __wrap_readlink(const char *path, char *ret, size_t size)
{
    note(SIGHT_LINK, path);
    return __real_readlink(path, ret, size);
}

char *__wrap_realpath(const char *path, char *ret)
{
    note(SIGHT_REAL, path);
    return looked(__real_realpath(path, ret));
}

/* What it looks at is no input, but what it finds. */
void __wrap_pattern_find(struct pattern_found *ret, const char *pattern)
{
    bool was_deaf = is_deaf;

    note(SIGHT_PATTERN, pattern);
    is_deaf = true;
    __real_pattern_find(ret, pattern);
    is_deaf = was_deaf;
}

void witness_begin(struct witness *witness)
{
    assert(noting == NULL);
    *witness = (struct witness){.cwd = getcwd(NULL, 0)};
    if (witness->cwd == NULL)
        witness->cwd = xstrdup("");
    (void)clock_gettime(CLOCK_REALTIME_COARSE, &witness->begun);
    noting = witness;
}

void witness_end(void)
{
    noting = NULL;
}

void witness_listen(bool listens)
{
    is_deaf = !listens;
}

void witness_release(struct witness *witness)
{
    if (noting == witness)
        noting = NULL;
    for (size_t i = 0; i < witness->count; i++)
        free(witness->notes[i].path);
    free(witness->notes);
    free(witness->slots);
    free(witness->cwd);
    *witness = (struct witness){0};
}

void witness_file(const char *path)
{
    note(SIGHT_FILE, path);
}

/* Not every file system says so. */
static bool is_directory(const struct dirent *entry, const char *path)
{
    struct stat st;

    return entry->d_type == DT_DIR ||
           (entry->d_type == DT_UNKNOWN && __real_lstat64(path, &st) == 0 && S_ISDIR(st.st_mode));
}

void witness_tree(const char *path)
{
    cleanup_dir DIR *stream = noting != NULL ? looked(__real_opendir(path)) : NULL;
    const struct dirent *entry;

    note(SIGHT_DIR, path);
    while (stream != NULL && (entry = readdir(stream)) != NULL) {
        cleanup_free char *below = xasprintf("%s/%s", path, entry->d_name);

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        note(SIGHT_LINK, below);
        if (is_directory(entry, below))
            witness_tree(below);
    }
}

void witness_ignore(const char *path)
{
    for (size_t i = 0; i < IGNORED_MAX; i++) {
        if (ignored[i] == NULL)
            ignored[i] = xstrdup(path);
        if (strcmp(ignored[i], path) == 0)
            return;
    }
}
