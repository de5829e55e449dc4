/* SPDX-License-Identifier: MIT */
/*
 * The image's name space from memory. An image never changes, so its name table
 * (common/nametable.h) says what the kernel would: that a path is absent, what stat(2), access(2)
 * and readlink(2) tell. Most of a start's system calls are such questions, and by FUSE each new one
 * is a change of processes.
 *
 * Only absolute paths below the image's root are answered. Symlinks, "." and ".." are resolved in
 * the table; what leads out of the image (state does) or is anything but ordinary is passed on. A
 * table is used only where it must be right:
 *
 * - on a mount: squashfs or FUSE, read-only, with as many inodes, the table itself at its inode. In
 *   an unpacked tree the user may write, so there the kernel is asked;
 * - as long as the process has one user and group, and stays in the mount namespace and root that
 *   it began in: after chroot(2), unshare(2), mount(2), setuid(2) and the like it is off for good
 *   (confine.c).
 *
 * One difference to the kernel is left: a process without a free descriptor is told ENOENT, not
 * EMFILE, when it opens what is absent. Everything here is read-only after names_init() but a flag
 * and a cache of one bit: signal handlers, threads and forked children may all ask. The table may
 * be damaged: each number of it is checked before it is used.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/launchfile.h"
#include "common/nametable.h"
#include "guest.h"

enum {
    PARTS_MAX = 64,  /* components of a path that is looked up at once */
    DEPTH_MAX = 130, /* of an image: 128 directories */
    LINKS_MAX = 40,  /* MAXSYMLINKS; the kernel says ELOOP */
    FLAG_RDONLY = 1, /* of struct statfs: ST_RDONLY, ST_NOEXEC */
    FLAG_NOEXEC = 8,
    /* What every file system can tell: with others statx(2) may say more, or something else. */
    STATX_ORDINARY = STATX_BASIC_STATS | STATX_BTIME,
};

static struct {
    const struct nametable_header *header;
    const struct nametable_entry *entries;
    const uint32_t *slots;
    const char *strings;
    struct statx file; /* the table's own: what all files of the mount share */
    dev_t device;
    bool is_fuse;
    bool is_noexec;
} table;

static char table_path[GUEST_PATH_MAX];
static atomic_bool is_on;
/* Whether guest_root is what realpath(3) makes of it. */
static _Atomic enum { ROOT_UNKNOWN, ROOT_REAL, ROOT_OTHER } root_state;

enum found { PASSED, ABSENT, FOUND };

void names_record(const struct launchfile_record *record)
{
    if (launchfile_is(record, "names", 1) && !guest_path(table_path, record->fields[1]))
        table_path[0] = '\0';
}

void names_off(void)
{
    atomic_store(&is_on, false);
}

/* One user and one group: access(2) and the file system see the same, and no one else's mount. */
static bool has_one_identity(void)
{
    return getauxval(AT_UID) == getauxval(AT_EUID) && getauxval(AT_GID) == getauxval(AT_EGID);
}

/* squashfs_read_inode() in fs/squashfs/inode.c counts them for regular files only. */
static uint64_t blocks_of(const struct nametable_entry *entry)
{
    return table.is_fuse || S_ISREG(entry->mode) ? (entry->size + 511) / 512 : 0;
}

/* Some other server of FUSE may serve our image, and count in another way. */
static bool is_our_mount(const struct statfs *fs, const struct statx *file)
{
    const struct nametable_entry *self = &table.entries[table.header->self];

    return (fs->f_type == SQUASHFS_MAGIC || fs->f_type == FUSE_SUPER_MAGIC) &&
           (fs->f_flags & FLAG_RDONLY) != 0 && fs->f_files == table.header->count &&
           file->stx_ino == (uint64_t)table.header->self + 1 &&
           file->stx_mtime.tv_sec == table.header->mtime && file->stx_mode == self->mode &&
           file->stx_size == self->size && file->stx_blocks == blocks_of(self);
}

/* As the kernel gives it to stat(2): new_encode_dev() in include/linux/kdev_t.h. */
static dev_t device_of(const struct statx *file)
{
    uint32_t major = file->stx_dev_major;
    uint32_t minor = file->stx_dev_minor;

    return (minor & 0xff) | major << 8 | (minor & ~UINT32_C(0xff)) << 12;
}

