/* SPDX-License-Identifier: MIT */
#include "bundler/plan.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <uthash.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/path.h"
#include "common/xalloc.h"

enum { LINKS_MAX = 40, LINK_BYTES_MAX = 1 << 16, TREE_DEPTH_MAX = 128 };

struct plan_index {
    const char *path; /* the entry's */
    struct plan_entry *entry;
    UT_hash_handle hh;
};

/* The directory by the name that was given, and by its real one. */
struct plan_move {
    char *from;
    char *real;
    char *to;
};

void plan_init(struct plan *plan)
{
    *plan = (struct plan){0};
}

void plan_move(struct plan *plan, const char *from, const char *to)
{
    char *real = realpath(from, NULL);

    assert(plan->move == NULL && from[0] == '/' && from[1] != '\0');
    plan->move = xcalloc(1, sizeof(*plan->move));
    *plan->move =
        (struct plan_move){xstrdup(from), real != NULL ? real : xstrdup(from), xstrdup(to)};
}

static void move_free(struct plan_move *move)
{
    if (move == NULL)
        return;
    free(move->from);
    free(move->real);
    free(move->to);
    free(move);
}

/* What is behind the directory in the path: "" or "/...". NULL: the path is elsewhere. */
static const char *rest_below(const char *dir, const char *path)
{
    size_t len = strlen(dir);

    return strncmp(path, dir, len) == 0 && (path[len] == '/' || path[len] == '\0') ? path + len
                                                                                   : NULL;
}

static const char *rest_of_moved(const struct plan *plan, const char *host_path)
{
    const char *rest = NULL;

    if (plan->move != NULL)
        rest = rest_below(plan->move->real, host_path);
    if (plan->move != NULL && rest == NULL)
        rest = rest_below(plan->move->from, host_path);
    return rest;
}

char *plan_image_path(const struct plan *plan, const char *host_path)
{
    const char *rest = rest_of_moved(plan, host_path);

    return rest != NULL ? xasprintf("%s%s", plan->move->to, rest)
                        : xstrdup(host_path + strspn(host_path, "/"));
}

static void entry_free(struct plan_entry *entry)
{
    free(entry->path);
    free(entry->source);
    free(entry->data);
    free(entry->target);
    free(entry->reason);
    free(entry);
}

static struct plan_index *lookup(const struct plan *plan, const char *path)
{
    struct plan_index *found;

    HASH_FIND_STR(plan->index, path, found);
    return found;
}

const struct plan_entry *plan_find(const struct plan *plan, const char *path)
{
    const struct plan_index *found = lookup(plan, path);

    return found != NULL ? found->entry : NULL;
}

static void forget(struct plan *plan, struct plan_index *node)
{
    HASH_DEL(plan->index, node);
    entry_free(node->entry);
    free(node);
}

void plan_release(struct plan *plan)
{
    struct plan_index *node;
    struct plan_index *next;

    HASH_ITER(hh, plan->index, node, next)
    {
        forget(plan, node);
    }
    for (size_t i = 0; i < plan->left_out_count; i++) {
        free(plan->left_out[i].path);
        free(plan->left_out[i].reason);
    }
    free(plan->left_out);
    free(plan->entries);
    move_free(plan->move);
    *plan = (struct plan){0};
}

void plan_remove(struct plan *plan, const char *path)
{
    struct plan_index *node = lookup(plan, path);
    size_t kept = 0;

    if (node == NULL)
        return;
    for (size_t i = 0; i < plan->count; i++) {
        if (plan->entries[i] != node->entry)
            plan->entries[kept++] = plan->entries[i];
    }
    plan->count = kept;
    forget(plan, node);
}

const char *plan_part_name(enum plan_part part)
{
    static const char *const names[PLAN_PART_COUNT] = {
        [PLAN_PART_RUNTIME] = "runtime", [PLAN_PART_RUBY] = "ruby", [PLAN_PART_GEMS] = "gems",
        [PLAN_PART_LIBS] = "libraries",  [PLAN_PART_APP] = "app",
    };

    return names[part];
}

