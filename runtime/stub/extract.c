/* SPDX-License-Identifier: MIT */
#include "runtime/stub/extract.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "runtime/stub/sqfs.h"

enum { CHUNK = 1 << 20, OPEN_DIR = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };

/* A growing set of refs, open addressing; with a path for those that may be linked to. */
struct seen {
    struct seen_slot {
        bool used;
        uint64_t ref;
        char *path;
    } * slots;
    size_t capacity; /* a power of two */
    size_t count;
};

struct walk {
    struct sqfs_image *image;
    const struct extract_options *options;
    FILE *list; /* print instead of unpacking */
    int root_fd;
    struct seen directories;
    struct seen links;
    char *path; /* of the entry at hand, relative to the root */
    size_t path_capacity;
    char *chunk;
    size_t count;
};

static bool no_memory(struct err *err)
{
    errno = ENOMEM;
    return err_sys(err, "unpacking");
}

static struct seen_slot *seen_find(struct seen *seen, uint64_t ref)
{
    size_t mask = seen->capacity - 1;
    size_t at = (size_t)(ref * UINT64_C(0x9E3779B97F4A7C15) >> 20) & mask;

    while (seen->slots[at].used && seen->slots[at].ref != ref)
        at = (at + 1) & mask;
    return &seen->slots[at];
}

static bool seen_grow(struct seen *seen)
{
    struct seen grown = {.capacity = seen->capacity == 0 ? 256 : seen->capacity * 2,
                         .count = seen->count};

    grown.slots = calloc(grown.capacity, sizeof(*grown.slots));
    if (grown.slots == NULL)
        return false;
    for (size_t i = 0; i < seen->capacity; i++)
        if (seen->slots[i].used)
            *seen_find(&grown, seen->slots[i].ref) = seen->slots[i];
    free(seen->slots);
    *seen = grown;
    return true;
}

/* The slot of ref, new (not used) or old; NULL when out of memory. */
static struct seen_slot *seen_slot(struct seen *seen, uint64_t ref)
{
    if (seen->count >= seen->capacity / 2 && !seen_grow(seen))
        return NULL;
    return seen_find(seen, ref);
}

static void seen_release(struct seen *seen)
{
    for (size_t i = 0; i < seen->capacity; i++)
        free(seen->slots[i].path);
    free(seen->slots);
}

/* Puts name behind the first parent_len bytes of the path. */
static bool set_path(struct walk *walk, size_t parent_len, const struct sqfs_entry *entry)
{
    size_t need = parent_len + entry->name_len + 2;

    if (need > walk->path_capacity) {
        char *grown = realloc(walk->path, need * 2);

        if (grown == NULL)
            return false;
        walk->path = grown;
        walk->path_capacity = need * 2;
    }
    if (parent_len > 0)
        walk->path[parent_len++] = '/';
    memcpy(walk->path + parent_len, entry->name, entry->name_len + 1);
    return true;
}

/* What is in the way goes: it is the user's own older copy, or a trap. */
static void clear_way(int dir_fd, const char *name)
{
    if (unlinkat(dir_fd, name, 0) != 0 && (errno == EISDIR || errno == EPERM))
        extract_remove(dir_fd, name);
}

static bool all_zero(const char *bytes, size_t size)
{
    return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

static bool write_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t put = write(fd, bytes, size);

        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return false;
        bytes += put;
        size -= (size_t)put;
    }
    return true;
}

/* Holes stay holes: an image may promise far more zeros than the disk holds. */
static bool copy_data(struct walk *walk, const struct sqfs_node *node, int fd, struct err *err)
{
    uint64_t offset = 0;

    while (offset < node->size) {
        size_t got;

        if (!sqfs_image_read(walk->image, node->ref, offset, walk->chunk, CHUNK, &got, err))
            return err_wrap(err, "'%s'", walk->path);
        if (all_zero(walk->chunk, got) ? lseek(fd, (off_t)got, SEEK_CUR) < 0
                                       : !write_all(fd, walk->chunk, got))
            return err_sys(err, "'%s'", walk->path);
        offset += got;
    }
    if (ftruncate(fd, (off_t)node->size) != 0)
        return err_sys(err, "'%s'", walk->path);
    return true;
}

static mode_t final_mode(const struct walk *walk, const struct sqfs_node *node)
{
    return node->mode & (walk->options->plain ? 0777 : 07777);
}

static void final_times(const struct sqfs_node *node, struct timespec ret[2])
{
    ret[0] = ret[1] = (struct timespec){.tv_sec = node->mtime};
}

/* Not everybody may set these, nor does every file system have them: then they are left out. */
static bool set_xattrs(struct walk *walk, const struct sqfs_node *node, int fd, struct err *err)
{
    struct sqfs_xattrs xattrs;

    if (!sqfs_image_xattrs(walk->image, node->ref, &xattrs, err))
        return err_wrap(err, "'%s'", walk->path);
    for (size_t i = 0; i < xattrs.count; i++) {
        const struct sqfs_xattr *xattr = &xattrs.entries[i];

        (void)fsetxattr(fd, xattr->name, xattr->value, xattr->value_size, 0);
    }
    sqfs_xattrs_release(&xattrs);
    return true;
}