static bool map_table(int fd)
{
    struct statfs fs;
    void *mapped;

    /* By number: a libc before glibc 2.33 has no fstat(), and musl had no statx(). */
    if (syscall(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &table.file) != 0 ||
        fstatfs(fd, &fs) != 0 || table.file.stx_size < sizeof(struct nametable_header) ||
        table.file.stx_size > SIZE_MAX / 2)
        return false;
    mapped = mmap(NULL, (size_t)table.file.stx_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (mapped == MAP_FAILED)
        return false;
    table.header = mapped;
    table.entries = (const struct nametable_entry *)(table.header + 1);
    table.is_fuse = fs.f_type == FUSE_SUPER_MAGIC;
    if (!nametable_is_valid(table.header, table.file.stx_size) || !is_our_mount(&fs, &table.file)) {
        munmap(mapped, (size_t)table.file.stx_size);
        return false;
    }
    table.slots =
        (const uint32_t *)(const void *)((const char *)mapped + nametable_slots_at(table.header));
    table.strings = (const char *)mapped + nametable_strings_at(table.header);
    table.device = device_of(&table.file);
    table.is_noexec = (fs.f_flags & FLAG_NOEXEC) != 0;
    return true;
}

void names_init(void)
{
    int kept = errno;
    int fd;

    /* With the image as the root of everything, the table does not know what is mounted in it. */
    if (table_path[0] == '\0' || guest_root_len == 0 || !has_one_identity())
        return;
    fd = open(table_path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        atomic_store(&is_on, map_table(fd));
        close(fd);
    }
    errno = kept;
}

/* ---- entries ---- */

/* A text of the table, or NULL when it does not lie inside. */
static const char *text_at(uint64_t offset, uint64_t len)
{
    return offset <= table.header->strings_size && len <= table.header->strings_size - offset
               ? table.strings + offset
               : NULL;
}

static bool is_dir(uint32_t index)
{
    return S_ISDIR(table.entries[index].mode);
}

static bool is_link(uint32_t index)
{
    return S_ISLNK(table.entries[index].mode);
}

static uint32_t name_len(uint32_t index)
{
    return nametable_name_len(table.header, table.entries, index);
}

static bool is_named(uint32_t index, const char *name, size_t len)
{
    const char *text = text_at(table.entries[index].name, len);

    return text != NULL && name_len(index) == len && memcmp(text, name, len) == 0;
}

/* Whether the entry's path is that one, seen from its end. */
static bool has_path(uint32_t index, const char *path, size_t len)
{
    for (;;) {
        size_t last;

        if (index >= table.header->count)
            return false;
        last = name_len(index);
        if (last == 0 || last > len || !is_named(index, path + len - last, last))
            return false;
        len -= last;
        index = table.entries[index].parent;
        if (len == 0)
            return index == 0;
        if (path[--len] != '/')
            return false;
    }
}

/* The entries of one hash, one after the other: start with *probe 0. 0 when there are no more. */
static uint32_t next_of_hash(uint64_t hash, uint32_t *probe)
{
    uint32_t mask = (UINT32_C(1) << table.header->slot_bits) - 1;
    uint32_t at = nametable_slot(hash, table.header->slot_bits);

    while (*probe <= table.header->probe_max) {
        uint32_t index = table.slots[(at + (*probe)++) & mask];

        if (index == 0 || index < table.header->count)
            return index;
    }
    return 0;
}

/* 0, the root, when there is no such entry. */
static uint32_t find_path(uint64_t hash, const char *path, size_t len)
{
    uint32_t probe = 0;
    uint32_t index;

    while ((index = next_of_hash(hash, &probe)) != 0)
        if (has_path(index, path, len))
            break;
    return index;
}

/* hash is of the child's path. */
static uint32_t find_child(uint64_t hash, uint32_t dir, const char *name, size_t len)
{
    uint32_t probe = 0;
    uint32_t index;

    while ((index = next_of_hash(hash, &probe)) != 0)
        if (table.entries[index].parent == dir && is_named(index, name, len))
            break;
    return index;
}

/* ---- paths ---- */

static enum found absent(int why)
{
    errno = why;
    return ABSENT;
}

/* Where a walk is: the entries from the root to here, with the hashes of their paths. */
struct walk {
    const char *rest;
    size_t depth;
    uint32_t links;
    uint32_t at[DEPTH_MAX];
    uint64_t hashes[DEPTH_MAX];
    char text[GUEST_PATH_MAX]; /* what rest points into after a symlink */
};

/* Puts a symlink's target in front of the rest. False when that must be left to the kernel. */
static bool enter_link(struct walk *walk, uint32_t link)
{
    const struct nametable_entry *entry = &table.entries[link];
    const char *target = text_at(entry->extra, entry->size);
    size_t rest_len = strlen(walk->rest);

    if (target == NULL || entry->size == 0 || target[0] == '/' || ++walk->links > LINKS_MAX ||
        entry->size >= sizeof(walk->text) - rest_len)
        return false;
    memmove(walk->text + entry->size, walk->rest, rest_len + 1);
    memcpy(walk->text, target, (size_t)entry->size);
    walk->rest = walk->text;
    return true;
}

/* One component that is neither "." nor "..". */
static enum found step(struct walk *walk, const char *name, size_t len, bool follow)
{
    uint64_t hash = walk->hashes[walk->depth];
    uint32_t child;

    if (len > NAMETABLE_NAME_MAX || walk->depth + 1 >= DEPTH_MAX)
        return PASSED;
    if (walk->depth > 0)
        hash = nametable_hash_byte(hash, '/');
    hash = nametable_hash(hash, name, len);
    child = find_child(hash, walk->at[walk->depth], name, len);
    if (child == 0)
        return absent(ENOENT);
    if (is_link(child) && (follow || *walk->rest == '/'))
        return enter_link(walk, child) ? FOUND : PASSED;
    walk->depth++;
    walk->at[walk->depth] = child;
    walk->hashes[walk->depth] = hash;
    return FOUND;
}

/* Component by component, as link_path_walk() in fs/namei.c does. */
static enum found walk_path(struct walk *walk, const char *path, bool follow, uint32_t *ret)
{
    walk->rest = path;
    walk->depth = 0;
    walk->links = 0;
    walk->at[0] = 0;
    walk->hashes[0] = nametable_hash_empty;
    for (;;) {
        const char *name;
        size_t len;
        enum found found;

        if (*walk->rest == '/' && !is_dir(walk->at[walk->depth]))
            return absent(ENOTDIR);
        while (*walk->rest == '/')
            walk->rest++;
        if (*walk->rest == '\0')
            break;
        name = walk->rest;
        len = strcspn(name, "/");
        walk->rest += len;
        if (len == 1 && name[0] == '.')
            continue;
        if (len == 2 && name[0] == '.' && name[1] == '.') {
            if (walk->depth == 0)
                return PASSED; /* out of the image */
            walk->depth--;
            continue;
        }
        found = step(walk, name, len, follow);
        if (found != FOUND)
            return found;
    }
    *ret = walk->at[walk->depth];
    return *ret != 0 ? FOUND : PASSED; /* the root may be a mount point with a word of its own */
}

/* A path as one looks it up at once: "app/config.ru". */
struct plain {
    size_t count;
    uint16_t ends[PARTS_MAX];   /* of its components, ... */
    uint64_t hashes[PARTS_MAX]; /* ... and of the path up to there */
};

/* False: it has ".", "..", an empty component, or more than fit. */
static bool split(struct plain *plain, const char *path)
{
    uint64_t hash = nametable_hash_empty;
    size_t start = 0;

    plain->count = 0;
    for (size_t i = 0;; i++) {
        if (path[i] == '/' || path[i] == '\0') {
            size_t len = i - start;

            if (len == 0 || len > NAMETABLE_NAME_MAX || plain->count == PARTS_MAX ||
                (path[start] == '.' && (len == 1 || (len == 2 && path[start + 1] == '.'))))
                return false;
            plain->ends[plain->count] = (uint16_t)i;
            plain->hashes[plain->count++] = hash;
            if (path[i] == '\0')
                return true;
            start = i + 1;
        }
        hash = nametable_hash_byte(hash, path[i]);
    }
}

/* The walk needs much more of the stack than most calls do. */
[[gnu::noinline]] static enum found find_slowly(const char *path, bool follow, uint32_t *ret)
{
    struct walk walk;

    return walk_path(&walk, path, follow, ret);
}

static enum found find_below(const char *path, bool follow, uint32_t *ret)
{
    struct plain plain;

    if (!split(&plain, path))
        return find_slowly(path, follow, ret);
    for (size_t i = plain.count; i-- > 0;) {
        uint32_t index = find_path(plain.hashes[i], path, plain.ends[i]);

        if (index == 0)
            continue;
        if (i + 1 == plain.count && !(follow && is_link(index))) {
            *ret = index;
            return FOUND;
        }
        /* The longest part of it that is there. */
        return is_link(index) ? find_slowly(path, follow, ret)
                              : absent(is_dir(index) ? ENOENT : ENOTDIR);
    }
    return absent(ENOENT);
}

/* What is at the path; with ABSENT, errno says why. */
static enum found find(const char *path, bool follow, uint32_t *ret)
{
    if (!atomic_load_explicit(&is_on, memory_order_acquire) || path == NULL ||
        strncmp(path, guest_root, guest_root_len) != 0 || path[guest_root_len] != '/' ||
        strnlen(path, GUEST_PATH_MAX) >= GUEST_PATH_MAX)
        return PASSED;
    return find_below(path + guest_root_len + 1, follow, ret);
}

/* ---- answers ---- */

bool names_absent(const char *path, bool follow)
{
    uint32_t index;

    return find(path, follow, &index) == ABSENT;
}

bool names_no_dir(const char *path)
{
    uint32_t index;
    enum found found = find(path, true, &index);

    if (found == FOUND && !is_dir(index))
        found = absent(ENOTDIR);
    return found == ABSENT;
}

static uint32_t links_of(const struct nametable_entry *entry)
{
    return S_ISDIR(entry->mode) ? entry->extra : 1;
}

/* Whether the table answers; found or not, *ret is the call's result. */
static bool settle(enum found found, int *ret)
{
    *ret = found == FOUND ? 0 : -1;
    return found != PASSED;
}

bool names_stat(const char *path, bool follow, struct stat *st, int *ret)
{
    uint32_t index;
    enum found found = find(path, follow, &index);
    const struct nametable_entry *entry;

    if (found != FOUND)
        return settle(found, ret);
    entry = &table.entries[index];
    memset(st, 0, sizeof(*st));
    st->st_dev = table.device;
    st->st_ino = index + 1;
    st->st_mode = entry->mode;
    st->st_nlink = links_of(entry);
    st->st_uid = table.file.stx_uid;
    st->st_gid = table.file.stx_gid;
    st->st_size = (off_t)entry->size;
    st->st_blksize = (blksize_t)table.file.stx_blksize;
    st->st_blocks = (blkcnt_t)blocks_of(entry);
    st->st_atim.tv_sec = table.header->mtime;
    st->st_mtim.tv_sec = table.header->mtime;
    st->st_ctim.tv_sec = table.header->mtime;
    return settle(found, ret);
}

bool names_statat(const char *path, int flags, struct stat *st, int *ret)
{
    if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH)) != 0)
        return false;
    return names_stat(path, (flags & AT_SYMLINK_NOFOLLOW) == 0, st, ret);
}

