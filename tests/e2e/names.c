/* SPDX-License-Identifier: MIT */
/*
 * Every call that the guest object interposes, on every path of an image and on mutations of them:
 * what it gives must be what libc's own gives, which asks the kernel. Results, errno, every byte of
 * struct stat and statx, texts of symlinks, real paths.
 *
 * A shared object without a libc, as the guest is, so that it binds to the one of the bundle; Ruby
 * calls names_differ() in it (names.rb). The paths come from walking the tree.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_ROOM = 12288, SHOWN_MAX = 20, UNTOUCHED = 7777, TEXT_ROOM = 4200 };

int names_differ(const char *root, const char *libc_name, unsigned long mutations,
                 unsigned long seed);

static const char *root;
static char **paths;
static size_t path_count, path_capacity;
static unsigned long calls, differences;
static uint64_t state;

/* xorshift64: the same everywhere for one seed. */
static size_t pick(size_t count)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (size_t)(state % count);
}

/* What one call gave. */
struct result {
    long value;
    int error;
    int error_kept; /* errno after a success */
    char bytes[TEXT_ROOM];
};

union function {
    void *address;
    int (*open)(const char *, int, ...);
    int (*openat)(int, const char *, int, ...);
    int (*openat_2)(int, const char *, int);
    FILE *(*fopen)(const char *, const char *);
    DIR *(*opendir)(const char *);
    int (*stat)(const char *, void *);
    int (*statat)(int, const char *, void *, int);
    int (*xstat)(int, const char *, void *);
    int (*xstatat)(int, int, const char *, void *, int);
    int (*statx)(int, const char *, int, unsigned int, void *);
    int (*access)(const char *, int);
    int (*accessat)(int, const char *, int, int);
    ssize_t (*readlink)(const char *, char *, size_t);
    ssize_t (*readlink_chk)(const char *, char *, size_t, size_t);
    ssize_t (*readlinkat)(int, const char *, char *, size_t);
    ssize_t (*readlinkat_chk)(int, const char *, char *, size_t, size_t);
    char *(*realpath)(const char *, char *);
    char *(*realpath_chk)(const char *, char *, size_t);
    int (*isatty)(int);
};

enum shape {
    OPEN,
    OPENAT,
    OPENAT_2,
    FOPEN,
    OPENDIR,
    STAT,
    STATAT,
    XSTAT,
    XSTATAT,
    STATX,
    ACCESS,
    ACCESSAT,
    READLINK,
    READLINK_CHK,
    READLINKAT,
    READLINKAT_CHK,
    REALPATH,
    REALPATH_ALLOCATED,
    REALPATH_CHK,
    ISATTY,
};