/* The mode comes last: without write permission, no attribute could be set. */
static bool finish(struct walk *walk, const struct sqfs_node *node, int fd, struct err *err)
{
    struct timespec times[2];

    if (!walk->options->plain && !set_xattrs(walk, node, fd, err))
        return false;
    final_times(node, times);
    if (fchmod(fd, final_mode(walk, node)) != 0 || futimens(fd, times) != 0)
        return err_sys(err, "'%s'", walk->path);
    return true;
}

static bool unpack_file(struct walk *walk, const struct sqfs_node *node, int dir_fd,
                        const char *name, struct err *err)
{
    cleanup_fd int fd = -1;

    clear_way(dir_fd, name);
    fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_sys(err, "cannot create '%s'", walk->path);
    return copy_data(walk, node, fd, err) && finish(walk, node, fd, err);
}

static bool unpack_symlink(struct walk *walk, const struct sqfs_node *node, int dir_fd,
                           const char *name, struct err *err)
{
    cleanup_free char *target = NULL;
    struct timespec times[2];

    if (!sqfs_image_target(walk->image, node->ref, &target, err))
        return err_wrap(err, "'%s'", walk->path);
    clear_way(dir_fd, name);
    if (symlinkat(target, dir_fd, name) != 0)
        return err_sys(err, "cannot create '%s'", walk->path);
    final_times(node, times);
    (void)utimensat(dir_fd, name, times, AT_SYMLINK_NOFOLLOW);
    return true;
}

/* Not everybody may make these; an image that has them runs without. */
static bool unpack_special(struct walk *walk, const struct sqfs_node *node, int dir_fd,
                           const char *name)
{
    struct timespec times[2];

    if (walk->options->plain && (S_ISCHR(node->mode) || S_ISBLK(node->mode)))
        return true;
    clear_way(dir_fd, name);
    if (mknodat(dir_fd, name, node->mode, makedev(node->major, node->minor)) != 0)
        return true;
    final_times(node, times);
    (void)fchmodat(dir_fd, name, final_mode(walk, node), 0);
    (void)utimensat(dir_fd, name, times, AT_SYMLINK_NOFOLLOW);
    return true;
}

/* A file with several names: the first is unpacked, the others are linked to it. */
static bool unpack_linked(struct walk *walk, const struct sqfs_node *node, int dir_fd,
                          const char *name, struct err *err)
{
    struct seen_slot *slot = seen_slot(&walk->links, node->ref);

    if (slot == NULL)
        return no_memory(err);
    if (slot->used) {
        clear_way(dir_fd, name);
        if (linkat(walk->root_fd, slot->path, dir_fd, name, 0) == 0)
            return true;
        return unpack_file(walk, node, dir_fd, name, err);
    }
    *slot = (struct seen_slot){true, node->ref, strdup(walk->path)};
    walk->links.count++;
    if (slot->path == NULL)
        return no_memory(err);
    return unpack_file(walk, node, dir_fd, name, err);
}

static bool unpack_leaf(struct walk *walk, const struct sqfs_node *node, int dir_fd,
                        const char *name, struct err *err)
{
    if (S_ISREG(node->mode))
        return node->nlink > 1 ? unpack_linked(walk, node, dir_fd, name, err)
                               : unpack_file(walk, node, dir_fd, name, err);
    if (S_ISLNK(node->mode))
        return unpack_symlink(walk, node, dir_fd, name, err);
    return unpack_special(walk, node, dir_fd, name);
}

/* Opens a real directory of that name; anything else in its place is removed. */
static int make_directory(int dir_fd, const char *name)
{
    int fd;

    if (mkdirat(dir_fd, name, 0700) == 0)
        return openat(dir_fd, name, OPEN_DIR);
    fd = openat(dir_fd, name, OPEN_DIR);
    if (fd >= 0) {
        /* An older copy may have been read-only. */
        (void)fchmod(fd, 0700);
        return fd;
    }
    if (unlinkat(dir_fd, name, 0) != 0 || mkdirat(dir_fd, name, 0700) != 0)
        return -1;
    return openat(dir_fd, name, OPEN_DIR);
}

/* A directory is entered once: more than one name for it is a loop or a bomb. */
static bool enter_directory(struct walk *walk, uint64_t ref, int depth, struct err *err)
{
    struct seen_slot *slot = seen_slot(&walk->directories, ref);

    if (slot == NULL)
        return no_memory(err);
    if (slot->used || depth > EXTRACT_DEPTH_MAX) {
        (void)err_set(err, ERR_INPUT, "the image is damaged: '%s' is a directory without end",
                      walk->path);
        return err_id(err, "E-IMAGE");
    }
    *slot = (struct seen_slot){.used = true, .ref = ref};
    walk->directories.count++;
    return true;
}

/* Whether a path is wanted; a directory that matches brings its subtree. */
static bool wanted(const struct walk *walk, bool inherited)
{
    const char *pattern = walk->options->pattern;

    return inherited || pattern == NULL || fnmatch(pattern, walk->path, 0) == 0;
}