void plan_leave_out(struct plan *plan, const char *path, const char *reason)
{
    if (!plan->notes_left_out)
        return;
    plan->left_out = xgrow(plan->left_out, &plan->left_out_capacity, plan->left_out_count,
                           sizeof(*plan->left_out));
    plan->left_out[plan->left_out_count++] = (struct plan_left){xstrdup(path), xstrdup(reason)};
}

bool plan_has_own_reason(const struct plan *plan, const struct plan_entry *entry)
{
    const char *slash = strrchr(entry->path, '/');
    cleanup_free char *parent =
        xstrndup(entry->path, slash == NULL ? 0 : (size_t)(slash - entry->path));
    const struct plan_entry *above = plan_find(plan, parent);

    return entry->reason != NULL && entry->path[0] != '\0' &&
           (above == NULL || above->path[0] == '\0' || above->reason == NULL ||
            strcmp(above->reason, entry->reason) != 0);
}

static void insert(struct plan *plan, struct plan_entry *entry)
{
    struct plan_index *node = xcalloc(1, sizeof(*node));

    plan->entries = xgrow(plan->entries, &plan->capacity, plan->count, sizeof(struct plan_entry *));
    plan->entries[plan->count++] = entry;
    node->path = entry->path;
    node->entry = entry;
    HASH_ADD_KEYPTR(hh, plan->index, node->path, strlen(node->path), node);
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool means_the_same(const struct plan_entry *a, const struct plan_entry *b)
{
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case PLAN_DIR:
        return true;
    case PLAN_FILE:
        return same_text(a->source, b->source);
    case PLAN_DATA:
        return a->size_bytes == b->size_bytes && memcmp(a->data, b->data, a->size_bytes) == 0;
    case PLAN_SYMLINK:
        return same_text(a->target, b->target);
    }
    return false;
}

static const char *describe(const struct plan_entry *entry)
{
    switch (entry->type) {
    case PLAN_DIR:
        return "a directory";
    case PLAN_FILE:
        return entry->source;
    case PLAN_DATA:
        return "a generated file";
    case PLAN_SYMLINK:
        return entry->target;
    }
    return "";
}

/* Two sources for one path: the same file by another name is no conflict. */
static bool same_file(const struct plan_entry *a, const struct plan_entry *b)
{
    struct stat left;
    struct stat right;

    return a->type == PLAN_FILE && b->type == PLAN_FILE && stat(a->source, &left) == 0 &&
           stat(b->source, &right) == 0 && left.st_dev == right.st_dev &&
           left.st_ino == right.st_ino;
}

static bool add_parents(struct plan *plan, const char *path, struct plan_origin origin,
                        struct err *err)
{
    const char *slash = strrchr(path, '/');
    cleanup_free char *parent = NULL;

    if (slash == NULL)
        return path[0] == '\0' || plan_add_dir(plan, "", origin, err);
    parent = xstrndup(path, (size_t)(slash - path));
    return plan_add_dir(plan, parent, origin, err);
}

/* Takes the entry, whose path is as the caller wrote it. */
static bool add(struct plan *plan, const char *path, struct plan_entry *entry,
                struct plan_origin origin, struct err *err)
{
    char clean[PATH_IMAGE_MAX + 1];
    const struct plan_entry *there;

    if (!path_image(path, clean, sizeof(clean), err)) {
        entry_free(entry);
        return false;
    }
    there = plan_find(plan, clean);
    if (there != NULL) {
        bool fits = means_the_same(there, entry) || same_file(there, entry);

        if (!fits)
            (void)err_set(err, ERR_INPUT, "'%s' is wanted twice: '%s' and '%s'", clean,
                          describe(there), describe(entry));
        entry_free(entry);
        return fits;
    }
    entry->path = xstrdup(clean);
    entry->part = origin.part;
    entry->reason = xstrdup(origin.reason != NULL ? origin.reason : "");
    insert(plan, entry);
    return add_parents(plan, clean, origin, err);
}