static struct call {
    const char *name;
    enum shape shape;
    int a, b; /* flags, modes, sizes: as the shape takes them */
    union function ours, libcs;
} table[] = {
    {"open", OPEN, O_RDONLY, 0, {0}, {0}},
    {"open", OPEN, O_RDONLY | O_NONBLOCK | O_CLOEXEC, 0, {0}, {0}},
    {"open", OPEN, O_RDWR, 0, {0}, {0}},
    {"open", OPEN, O_WRONLY, 0, {0}, {0}},
    {"open", OPEN, O_WRONLY | O_CREAT, 0600, {0}, {0}}, /* not where that can be done */
    {"open", OPEN, O_RDONLY | O_NOFOLLOW, 0, {0}, {0}},
    {"open", OPEN, O_PATH | O_NOFOLLOW, 0, {0}, {0}},
    {"open64", OPEN, O_RDONLY | O_DIRECTORY, 0, {0}, {0}},
    {"__open_2", OPEN, O_RDONLY, 0, {0}, {0}},
    {"__open64_2", OPEN, O_RDONLY, 0, {0}, {0}},
    {"openat", OPENAT, O_RDONLY, 0, {0}, {0}},
    {"openat64", OPENAT, O_RDONLY | O_NOFOLLOW, 0, {0}, {0}},
    {"__openat_2", OPENAT_2, O_RDONLY, 0, {0}, {0}},
    {"__openat64_2", OPENAT_2, O_RDONLY, 0, {0}, {0}},
    {"fopen", FOPEN, 'r', 0, {0}, {0}},
    {"fopen64", FOPEN, 'r', '+', {0}, {0}},
    {"fopen", FOPEN, 'q', 0, {0}, {0}},
    {"opendir", OPENDIR, 0, 0, {0}, {0}},
    {"stat", STAT, 0, 0, {0}, {0}},
    {"stat64", STAT, 0, 0, {0}, {0}},
    {"lstat", STAT, 0, 0, {0}, {0}},
    {"lstat64", STAT, 0, 0, {0}, {0}},
    {"fstatat", STATAT, 0, 0, {0}, {0}},
    {"fstatat", STATAT, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, 0, {0}, {0}},
    {"fstatat64", STATAT, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, 0, {0}, {0}},
    {"fstatat64", STATAT, 0x40000000, 0, {0}, {0}},
    {"__xstat", XSTAT, 1, 0, {0}, {0}},
    {"__xstat", XSTAT, 0, 0, {0}, {0}},
    {"__xstat64", XSTAT, 1, 0, {0}, {0}},
    {"__xstat", XSTAT, 77, 0, {0}, {0}},
    {"__lxstat", XSTAT, 1, 0, {0}, {0}},
    {"__lxstat64", XSTAT, 1, 0, {0}, {0}},
    {"__fxstatat", XSTATAT, 1, AT_SYMLINK_NOFOLLOW, {0}, {0}},
    {"__fxstatat64", XSTATAT, 1, 0, {0}, {0}},
    {"statx", STATX, 0, STATX_BASIC_STATS, {0}, {0}},
    {"statx", STATX, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME, {0}, {0}},
    {"statx", STATX, AT_STATX_DONT_SYNC | AT_SYMLINK_NOFOLLOW, STATX_MODE, {0}, {0}},
    {"statx", STATX, 0, 0, {0}, {0}},
    {"statx", STATX, 0, 0x1fff, {0}, {0}},
    {"statx", STATX, AT_STATX_FORCE_SYNC, STATX_BASIC_STATS, {0}, {0}},
    {"statx", STATX, 0x40000000, STATX_BASIC_STATS, {0}, {0}},
    {"access", ACCESS, F_OK, 0, {0}, {0}},
    {"access", ACCESS, R_OK, 0, {0}, {0}},
    {"access", ACCESS, W_OK, 0, {0}, {0}},
    {"access", ACCESS, X_OK, 0, {0}, {0}},
    {"access", ACCESS, R_OK | W_OK | X_OK, 0, {0}, {0}},
    {"access", ACCESS, 8, 0, {0}, {0}},
    {"eaccess", ACCESS, R_OK, 0, {0}, {0}},
    {"eaccess", ACCESS, R_OK | X_OK, 0, {0}, {0}},
    {"euidaccess", ACCESS, W_OK, 0, {0}, {0}},
    {"faccessat", ACCESSAT, R_OK, 0, {0}, {0}},
    {"faccessat", ACCESSAT, W_OK, AT_EACCESS, {0}, {0}},
    {"faccessat", ACCESSAT, X_OK, AT_SYMLINK_NOFOLLOW, {0}, {0}},
    {"faccessat", ACCESSAT, R_OK, 0x40000000, {0}, {0}},
    {"readlink", READLINK, 4096, 0, {0}, {0}},
    {"readlink", READLINK, 3, 0, {0}, {0}},
    {"readlink", READLINK, 0, 0, {0}, {0}},
    {"__readlink_chk", READLINK_CHK, 100, 0, {0}, {0}},
    {"readlinkat", READLINKAT, 4096, 0, {0}, {0}},
    {"__readlinkat_chk", READLINKAT_CHK, 5, 0, {0}, {0}},
    {"realpath", REALPATH, 0, 0, {0}, {0}},
    {"realpath", REALPATH_ALLOCATED, 0, 0, {0}, {0}},
    {"canonicalize_file_name", REALPATH_ALLOCATED, 0, 0, {0}, {0}},
    {"__realpath_chk", REALPATH_CHK, 0, 0, {0}, {0}},
    {"isatty", ISATTY, 0, 0, {0}, {0}},
};

enum { CALLS = sizeof(table) / sizeof(table[0]) };

/* A descriptor is there or not; its number is chance. */
static long opened(int fd)
{
    int kept = errno;

    if (fd >= 0)
        close(fd);
    errno = kept;
    return fd >= 0 ? 0 : -1;
}

static long streamed(FILE *file)
{
    if (file == NULL)
        return -1;
    fclose(file);
    errno = UNTOUCHED; /* libc's own business */
    return 0;
}

static long listed(DIR *dir)
{
    if (dir == NULL)
        return -1;
    closedir(dir);
    errno = UNTOUCHED;
    return 0;
}

static long resolved(char *real, struct result *ret, bool is_allocated)
{
    if (real == NULL) {
        memset(ret->bytes, 0, sizeof(ret->bytes)); /* what is in the buffer then is not said */
        return -1;
    }
    errno = UNTOUCHED;
    if (is_allocated) {
        strcpy(ret->bytes, real);
        free(real);
    }
    /* Behind the text is what was there on the way. */
    memset(ret->bytes + strlen(ret->bytes), 0, sizeof(ret->bytes) - strlen(ret->bytes));
    return 0;
}

