/* SPDX-License-Identifier: MIT */
#include "runtime/stub/extract.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "runtime/stub/sqfs.h"
#include "runtime/stub/tree.h"
#include "runtime/stub/writer.h"

enum { OPEN_DIR = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };

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
    struct writer *writer;
    char *path; /* of the entry at hand, relative to the root */
    size_t path_capacity;
    size_t count;
};

/* The directory at hand. In one that we made nothing can be in the way. */
struct level {
    struct writer_dir *dir; /* NULL while listing */
    size_t path_len;
    int depth;
    bool fresh;
    bool inherited; /* wanted as a whole */
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
static void clear_way(const struct level *level, const char *name)
{
    if (!level->fresh)
        tree_remove(writer_dir_fd(level->dir), name);
}

static bool unpack_symlink(struct walk *walk, const struct sqfs_node *node,
                           const struct level *level, const char *name, struct err *err)
{
    const struct timespec times[2] = {{.tv_sec = node->mtime}, {.tv_sec = node->mtime}};
    int dir_fd = writer_dir_fd(level->dir);
    cleanup_free char *target = NULL;

    if (!sqfs_image_target(walk->image, node->ref, &target, err))
        return err_wrap(err, "'%s'", walk->path);
    clear_way(level, name);
    if (symlinkat(target, dir_fd, name) != 0)
        return err_sys(err, "cannot create '%s'", walk->path);
    (void)utimensat(dir_fd, name, times, AT_SYMLINK_NOFOLLOW);
    return true;
}

/* Not everybody may make these; an image that has them runs without. */
static void unpack_special(struct walk *walk, const struct sqfs_node *node,
                           const struct level *level, const char *name)
{
    const struct timespec times[2] = {{.tv_sec = node->mtime}, {.tv_sec = node->mtime}};
    int dir_fd = writer_dir_fd(level->dir);

    if (walk->options->plain && (S_ISCHR(node->mode) || S_ISBLK(node->mode)))
        return;
    clear_way(level, name);
    if (mknodat(dir_fd, name, node->mode, makedev(node->major, node->minor)) != 0)
        return;
    (void)fchmodat(dir_fd, name, node->mode & (walk->options->plain ? 0777 : 07777), 0);
    (void)utimensat(dir_fd, name, times, AT_SYMLINK_NOFOLLOW);
}

static bool unpack_file(struct walk *walk, const struct sqfs_node *node, const struct level *level,
                        const char *name, bool at_once, struct err *err)
{
    clear_way(level, name);
    return writer_add(walk->writer, level->dir, name, node, walk->path, at_once, err);
}

/* A file with several names: the first is unpacked, at once, and the others are linked to it. */
static bool unpack_linked(struct walk *walk, const struct sqfs_node *node,
                          const struct level *level, const char *name, struct err *err)
{
    struct seen_slot *slot = seen_slot(&walk->links, node->ref);

    if (slot == NULL)
        return no_memory(err);
    if (slot->used) {
        clear_way(level, name);
        return linkat(walk->root_fd, slot->path, writer_dir_fd(level->dir), name, 0) == 0 ||
               unpack_file(walk, node, level, name, true, err);
    }
    *slot = (struct seen_slot){true, node->ref, strdup(walk->path)};
    walk->links.count++;
    if (slot->path == NULL)
        return no_memory(err);
    return unpack_file(walk, node, level, name, true, err);
}

static bool unpack_leaf(struct walk *walk, const struct sqfs_node *node, const struct level *level,
                        const char *name, struct err *err)
{
    if (S_ISREG(node->mode))
        return node->nlink > 1 ? unpack_linked(walk, node, level, name, err)
                               : unpack_file(walk, node, level, name, false, err);
    if (S_ISLNK(node->mode))
        return unpack_symlink(walk, node, level, name, err);
    unpack_special(walk, node, level, name);
    return true;
}

/* Opens a real directory of that name; anything else in its place is removed. */
static int make_directory(const struct level *level, const char *name, bool *ret_fresh)
{
    int dir_fd = writer_dir_fd(level->dir);
    int fd;

    *ret_fresh = mkdirat(dir_fd, name, 0700) == 0;
    fd = openat(dir_fd, name, OPEN_DIR);
    if (fd >= 0) {
        /* An older copy may have been read-only. */
        if (!*ret_fresh)
            (void)fchmod(fd, 0700);
        return fd;
    }
    if (unlinkat(dir_fd, name, 0) != 0 || mkdirat(dir_fd, name, 0700) != 0)
        return -1;
    *ret_fresh = true;
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

static bool count_entry(struct walk *walk, struct err *err)
{
    FILE *names = walk->options->names;

    walk->count++;
    return names == NULL || fprintf(names, "%s/%s\n", walk->options->target, walk->path) >= 0 ||
           err_sys(err, "cannot write the names");
}

static bool walk_directory(struct walk *walk, uint64_t ref, const struct level *level,
                           struct err *err);

/*
 * With a pattern, directories are made only when something in them is wanted. That is not known
 * before they have been searched, so they are made first and removed again while empty.
 */
static bool unpack_directory(struct walk *walk, const struct sqfs_node *node,
                             const struct level *level, const char *name, struct err *err)
{
    struct level inner = {.path_len = strlen(walk->path), .depth = level->depth + 1};
    size_t before = walk->count;
    bool ok;
    int fd;

    inner.inherited = wanted(walk, level->inherited);
    if (!enter_directory(walk, node->ref, inner.depth, err) ||
        (inner.inherited && !count_entry(walk, err)))
        return false;
    fd = make_directory(level, name, &inner.fresh);
    if (fd < 0)
        return err_sys(err, "cannot create '%s'", walk->path);
    if (!writer_enter(walk->writer, level->dir, fd, name, node, walk->path, &inner.dir, err))
        return false;
    ok = walk_directory(walk, node->ref, &inner, err);
    writer_leave(walk->writer, inner.dir, !ok || walk->count > before);
    return ok;
}

static bool print_path(struct walk *walk, const struct sqfs_node *node, const struct level *level,
                       struct err *err)
{
    const struct level inner = {.path_len = strlen(walk->path), .depth = level->depth + 1};

    if (fprintf(walk->list, "%s\n", walk->path) < 0)
        return err_sys(err, "cannot write the list");
    return !S_ISDIR(node->mode) || (enter_directory(walk, node->ref, inner.depth, err) &&
                                    walk_directory(walk, node->ref, &inner, err));
}

static bool walk_entry(struct walk *walk, const struct sqfs_entry *entry, const struct level *level,
                       struct err *err)
{
    struct sqfs_node node;

    if (!set_path(walk, level->path_len, entry))
        return no_memory(err);
    if (!sqfs_image_node(walk->image, entry->ref, &node, err))
        return err_wrap(err, "'%s'", walk->path);
    if (walk->list != NULL)
        return print_path(walk, &node, level, err);
    if (S_ISDIR(node.mode))
        return unpack_directory(walk, &node, level, entry->name, err);
    return !wanted(walk, level->inherited) ||
           (count_entry(walk, err) && unpack_leaf(walk, &node, level, entry->name, err));
}

static bool walk_directory(struct walk *walk, uint64_t ref, const struct level *level,
                           struct err *err)
{
    struct sqfs_list list;
    bool ok = true;

    if (!sqfs_image_list(walk->image, ref, &list, err))
        return err_wrap(err, "'%s'", walk->path[0] != '\0' ? walk->path : "/");
    for (size_t i = 0; ok && i < list.count; i++)
        ok = walk_entry(walk, &list.entries[i], level, err);
    sqfs_list_release(&list);
    return ok;
}

static bool walk_root(struct walk *walk, const struct level *level, struct err *err)
{
    uint64_t root = sqfs_image_root(walk->image);

    return enter_directory(walk, root, 0, err) && walk_directory(walk, root, level, err);
}

static bool unpack_root(struct walk *walk, struct err *err)
{
    bool all = walk->options->pattern == NULL;
    struct level level = {.path_len = 0};
    struct sqfs_node node;
    bool ok;
    int fd;

    if (!sqfs_image_node(walk->image, sqfs_image_root(walk->image), &node, err))
        return false;
    fd = openat(walk->root_fd, ".", OPEN_DIR);
    if (fd < 0)
        return err_sys(err, "the target");
    if (!writer_enter(walk->writer, NULL, fd, ".", all ? &node : NULL, "", &level.dir, err))
        return false;
    ok = walk_root(walk, &level, err);
    writer_leave(walk->writer, level.dir, true);
    return ok;
}

static bool unpack(struct walk *walk, struct err *err)
{
    const struct writer_options options = {walk->options->plain, walk->options->stop};
    struct err first = {0};
    bool ok;

    if (!writer_new(&walk->writer, walk->image, &options, err))
        return false;
    ok = unpack_root(walk, err);
    if (!writer_end(walk->writer, ok ? err : &first))
        return false;
    return ok;
}

static bool run_walk(struct walk *walk, struct err *err)
{
    const struct level outermost = {.path_len = 0};
    bool ok;

    walk->path = calloc(1, 1);
    walk->path_capacity = 1;
    if (walk->path == NULL)
        return no_memory(err);
    ok = walk->list != NULL ? walk_root(walk, &outermost, err) : unpack(walk, err);
    seen_release(&walk->directories);
    seen_release(&walk->links);
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