bool plan_add_dir(struct plan *plan, const char *path, struct plan_origin origin, struct err *err)
{
    struct plan_entry *entry;

    if (plan_find(plan, path) != NULL && plan_find(plan, path)->type == PLAN_DIR)
        return true;
    entry = xcalloc(1, sizeof(*entry));
    entry->type = PLAN_DIR;
    entry->mode = 0755;
    return add(plan, path, entry, origin, err);
}

static bool unreadable(const char *source, struct err *err)
{
    (void)err_sys(err, "'%s'", source);
    (void)err_id(err, "E-READ");
    return err_hint(err, "make it readable, or move it out of what is packed");
}

bool plan_add_file(struct plan *plan, const char *path, const char *source,
                   struct plan_origin origin, struct err *err)
{
    struct plan_entry *entry;
    struct stat st;

    if (stat(source, &st) != 0 || access(source, R_OK) != 0)
        return unreadable(source, err);
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_INPUT, "'%s' is not a regular file", source);
    if (st.st_mtime > plan->newest)
        plan->newest = st.st_mtime;
    entry = xcalloc(1, sizeof(*entry));
    entry->type = PLAN_FILE;
    entry->mode = (st.st_mode & S_IXUSR) != 0 ? 0755 : 0644;
    entry->source = xstrdup(source);
    entry->size_bytes = (size_t)st.st_size;
    return add(plan, path, entry, origin, err);
}

bool plan_add_data(struct plan *plan, const char *path, uint16_t mode, const void *data,
                   size_t size_bytes, struct plan_origin origin, struct err *err)
{
    struct plan_entry *entry = xcalloc(1, sizeof(*entry));

    entry->type = PLAN_DATA;
    entry->mode = mode & 0777;
    entry->data = xstrndup(data, size_bytes);
    entry->size_bytes = size_bytes;
    return add(plan, path, entry, origin, err);
}

bool plan_replace_data(struct plan *plan, const char *path, uint16_t mode, const void *data,
                       size_t size_bytes, struct plan_origin origin, struct err *err)
{
    plan_remove(plan, path);
    return plan_add_data(plan, path, mode, data, size_bytes, origin, err);
}

bool plan_add_symlink(struct plan *plan, const char *path, const char *target,
                      struct plan_origin origin, struct err *err)
{
    struct plan_entry *entry;

    if (target[0] == '/' || target[0] == '\0')
        return err_set(err, ERR_INPUT, "'%s': a symlink to '%s' does not belong into an image",
                       path, target);
    entry = xcalloc(1, sizeof(*entry));
    entry->type = PLAN_SYMLINK;
    entry->mode = 0777;
    entry->target = xstrdup(target);
    return add(plan, path, entry, origin, err);
}

/* The target of a symlink, on the heap. */
static char *read_link(const char *path, struct err *err)
{
    cleanup_free char *target = xcalloc(LINK_BYTES_MAX, 1);
    ssize_t length = readlink(path, target, LINK_BYTES_MAX - 1);

    if (length <= 0) {
        (void)err_sys(err, "'%s'", path);
        return NULL;
    }
    return steal_ptr(&target);
}

/* How many directories a relative path lies below its top: 0 for "a", 1 for "a/b". */
static size_t depth_of(const char *path)
{
    size_t depth = 0;

    for (; *path != '\0'; path++)
        depth += *path == '/';
    return depth;
}

/* A link target: from `depth` directories below a top to a path below it ("" is the top). */
static char *climb(size_t depth, const char *path)
{
    cleanup_free char *ups = xcalloc(depth * 3 + 1, 1);

    for (size_t i = 0; i < depth; i++)
        memcpy(ups + i * 3, "../", 3);
    return xasprintf("%s%s", ups, path[0] != '\0' ? path : ".");
}