static long is_tty(union function f, const char *path)
{
    static union function own_open;
    int fd;
    long result;

    if (own_open.address == NULL)
        own_open.address = dlsym(RTLD_DEFAULT, "open");
    fd = own_open.open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        errno = UNTOUCHED;
        return -2;
    }
    errno = UNTOUCHED;
    result = f.isatty(fd);
    (void)opened(fd);
    return result - 1; /* so that no terminal is a failure, with errno */
}

static long do_call(const struct call *call, union function f, const char *path, struct result *ret)
{
    char *to = ret->bytes;
    int at = call->a % 2 == 0 ? AT_FDCWD : -1; /* of an absolute path it does not matter */

    switch (call->shape) {
    case OPEN:
        return opened(f.open(path, call->a, call->b));
    case OPENAT:
        return opened(f.openat(at, path, call->a, call->b));
    case OPENAT_2:
        return opened(f.openat_2(at, path, call->a));
    case FOPEN:
        return streamed(f.fopen(path, (char[]){(char)call->a, (char)call->b, '\0'}));
    case OPENDIR:
        return listed(f.opendir(path));
    case STAT:
        return f.stat(path, to);
    case STATAT:
        return f.statat(at, path, to, call->a);
    case XSTAT:
        return f.xstat(call->a, path, to);
    case XSTATAT:
        return f.xstatat(call->a, at, path, to, call->b);
    case STATX:
        return f.statx(at, path, call->a, (unsigned int)call->b, to);
    case ACCESS:
        return f.access(path, call->a);
    case ACCESSAT:
        return f.accessat(at, path, call->a, call->b);
    case READLINK:
        return f.readlink(path, to, (size_t)call->a);
    case READLINK_CHK:
        return f.readlink_chk(path, to, (size_t)call->a, (size_t)call->a);
    case READLINKAT:
        return f.readlinkat(at, path, to, (size_t)call->a);
    case READLINKAT_CHK:
        return f.readlinkat_chk(at, path, to, (size_t)call->a, (size_t)call->a);
    case REALPATH:
        return resolved(f.realpath(path, to), ret, false);
    case REALPATH_ALLOCATED:
        return resolved(f.realpath(path, NULL), ret, true);
    case REALPATH_CHK:
        return resolved(f.realpath_chk(path, to, 4096), ret, false);
    case ISATTY:
        return is_tty(f, path);
    }
    return 0;
}

static void run(const struct call *call, union function f, const char *path, struct result *ret)
{
    memset(ret, 0, sizeof(*ret));
    errno = UNTOUCHED;
    ret->value = do_call(call, f, path, ret);
    ret->error = ret->value == -1 ? errno : 0;
    ret->error_kept = ret->value == -1 ? 0 : errno;
}

static void report(const struct call *call, const char *path, const struct result *ours,
                   const struct result *libcs)
{
    size_t at = 0;

    if (++differences > SHOWN_MAX)
        return;
    while (at < sizeof(ours->bytes) && ours->bytes[at] == libcs->bytes[at])
        at++;
    printf("# %s(%#x, %#x) of '%.300s': %ld errno %d (%d), the kernel %ld errno %d (%d)",
           call->name, (unsigned int)call->a, (unsigned int)call->b, path, ours->value, ours->error,
           ours->error_kept, libcs->value, libcs->error, libcs->error_kept);
    if (at < sizeof(ours->bytes))
        printf(", byte %zu is %#x, the kernel's %#x", at, (unsigned char)ours->bytes[at],
               (unsigned char)libcs->bytes[at]);
    printf("\n");
}

static void compare(const char *path)
{
    static struct result ours, libcs;

    for (size_t i = 0; i < CALLS; i++) {
        const struct call *call = &table[i];

        if (call->libcs.address == NULL)
            continue; /* not of this libc */
        /* The kernel first in one half of the cases, so that neither profits from the other. */
        if (pick(2) == 0) {
            run(call, call->ours, path, &ours);
            run(call, call->libcs, path, &libcs);
        } else {
            run(call, call->libcs, path, &libcs);
            run(call, call->ours, path, &ours);
        }
        calls++;
        if (ours.value != libcs.value || ours.error != libcs.error ||
            ours.error_kept != libcs.error_kept ||
            memcmp(ours.bytes, libcs.bytes, sizeof(ours.bytes)) != 0)
            report(call, path, &ours, &libcs);
    }
}

static void add_path(const char *path)
{
    if (path_count == path_capacity) {
        path_capacity = path_capacity * 2 + 1024;
        paths = realloc(paths, path_capacity * sizeof(*paths));
        if (paths == NULL)
            abort();
    }
    paths[path_count++] = strdup(path);
}