bool names_statx(const char *path, int flags, unsigned int mask, struct statx *st, int *ret)
{
    uint32_t index;
    enum found found;
    const struct nametable_entry *entry;

    if ((mask & ~(unsigned int)STATX_ORDINARY) != 0 ||
        (flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_DONT_SYNC)) !=
            0)
        return false;
    found = find(path, (flags & AT_SYMLINK_NOFOLLOW) == 0, &index);
    if (found != FOUND)
        return settle(found, ret);
    entry = &table.entries[index];
    memcpy(st, &table.file, sizeof(*st));
    st->stx_ino = (uint64_t)index + 1;
    st->stx_mode = entry->mode;
    st->stx_nlink = links_of(entry);
    st->stx_size = entry->size;
    st->stx_blocks = blocks_of(entry);
    return settle(found, ret);
}

/* Nothing can be written: sb_permission() in fs/namei.c says so before it looks at the mode. What
 * may be executed is left to the kernel where it depends on more than the mode: by FUSE without
 * default_permissions access(2) finds every file executable. */
bool names_access(const char *path, int mode, int *ret)
{
    uint32_t index;
    enum found found;
    unsigned int bits;

    if ((mode & ~(R_OK | W_OK | X_OK)) != 0)
        return false;
    found = find(path, true, &index);
    if (found != FOUND)
        return settle(found, ret);
    bits = table.entries[index].mode;
    if ((mode & W_OK) != 0)
        return settle(absent(EROFS), ret);
    if (((mode & R_OK) != 0 && (bits & 0444) != 0444) ||
        ((mode & X_OK) != 0 && ((bits & 0111) != 0111 || (!S_ISDIR(bits) && table.is_noexec))))
        return false;
    return settle(found, ret);
}