/* A walk along a path of the system, as path_resolution(7) has it: ".." is looked at only when all
 * that stands before it is known to be no symlink. */
struct system_walk {
    struct plan *plan;
    struct plan_origin origin;
    const char *host_path;
    char *done; /* the directory reached, as an image path: no symlink in it */
    char *rest; /* what is still to be walked */
    int links;  /* followed so far */
};

/* Takes the next component off walk->rest; NULL at the end. */
static char *next_part(struct system_walk *walk)
{
    const char *at = walk->rest + strspn(walk->rest, "/");
    size_t len = strcspn(at, "/");
    char *part = len > 0 ? xstrndup(at, len) : NULL;

    memmove(walk->rest, at + len, strlen(at + len) + 1);
    return part;
}

/* The same place, seen from the image. "/.." is "/" on the host, but would leave an image that is
 * mounted somewhere: more ".." than there are directories are dropped. */
static char *image_target(const struct system_walk *walk, const char *target)
{
    size_t depth = walk->done[0] != '\0' ? depth_of(walk->done) + 1 : 0;
    size_t climbs = 0;

    if (target[0] == '/')
        return climb(depth, target + strspn(target, "/"));
    while (strncmp(target + climbs * 3, "../", 3) == 0)
        climbs++;
    return xstrdup(climbs > depth ? target + (climbs - depth) * 3 : target);
}

static bool follow_link(struct system_walk *walk, const char *path, const char *host,
                        struct err *err)
{
    cleanup_free char *target = read_link(host, err);
    cleanup_free char *relative = NULL;
    char *rest;

    if (target == NULL)
        return false;
    if (++walk->links > LINKS_MAX) {
        errno = ELOOP;
        return err_sys(err, "'%s'", walk->host_path);
    }
    relative = image_target(walk, target);
    if (!plan_add_symlink(walk->plan, path, relative, walk->origin, err))
        return false;
    if (target[0] == '/')
        walk->done[0] = '\0';
    rest = xasprintf("%s/%s", target, walk->rest);
    free(walk->rest);
    walk->rest = rest;
    return true;
}

static void step_up(struct system_walk *walk)
{
    char *slash = strrchr(walk->done, '/');

    walk->done[slash != NULL ? slash - walk->done : 0] = '\0';
}

/* Links were followed below a directory that is moved; the last one is kept if it leads to a file
 * there. */
static bool add_found(const struct system_walk *walk, const char *host, struct err *err)
{
    struct plan *plan = walk->plan;
    cleanup_free char *path = plan_image_path(plan, host);
    cleanup_free char *real = realpath(host, NULL);
    cleanup_free char *real_path = NULL;
    cleanup_free char *target = NULL;

    if (real == NULL || strcmp(real, host) == 0)
        return plan_add_file(plan, path, host, walk->origin, err);
    if (rest_of_moved(plan, real) == NULL)
        return plan_add_file(plan, path, real, walk->origin, err);
    real_path = plan_image_path(plan, real);
    if (strcmp(real_path, path) == 0)
        return plan_add_file(plan, path, real, walk->origin, err);
    target = climb(depth_of(path), real_path);
    return plan_add_symlink(plan, path, target, walk->origin, err) &&
           plan_add_file(plan, real_path, real, walk->origin, err);
}