static bool walk_directory(struct walk *walk, uint64_t ref, int dir_fd, size_t path_len, int depth,
                           bool inherited, struct err *err);

/*
 * With a pattern, directories are made only when something in them is wanted. That is not known
 * before they have been searched, so they are made first and removed again while empty.
 */
static bool unpack_directory(struct walk *walk, const struct sqfs_node *node, int dir_fd,
                             const char *name, int depth, bool inherited, struct err *err)
{
    cleanup_fd int fd = -1;
    size_t before = walk->count;
    size_t path_len = strlen(walk->path);
    bool match = wanted(walk, inherited);

    if (!enter_directory(walk, node->ref, depth, err))
        return false;
    if (match)
        walk->count++;
    fd = make_directory(dir_fd, name);
    if (fd < 0)
        return err_sys(err, "cannot create '%s'", walk->path);
    if (!walk_directory(walk, node->ref, fd, path_len, depth, match, err))
        return false;
    walk->path[path_len] = '\0';
    if (walk->count == before) {
        (void)unlinkat(dir_fd, name, AT_REMOVEDIR);
        return true;
    }
    return finish(walk, node, fd, err);
}

static bool print_path(struct walk *walk, const struct sqfs_node *node, int depth, struct err *err)
{
    size_t path_len = strlen(walk->path);

    if (fprintf(walk->list, "%s\n", walk->path) < 0)
        return err_sys(err, "cannot write the list");
    if (!S_ISDIR(node->mode))
        return true;
    return enter_directory(walk, node->ref, depth, err) &&
           walk_directory(walk, node->ref, -1, path_len, depth, true, err);
}

static bool walk_directory(struct walk *walk, uint64_t ref, int dir_fd, size_t path_len, int depth,
                           bool inherited, struct err *err)
{
    struct sqfs_list list;
    bool ok = true;

    if (!sqfs_image_list(walk->image, ref, &list, err))
        return err_wrap(err, "'%s'", walk->path);
    for (size_t i = 0; ok && i < list.count; i++) {
        const struct sqfs_entry *entry = &list.entries[i];
        struct sqfs_node node;

        if (!set_path(walk, path_len, entry))
            ok = no_memory(err);
        else if (!sqfs_image_node(walk->image, entry->ref, &node, err))
            ok = err_wrap(err, "'%s'", walk->path);
        else if (walk->list != NULL)
            ok = print_path(walk, &node, depth + 1, err);
        else if (S_ISDIR(node.mode))
            ok = unpack_directory(walk, &node, dir_fd, entry->name, depth + 1, inherited, err);
        else if (wanted(walk, inherited)) {
            walk->count++;
            ok = unpack_leaf(walk, &node, dir_fd, entry->name, err);
        }
    }
    sqfs_list_release(&list);
    return ok;
}

static bool run_walk(struct walk *walk, struct err *err)
{
    uint64_t root = sqfs_image_root(walk->image);
    struct sqfs_node node;
    bool ok;

    walk->chunk = malloc(CHUNK);
    walk->path = calloc(1, 1);
    walk->path_capacity = 1;
    ok = walk->chunk != NULL && walk->path != NULL;
    if (!ok)
        (void)no_memory(err);
    ok = ok && enter_directory(walk, root, 0, err) &&
         walk_directory(walk, root, walk->root_fd, 0, 0, false, err) &&
         sqfs_image_node(walk->image, root, &node, err);
    if (ok && walk->list == NULL && walk->options->pattern == NULL) {
        walk->path[0] = '\0';
        ok = finish(walk, &node, walk->root_fd, err);
    }
    seen_release(&walk->directories);
    seen_release(&walk->links);
    free(walk->chunk);
    free(walk->path);
    return ok;
}

bool extract_tree(struct sqfs_image *image, int target_fd, const struct extract_options *options,
                  size_t *ret_count, struct err *err)
{
    struct walk walk = {.image = image, .options = options, .root_fd = target_fd};

    if (!run_walk(&walk, err))
        return false;
    if (ret_count != NULL)
        *ret_count = walk.count;
    return true;
}

bool extract_list(struct sqfs_image *image, FILE *out, struct err *err)
{
    static const struct extract_options all = {0};
    struct walk walk = {.image = image, .options = &all, .list = out, .root_fd = -1};

    return run_walk(&walk, err);
}

void extract_remove(int dir_fd, const char *name)
{
    cleanup_dir DIR *dir = NULL;
    const struct dirent *entry;
    int fd = openat(dir_fd, name, OPEN_DIR);

    if (fd < 0) {
        (void)unlinkat(dir_fd, name, 0);
        return;
    }
    /* Images carry directories without write permission. */
    (void)fchmod(fd, 0700);
    dir = fdopendir(fd);
    if (dir == NULL) {
        (void)close(fd);
        return;
    }
    while ((entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (entry->d_type == DT_DIR || unlinkat(dirfd(dir), entry->d_name, 0) != 0)
            extract_remove(dirfd(dir), entry->d_name);
    }
    (void)unlinkat(dir_fd, name, AT_REMOVEDIR);
}