/* Symlinks are not followed: what leads out of the image is somebody else's. */
static void collect(const char *dir)
{
    DIR *open_dir = opendir(dir);
    struct dirent *entry;

    add_path(dir);
    while (open_dir != NULL && (entry = readdir(open_dir)) != NULL) {
        char *path;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            asprintf(&path, "%s/%s", dir, entry->d_name) < 0)
            continue;
        if (entry->d_type == DT_DIR)
            collect(path);
        else
            add_path(path);
        free(path);
    }
    if (open_dir != NULL)
        closedir(open_dir);
}

static void insert(char *path, size_t at, const char *text)
{
    size_t len = strlen(text);

    if (strlen(path) + len >= PATH_ROOM)
        return;
    memmove(path + at + len, path + at, strlen(path + at) + 1);
    memcpy(path + at, text, len);
}

/* A place behind the root where a component ends. */
static size_t pick_slash(const char *path)
{
    size_t len = strlen(path), from = strlen(root);
    size_t at = from + pick(len - from + 1);

    while (at < len && path[at] != '/')
        at++;
    return at;
}

static void lengthen(char *path)
{
    static const size_t lengths[] = {254, 255, 256, 257, 300, 1000, 1100};
    char name[1200] = "/";
    size_t len = lengths[pick(sizeof(lengths) / sizeof(lengths[0]))];

    memset(name + 1, 'n', len);
    name[len + 1] = '\0';
    insert(path, pick_slash(path), name);
}

/* To lengths about PATH_MAX. */
static void inflate(char *path)
{
    size_t want = 4080 + pick(32);

    while (strlen(path) + 2 <= want)
        insert(path, strlen(root), strlen(path) + 3 <= want && pick(2) == 0 ? "/." : "//");
}

static void flip(char *path)
{
    size_t len = strlen(path), from = strlen(root) + 1;

    if (len > from)
        path[from + pick(len - from)] = (char)(1 + pick(255));
}

static void shorten(char *path)
{
    size_t len = strlen(path), from = strlen(root) + 1;

    if (len > from)
        path[from + pick(len - from)] = '\0';
}

/* A component of another path. */
static void borrow(char *path)
{
    const char *other = paths[pick(path_count)];
    const char *slash = strrchr(other, '/');
    size_t at = pick_slash(path);

    if (pick(2) == 0)
        path[at] = '\0';
    insert(path, at, slash);
}

static void mutate(char *path)
{
    static const char *const texts[] = {
        "/",       "//",          "/.",
        "/..",     "/../..",      ".rb",
        ".so",     "/version.rb", "/lib",
        "/absent", "/absent/no",  "/. ",
        "/...",    "/.a",         "/..a",
        "x",       "/lib/../",    "/./",
        "/../lib", "/absent/..",  "/.rucksack/names",
    };

    switch (pick(8)) {
    case 0:
        lengthen(path);
        break;
    case 1:
        flip(path);
        break;
    case 2:
        shorten(path);
        break;
    case 3:
    case 4:
        borrow(path);
        break;
    default:
        insert(path, pick(2) == 0 ? strlen(path) : pick_slash(path),
               texts[pick(sizeof(texts) / sizeof(texts[0]))]);
    }
    if (pick(50) == 0)
        inflate(path);
}

static bool find_functions(const char *libc_name)
{
    void *libc = dlopen(libc_name, RTLD_NOW | RTLD_NOLOAD);
    bool is_writable = access(root, W_OK) == 0;
    size_t interposed = 0;

    for (size_t i = 0; libc != NULL && i < CALLS; i++) {
        table[i].libcs.address = dlsym(libc, table[i].name);
        table[i].ours.address = dlsym(RTLD_DEFAULT, table[i].name);
        interposed += table[i].ours.address != table[i].libcs.address;
        if (is_writable && table[i].shape == OPEN && (table[i].a & O_CREAT) != 0)
            table[i].libcs.address = NULL;
    }
    if (interposed < CALLS)
        printf("# %zu of %d functions are interposed\n", interposed, CALLS);
    return interposed == CALLS;
}

int names_differ(const char *top, const char *libc_name, unsigned long mutations,
                 unsigned long seed)
{
    static char path[PATH_ROOM];

    root = top;
    state = seed * 2 + 1;
    if (!find_functions(libc_name))
        return -1;
    collect(root);
    for (size_t i = 0; i < path_count; i++)
        compare(paths[i]);
    for (unsigned long i = 0; i < mutations; i++) {
        strcpy(path, paths[pick(path_count)]);
        for (size_t times = 1 + pick(3); times > 0; times--)
            mutate(path);
        compare(path);
    }
    printf("seed %lu: %zu paths, %lu mutations, %lu calls, %lu differences\n", seed, path_count,
           mutations, calls, differences);
    fflush(stdout);
    return differences == 0 ? 0 : 1;
}