/* A symlink is followed, a directory entered; a file is the end. */
static bool step(struct system_walk *walk, const char *part, bool *ret_end, struct err *err)
{
    cleanup_free char *path = NULL;
    cleanup_free char *host = NULL;
    bool is_moved;
    struct stat st;

    if (strcmp(part, ".") == 0)
        return true;
    if (strcmp(part, "..") == 0) {
        step_up(walk);
        return true;
    }
    path = xasprintf("%s%s%s", walk->done, walk->done[0] != '\0' ? "/" : "", part);
    host = xasprintf("/%s", path);
    /* A link that leads out of what is moved would lead nowhere in the image. */
    is_moved = rest_of_moved(walk->plan, host) != NULL;
    if ((is_moved ? stat(host, &st) : lstat(host, &st)) != 0)
        return err_sys(err, "'%s'", host);
    if (S_ISLNK(st.st_mode))
        return follow_link(walk, path, host, err);
    if (S_ISDIR(st.st_mode)) {
        free(walk->done);
        walk->done = steal_ptr(&path);
        return true;
    }
    if (walk->rest[strspn(walk->rest, "/")] != '\0') {
        errno = ENOTDIR;
        return err_sys(err, "'%s'", walk->host_path);
    }
    *ret_end = true;
    return add_found(walk, host, err);
}

static bool walk_system(struct system_walk *walk, struct err *err)
{
    cleanup_free char *host = NULL;
    cleanup_free char *image = NULL;

    for (bool end = false; !end;) {
        cleanup_free char *part = next_part(walk);

        if (part == NULL)
            break;
        if (!step(walk, part, &end, err))
            return false;
        if (end)
            return true;
    }
    host = xasprintf("/%s", walk->done);
    image = plan_image_path(walk->plan, host);
    return plan_add_tree(walk->plan, image, host, walk->origin, NULL, NULL, err);
}

bool plan_add_system(struct plan *plan, const char *host_path, struct plan_origin origin,
                     struct err *err)
{
    struct system_walk walk = {.plan = plan, .origin = origin, .host_path = host_path};
    const char *rest = rest_of_moved(plan, host_path);
    bool ok;

    if (host_path[0] != '/')
        return err_set(err, ERR_INPUT, "'%s' is not an absolute path", host_path);
    walk.done = xstrdup(rest != NULL ? plan->move->real + 1 : "");
    walk.rest = xstrdup(rest != NULL ? rest : host_path);
    ok = walk_system(&walk, err);
    free(walk.done);
    free(walk.rest);
    return ok;
}

struct tree {
    struct plan *plan;
    const char *path;   /* image path of the top */
    const char *source; /* absolute path of the top */
    struct plan_origin origin;
    plan_filter *filter;
    void *context;
};

/* The directories that are being read, innermost first: a symlink that is followed may lead back.
 */
struct level {
    const struct level *above;
    dev_t device;
    ino_t inode;
    int depth;
};

static bool add_tree_dir(const struct tree *tree, const char *relative, const struct level *above,
                         struct err *err);

/* Whether a link's target, read from where the link is, names a place above the top on its way: the
 * top has another name in the image. */
static bool climbs_out(const char *relative, const char *target)
{
    size_t depth = 0;

    for (const char *at = relative; *at != '\0'; at++)
        depth += *at == '/';
    for (const char *part = target; *part != '\0';) {
        size_t len = strcspn(part, "/");

        if (len == 2 && part[0] == '.' && part[1] == '.') {
            if (depth == 0)
                return true;
            depth--;
        } else if (len > 0 && !(len == 1 && part[0] == '.')) {
            depth++;
        }
        part += len + (part[len] == '/');
    }
    return false;
}

/* Where in the tree a symlink leads ("" is its top); NULL when out of it, or nowhere. */
static char *inside(const struct tree *tree, const char *source)
{
    cleanup_free char *top = realpath(tree->source, NULL);
    cleanup_free char *real = realpath(source, NULL);
    size_t len = top != NULL ? strlen(top) : 0;

    if (top == NULL || real == NULL || strncmp(real, top, len) != 0 ||
        (real[len] != '/' && real[len] != '\0'))
        return NULL;
    return xstrdup(real + len + (real[len] == '/'));
}