bool names_readlink(const char *path, char *text, size_t size, ssize_t *ret)
{
    uint32_t index;
    enum found found;
    const struct nametable_entry *entry;
    const char *target;

    if (size == 0 || size > INT_MAX)
        return false;
    *ret = -1;
    found = find(path, false, &index);
    if (found != FOUND)
        return found == ABSENT;
    entry = &table.entries[index];
    if (!is_link(index)) {
        errno = EINVAL;
        return true;
    }
    target = text_at(entry->extra, entry->size);
    if (target == NULL || entry->size == 0) /* of a damaged table: no kernel says 0 */
        return false;
    *ret = (ssize_t)(entry->size < size ? entry->size : size);
    memcpy(text, target, (size_t)*ret);
    return true;
}

/* The entry's path in the image, at the end of the buffer; NULL when it does not fit. */
static const char *path_of(uint32_t index, char buffer[GUEST_PATH_MAX])
{
    size_t at = GUEST_PATH_MAX - 1;

    buffer[at] = '\0';
    while (index != 0) {
        const struct nametable_entry *entry = &table.entries[index];
        uint32_t len = name_len(index);
        const char *name = text_at(entry->name, len);

        if (name == NULL || len == 0 || len >= at)
            return NULL;
        at -= len;
        memcpy(buffer + at, name, len);
        buffer[--at] = '/';
        index = entry->parent < table.header->count ? entry->parent : 0;
    }
    return buffer + at;
}

