/* SPDX-License-Identifier: MIT */
#include "extract.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/fs.h"
#include "payload.h"
#include "place.h"
#include "sqfs.h"

enum { DEPTH_MAX = 128, ENTRIES_MAX = 1 << 22, MODE_KEPT = 01777 };

struct walk {
    struct sqfs *fs;
    const char *pattern; /* or NULL: everything */
    const char *echo;    /* what to print before each path, or NULL: print nothing */
    bool list;           /* print only */
    int root_fd;
    uint8_t *visited; /* a bit for each directory inode: none may be entered twice */
    char **links;     /* by inode number: the first path of a file with more names */
    uint8_t *buffer;  /* one block */
    uint64_t entries, matches;
};

/* A directory that is being walked. It is made when the first thing in it is. */
struct frame {
    struct frame *parent; /* NULL: the root */
    const char *name, *path;
    int fd; /* -1: not made yet */
    unsigned depth;
    bool selected;
    struct sqfs_inode inode;
};

static bool write_at(int fd, const uint8_t *data, size_t size, uint64_t offset)
{
    size_t done = 0;

    while (done < size) {
        ssize_t n = pwrite(fd, data + done, size - done, (off_t)(offset + done));

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        done += (size_t)n;
    }
    return true;
}

static bool frame_open(struct frame *frame, struct err *err)
{
    if (frame->fd >= 0)
        return true;
    if (!frame_open(frame->parent, err))
        return false;
    if (mkdirat(frame->parent->fd, frame->name, 0700) != 0 && errno != EEXIST)
        return err_sys(err, "cannot make '%s'", frame->path);
    frame->fd =
        openat(frame->parent->fd, frame->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return frame->fd >= 0 || err_sys(err, "cannot open '%s'", frame->path);
}

static bool stamp(int fd, const struct sqfs_inode *inode)
{
    struct timespec times[2] = {{.tv_sec = inode->mtime}, {.tv_sec = inode->mtime}};

    return fchmod(fd, inode->mode & MODE_KEPT) == 0 && futimens(fd, times) == 0;
}

static bool copy_data(struct walk *walk, const struct sqfs_inode *inode, int fd, struct err *err)
{
    uint64_t offset = 0, end;
    size_t done;
    bool hole;

    while (offset < inode->size) {
        if (!sqfs_hole(walk->fs, inode, offset, &end, &hole, err))
            return false;
        if (!hole) {
            if (!sqfs_read(walk->fs, inode, walk->buffer, (size_t)(end - offset), offset, &done,
                           err))
                return false;
            if (!write_at(fd, walk->buffer, done, offset))
                return err_sys(err, "write");
        }
        offset = end;
    }
    return ftruncate(fd, (off_t)inode->size) == 0 || err_sys(err, "write");
}

static bool make_file(struct walk *walk, struct frame *frame, const char *name, const char *path,
                      const struct sqfs_inode *inode, struct err *err)
{
    cleanup_fd int fd = -1;
    char **first = NULL;

    if (inode->nlink > 1) {
        if (walk->links == NULL)
            walk->links = calloc((size_t)sqfs_inode_count(walk->fs) + 1, sizeof(char *));
        if (walk->links == NULL)
            return err_sys(err, "cannot remember links");
        first = &walk->links[inode->number];
        if (*first != NULL && linkat(walk->root_fd, *first, frame->fd, name, 0) == 0)
            return true;
    }
    fd = openat(frame->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_sys(err, "cannot make '%s'", path);
    if (!copy_data(walk, inode, fd, err))
        return err_wrap(err, "'%s'", path);
    if (!stamp(fd, inode))
        return err_sys(err, "cannot set the mode of '%s'", path);
    if (first != NULL && *first == NULL)
        *first = strdup(path);
    return true;
}

static bool make_symlink(struct walk *walk, struct frame *frame, const char *name, const char *path,
                         const struct sqfs_inode *inode, struct err *err)
{
    struct timespec times[2] = {{.tv_sec = inode->mtime}, {.tv_sec = inode->mtime}};
    char target[SQFS_LINK_MAX + 1];

    if (!sqfs_readlink(walk->fs, inode, target, err))
        return err_wrap(err, "'%s'", path);
    if (symlinkat(target, frame->fd, name) != 0)
        return err_sys(err, "cannot make '%s'", path);
    utimensat(frame->fd, name, times, AT_SYMLINK_NOFOLLOW);
    return true;
}

/* Anything but a directory. What an earlier extraction left under the name is replaced. */
static bool make_entry(struct walk *walk, struct frame *frame, const char *name, const char *path,
                       const struct sqfs_inode *inode, struct err *err)
{
    if (!frame_open(frame, err))
        return false;
    if (unlinkat(frame->fd, name, 0) != 0 && errno != ENOENT)
        return err_sys(err, "cannot replace '%s'", path);
    if (S_ISREG(inode->mode))
        return make_file(walk, frame, name, path, inode, err);
    if (S_ISLNK(inode->mode))
        return make_symlink(walk, frame, name, path, inode, err);
    if (S_ISFIFO(inode->mode) && mkfifoat(frame->fd, name, inode->mode & 0777) != 0)
        return err_sys(err, "cannot make '%s'", path);
    return true; /* devices and sockets: the mounts are nodev, too */
}

static bool walk_dir(struct walk *walk, struct frame *frame, struct err *err);

static bool enter_dir(struct walk *walk, struct frame *frame, struct err *err)
{
    uint32_t number = frame->inode.number;
    uint8_t bit = (uint8_t)(1u << (number % 8));
    bool done;

    if (frame->depth > DEPTH_MAX)
        return err_set(err, ERR_INPUT, "'%s' is nested too deep", frame->path);
    if ((walk->visited[number / 8] & bit) != 0)
        return err_set(err, ERR_INPUT, "the image is damaged: '%s' is a directory twice",
                       frame->path);
    walk->visited[number / 8] |= bit;
    if (frame->selected && !walk->list && !frame_open(frame, err))
        return false;
    done = walk_dir(walk, frame, err);
    /* Last, since writing into it changes the time, and its mode may forbid to. */
    if (done && frame->fd >= 0 && !stamp(frame->fd, &frame->inode))
        done = err_sys(err, "cannot set the mode of '%s'", frame->path);
    return done;
}

static bool walk_entry(struct walk *walk, struct frame *frame, const struct sqfs_entry *entry,
                       struct err *err)
{
    cleanup_free char *path = frame->path[0] == '\0'
                                  ? strdup(entry->name)
                                  : place_format("%s/%s", frame->path, entry->name);
    struct frame child = {.parent = frame,
                          .name = entry->name,
                          .path = path,
                          .fd = -1,
                          .depth = frame->depth + 1,
                          .selected = frame->selected};
    bool done = true;

    if (path == NULL)
        return err_sys(err, "cannot walk the image");
    if (++walk->entries > ENTRIES_MAX)
        return err_set(err, ERR_INPUT, "the image has too many files");
    if (!sqfs_inode(walk->fs, entry->ref, &child.inode, err))
        return err_wrap(err, "'%s'", path);
    if (!child.selected)
        child.selected = fnmatch(walk->pattern, path, FNM_PATHNAME) == 0;
    if (child.selected) {
        walk->matches++;
        if (walk->echo != NULL)
            printf("%s%s\n", walk->echo, path);
    }
    if (S_ISDIR(child.inode.mode))
        done = enter_dir(walk, &child, err);
    else if (child.selected && !walk->list)
        done = make_entry(walk, frame, entry->name, path, &child.inode, err);
    cleanup_fd_value(&child.fd);
    return done;
}

static bool walk_dir(struct walk *walk, struct frame *frame, struct err *err)
{
    struct sqfs_entry entry;
    struct sqfs_dir dir;
    bool more = true;

    if (!sqfs_dir_open(walk->fs, &frame->inode, &dir, err))
        return false;
    for (;;) {
        if (!sqfs_dir_next(walk->fs, &dir, &entry, &more, err))
            return err_wrap(err, "'/%s'", frame->path);
        if (!more)
            return true;
        if (!walk_entry(walk, frame, &entry, err))
            return false;
    }
}

static bool walk_image(struct walk *walk, struct err *err)
{
    struct frame root = {.path = "", .fd = walk->root_fd, .selected = walk->pattern == NULL};
    size_t inodes = sqfs_inode_count(walk->fs);
    bool done = false;

    walk->visited = calloc(inodes / 8 + 1, 1);
    walk->buffer = malloc(sqfs_block_size(walk->fs));
    if (walk->visited == NULL || walk->buffer == NULL)
        err_sys(err, "cannot walk the image");
    else
        done = sqfs_inode(walk->fs, sqfs_root(walk->fs), &root.inode, err) &&
               (walk->list ? walk_dir(walk, &root, err) : enter_dir(walk, &root, err));
    for (size_t i = 0; walk->links != NULL && i <= inodes; i++)
        free(walk->links[i]);
    free(walk->links);
    free(walk->visited);
    free(walk->buffer);
    return done;
}

bool extract_tree(struct sqfs *fs, int dir_fd, const char *pattern, const char *echo,
                  struct err *err)
{
    struct walk walk = {.fs = fs, .pattern = pattern, .echo = echo, .root_fd = dir_fd};

    while (pattern != NULL && (walk.pattern[0] == '/' || strncmp(walk.pattern, "./", 2) == 0))
        walk.pattern++;
    if (!walk_image(&walk, err))
        return false;
    if (pattern != NULL && walk.matches == 0)
        return err_set(err, ERR_INPUT, "nothing in the image matches '%s'", pattern);
    return true;
}

bool extract_list(struct sqfs *fs, struct err *err)
{
    struct walk walk = {.fs = fs, .echo = "", .list = true, .root_fd = -1};

    return walk_image(&walk, err);
}

/* ------------------------------------------------------------------- cache */

/* The name appears only by rename, so what has the mark is complete. */
static bool is_complete(struct place *place)
{
    struct err ignored = {0};
    struct stat st;

    return place_make_dir(place, &ignored) &&
           fstatat(place->dir_fd, "done", &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
           fstatat(place->dir_fd, "m", &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static bool fill(struct sqfs *fs, int base_fd, const char *name, struct err *err)
{
    cleanup_fd int dir_fd = -1, root_fd = -1, mark_fd = -1;

    if (mkdirat(base_fd, name, 0700) != 0)
        return err_sys(err, "mkdir");
    dir_fd = openat(base_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir_fd < 0 || mkdirat(dir_fd, "m", 0700) != 0)
        return err_sys(err, "mkdir");
    root_fd = openat(dir_fd, "m", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (root_fd < 0)
        return err_sys(err, "open");
    if (!extract_tree(fs, root_fd, NULL, NULL, err))
        return false;
    /* The mark must not reach the disk before the files do. */
    syncfs(root_fd);
    mark_fd = openat(dir_fd, "done", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return mark_fd >= 0 || err_sys(err, "open");
}

/* Two starts at once both unpack; the first rename wins, and both use its tree. */
static bool unpack(struct sqfs *fs, struct place *place, struct err *err)
{
    const char *key = place->dir + strlen(place->base) + 1;
    cleanup_free char *name = NULL;
    struct err ignored = {0};
    uint64_t number = 0;

    if (getrandom(&number, sizeof(number), GRND_NONBLOCK) != sizeof(number))
        number = (uint64_t)getpid();
    name = place_format(".%s.%016llx", key, (unsigned long long)number);
    if (name == NULL)
        return err_sys(err, "%s", place->base);
    if (!fill(fs, place->base_fd, name, err)) {
        (void)!fs_remove_tree(place->base_fd, name, &ignored);
        unlinkat(place->base_fd, key, AT_REMOVEDIR);
        return err_wrap(err, "%s", place->base);
    }
    if (renameat(place->base_fd, name, place->base_fd, key) == 0)
        return true;
    err_sys(err, "cannot rename to '%s'", place->dir);
    (void)!fs_remove_tree(place->base_fd, name, &ignored);
    return is_complete(place);
}

bool extract_cached(const struct payload *payload, struct sqfs *fs, bool secure, char **ret_root,
                    struct err *err)
{
    char key[PLACE_KEY_SIZE];
    char reasons[sizeof(err->msg) / 2] = "";
    size_t used = 0;
    bool end = false;

    place_key(payload, "extract", key);
    for (unsigned index = 0; !end; index++) {
        struct err why = {0};
        struct place place;
        bool done;
        int n;

        if (place_for_cache(key, secure, index, &place, &end, &why)) {
            done = is_complete(&place) || unpack(fs, &place, &why);
            if (done)
                *ret_root = steal_ptr(&place.root);
            place_release(&place);
            if (done)
                return true;
        }
        if (end)
            break;
        n = snprintf(reasons + used, sizeof(reasons) - used, "%s%s", used > 0 ? ", " : "", why.msg);
        if (n > 0 && (size_t)n < sizeof(reasons) - used)
            used += (size_t)n;
    }
    return err_set(err, ERR_INPUT, "%s", reasons);
}