/* A link to a directory outside is followed; not one to a directory that holds the link. */
static bool refuse_loop(const char *link, struct err *err)
{
    cleanup_free char *holder = xstrndup(link, (size_t)(strrchr(link, '/') - link) + 1);
    cleanup_free char *here = realpath(holder, NULL);
    cleanup_free char *there = realpath(link, NULL);
    size_t len = there != NULL ? strlen(there) : 0;

    if (here == NULL || there == NULL)
        return unreadable(link, err);
    /* "/" holds everything, and is the only one that ends in a slash */
    if (strncmp(here, there, len) != 0 || (len > 1 && here[len] != '/' && here[len] != '\0'))
        return true;
    (void)err_set(err, ERR_INPUT, "'%s' leads to '%s', which holds it", link, there);
    (void)err_id(err, "E-LOOP");
    return err_hint(err, "remove the link, or let it name what is needed only");
}

static bool add_tree_link(const struct tree *tree, const char *relative, const char *source,
                          const char *path, const struct level *level, struct err *err)
{
    cleanup_free char *target = read_link(source, err);
    cleanup_free char *below = inside(tree, source);
    struct stat st;

    if (target == NULL)
        return false;
    if (below != NULL && (target[0] == '/' || climbs_out(relative, target))) {
        free(target);
        target = climb(depth_of(relative), below);
    }
    if (below != NULL)
        return plan_add_symlink(tree->plan, path, target, tree->origin, err);
    if (stat(source, &st) != 0)
        return true; /* dangling: of no use on the server either */
    if (S_ISDIR(st.st_mode))
        return refuse_loop(source, err) && add_tree_dir(tree, relative, level, err);
    return !S_ISREG(st.st_mode) || plan_add_file(tree->plan, path, source, tree->origin, err);
}

static bool add_tree_entry(const struct tree *tree, const char *relative, const struct level *level,
                           struct err *err)
{
    cleanup_free char *source = xasprintf("%s/%s", tree->source, relative);
    cleanup_free char *path = xasprintf("%s/%s", tree->path, relative);
    struct stat st;

    if (lstat(source, &st) != 0)
        return unreadable(source, err);
    if (tree->filter != NULL && !tree->filter(relative, S_ISDIR(st.st_mode), tree->context))
        return true;
    if (S_ISDIR(st.st_mode))
        return add_tree_dir(tree, relative, level, err);
    if (S_ISLNK(st.st_mode))
        return add_tree_link(tree, relative, source, path, level, err);
    return !S_ISREG(st.st_mode) || plan_add_file(tree->plan, path, source, tree->origin, err);
}