static bool root_is_real(realpath_function *next)
{
    char real[GUEST_PATH_MAX];

    if (root_state == ROOT_UNKNOWN) {
        int kept = errno;

        root_state = next(guest_root, real) != NULL && strcmp(real, guest_root) == 0 ? ROOT_REAL
                                                                                     : ROOT_OTHER;
        errno = kept;
    }
    return root_state == ROOT_REAL;
}

/* What cannot be resolved is left to libc, which has a say in what the buffer holds then. */
bool names_realpath(const char *path, char *resolved, realpath_function *next, char **ret)
{
    char buffer[GUEST_PATH_MAX];
    const char *below;
    uint32_t index;
    size_t len;
    int kept = errno;

    if (find(path, true, &index) != FOUND || !root_is_real(next)) {
        errno = kept;
        return false;
    }
    below = path_of(index, buffer);
    len = below != NULL ? strlen(below) : 0;
    if (len == 0 || guest_root_len + len >= GUEST_PATH_MAX)
        return false;
    *ret = resolved != NULL ? resolved : malloc(guest_root_len + len + 1);
    if (*ret == NULL)
        return true;
    memcpy(*ret, guest_root, guest_root_len);
    memcpy(*ret + guest_root_len, below, len + 1);
    return true;
}

/* Ruby asks of every source that it opens. The kernel would ask the file system. */
bool names_are_no_tty(int fd)
{
    struct stat st;
    int kept = errno;
    bool is_file = atomic_load_explicit(&is_on, memory_order_acquire) &&
                   syscall(SYS_fstat, fd, &st) == 0 && S_ISREG(st.st_mode) &&
                   st.st_dev == table.device;

    errno = is_file ? ENOTTY : kept;
    return is_file;
}