static int no_dots(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static bool enter(struct level *level, const struct level *above, const char *source,
                  struct err *err)
{
    struct stat st;

    if (stat(source, &st) != 0)
        return err_sys(err, "'%s'", source);
    *level = (struct level){above, st.st_dev, st.st_ino, above != NULL ? above->depth + 1 : 0};
    if (level->depth > TREE_DEPTH_MAX)
        return err_set(err, ERR_INPUT, "'%s': more than %d directories deep", source,
                       TREE_DEPTH_MAX);
    for (; above != NULL; above = above->above) {
        if (above->device == st.st_dev && above->inode == st.st_ino) {
            (void)err_set(err, ERR_INPUT, "'%s' contains itself: a symlink leads back to it",
                          source);
            return err_hint(err, "remove the symlink");
        }
    }
    return true;
}

static bool add_tree_dir(const struct tree *tree, const char *relative, const struct level *above,
                         struct err *err)
{
    cleanup_free char *source = xasprintf("%s/%s", tree->source, relative);
    cleanup_free char *path = xasprintf("%s/%s", tree->path, relative);
    struct dirent **names = NULL;
    struct level level;
    int count;
    bool ok = true;

    if (!enter(&level, above, source, err))
        return false;
    count = scandir(source, &names, no_dots, by_bytes);
    if (count < 0)
        return unreadable(source, err);
    ok = plan_add_dir(tree->plan, path, tree->origin, err);
    for (int i = 0; i < count; i++) {
        cleanup_free char *child =
            xasprintf("%s%s%s", relative, relative[0] != '\0' ? "/" : "", names[i]->d_name);

        ok = ok && add_tree_entry(tree, child, &level, err);
        free(names[i]);
    }
    free(names);
    return ok;
}

bool plan_add_tree(struct plan *plan, const char *path, const char *source,
                   struct plan_origin origin, plan_filter *filter, void *context, struct err *err)
{
    struct tree tree = {plan, path, source, origin, filter, context};

    return add_tree_dir(&tree, "", NULL, err);
}

/* '/' sorts before every other byte, so that a directory's children follow it at once. */
int plan_path_compare(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    if (*a == '/' || *b == '/') {
        int left = *a == '/' ? 1 : (unsigned char)*a + (*a != '\0');
        int right = *b == '/' ? 1 : (unsigned char)*b + (*b != '\0');

        return left - right;
    }
    return (unsigned char)*a - (unsigned char)*b;
}

/* Files of a standard library stand below its version, those of gems below lib. */
static bool is_load_path(const char *component, size_t len)
{
    static const char *const names[] = {"lib", "vendor_ruby", "site_ruby"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strlen(names[i]) == len && memcmp(names[i], component, len) == 0)
            return true;
    return len >= 3 && strspn(component, "0123456789.") == len;
}

/* What a Ruby source is required by. */
static const char *feature(const char *path)
{
    const char *found = path;
    const char *end;

    for (const char *at = path; (end = strchr(at, '/')) != NULL; at = end + 1)
        if (is_load_path(at, (size_t)(end - at)))
            found = end + 1;
    return found;
}

enum rank {
    RANK_EARLY,
    RANK_OTHER,
    RANK_RUBY,
    RANK_OURS, /* what the tool writes knows the application */
    RANK_APP,
};

static enum rank rank_of(const struct plan_entry *entry)
{
    const char *dot = strrchr(entry->path, '.');

    if (entry->early != 0)
        return RANK_EARLY;
    if (entry->type != PLAN_FILE && entry->type != PLAN_DATA)
        return RANK_OTHER;
    if (entry->part == PLAN_PART_APP)
        return RANK_APP;
    if (entry->part == PLAN_PART_RUNTIME)
        return RANK_OURS;
    return dot != NULL && strcmp(dot, ".rb") == 0 ? RANK_RUBY : RANK_OTHER;
}

static int compare_paths(const void *a, const void *b)
{
    return plan_path_compare((*(const struct plan_entry *const *)a)->path,
                             (*(const struct plan_entry *const *)b)->path);
}

static int compare_places(const void *a, const void *b)
{
    const struct plan_entry *const *left = a;
    const struct plan_entry *const *right = b;

    enum rank rank = rank_of(*left);
    int order = (int)rank - (int)rank_of(*right);

    if (order == 0 && rank == RANK_EARLY)
        return (*left)->early < (*right)->early ? -1 : 1;
    if (order == 0 && rank == RANK_RUBY)
        order = plan_path_compare(feature((*left)->path), feature((*right)->path));
    return order != 0 ? order : plan_path_compare((*left)->path, (*right)->path);
}

void plan_mark_early(struct plan *plan, const char *path)
{
    const struct plan_index *found = lookup(plan, path);

    if (found != NULL && found->entry->early == 0 &&
        (found->entry->type == PLAN_FILE || found->entry->type == PLAN_DATA))
        found->entry->early = ++plan->early_count;
}

void plan_forget_early(struct plan *plan)
{
    for (size_t i = 0; i < plan->count; i++)
        plan->entries[i]->early = 0;
    plan->early_count = 0;
}

void plan_sort(struct plan *plan)
{
    if (plan->count > 0)
        qsort(plan->entries, plan->count, sizeof(struct plan_entry *), compare_paths);
}

void plan_arrange(struct plan *plan)
{
    if (plan->count > 0)
        qsort(plan->entries, plan->count, sizeof(struct plan_entry *), compare_places);
}
