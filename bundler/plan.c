/* SPDX-License-Identifier: MIT */
#include "bundler/plan.h"

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

void plan_init(struct plan *plan)
{
    *plan = (struct plan){0};
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
    free(plan->entries);
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

/* "../" for each directory above an absolute path's last component, then the absolute target. */
static char *relative_target(const char *link_path, const char *target)
{
    size_t levels = 0;
    char *relative;
    char *to;

    if (target[0] != '/')
        return xstrdup(target);
    for (const char *at = link_path + 1; *at != '\0'; at++)
        levels += *at == '/';
    relative = xcalloc(levels * 3 + strlen(target) + 2, 1);
    to = relative;
    for (size_t i = 0; i < levels; i++)
        to = stpcpy(to, "../");
    target += strspn(target, "/");
    (void)stpcpy(to, *target != '\0' ? target : ".");
    return relative;
}

/* An absolute path without ".", ".." and doubled slashes, textually: callers make sure that what
 * stands before a ".." is no symlink any more. */
static char *normalise(const char *path)
{
    char *clean = xcalloc(strlen(path) + 2, 1);
    size_t used = 0;

    for (const char *part = path; *part != '\0';) {
        size_t len = strcspn(part, "/");

        if (len == 2 && part[0] == '.' && part[1] == '.') {
            while (used > 0 && clean[--used] != '/')
                continue;
        } else if (len > 0 && !(len == 1 && part[0] == '.')) {
            clean[used++] = '/';
            memcpy(clean + used, part, len);
            used += len;
        }
        part += len + (part[len] == '/');
    }
    clean[used] = '\0';
    return clean;
}

/*
 * The first symlink on the way: its own path, and the path with the link followed. Both NULL when
 * there is none.
 */
static bool first_link(const char *path, char **ret_link, char **ret_followed, struct err *err)
{
    for (size_t end = 1; end <= strlen(path); end++) {
        cleanup_free char *prefix = NULL;
        cleanup_free char *target = NULL;
        cleanup_free char *joined = NULL;
        struct stat st;

        if (path[end] != '/' && path[end] != '\0')
            continue;
        prefix = xstrndup(path, end);
        if (lstat(prefix, &st) != 0)
            return err_sys(err, "'%s'", prefix);
        if (!S_ISLNK(st.st_mode))
            continue;
        target = read_link(prefix, err);
        if (target == NULL)
            return false;
        joined = target[0] == '/' ? xasprintf("%s%s", target, path + end)
                                  : xasprintf("%s/../%s%s", prefix, target, path + end);
        *ret_followed = normalise(joined);
        *ret_link = steal_ptr(&prefix);
        return true;
    }
    return true;
}

bool plan_add_system(struct plan *plan, const char *host_path, struct plan_origin origin,
                     struct err *err)
{
    cleanup_free char *path = normalise(host_path);

    for (int links = 0; links < LINKS_MAX; links++) {
        cleanup_free char *link = NULL;
        cleanup_free char *followed = NULL;
        cleanup_free char *target = NULL;
        cleanup_free char *relative = NULL;

        if (!first_link(path, &link, &followed, err))
            return false;
        if (link == NULL)
            return plan_add_file(plan, path, path, origin, err);
        target = read_link(link, err);
        if (target == NULL)
            return false;
        relative = relative_target(link, target);
        if (!plan_add_symlink(plan, link, relative, origin, err))
            return false;
        free(path);
        path = steal_ptr(&followed);
    }
    errno = ELOOP;
    return err_sys(err, "'%s'", host_path);
}

struct tree {
    struct plan *plan;
    const char *path;   /* image path of the top */
    const char *source; /* absolute path of the top */
    struct plan_origin origin;
    plan_filter *filter;
    void *context;
};

static bool add_tree_dir(const struct tree *tree, const char *relative, int depth, struct err *err);

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

/* Whether a symlink leads to another place of the tree, or its top: then it means the same in the
 * image. */
static bool stays_inside(const struct tree *tree, const char *relative, const char *source,
                         const char *target)
{
    cleanup_free char *top = realpath(tree->source, NULL);
    cleanup_free char *real = realpath(source, NULL);
    size_t len = top != NULL ? strlen(top) : 0;

    return target[0] != '/' && !climbs_out(relative, target) && top != NULL && real != NULL &&
           strncmp(real, top, len) == 0 && (real[len] == '/' || real[len] == '\0');
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
                          const char *path, int depth, struct err *err)
{
    cleanup_free char *target = read_link(source, err);
    struct stat st;

    if (target == NULL)
        return false;
    if (stays_inside(tree, relative, source, target))
        return plan_add_symlink(tree->plan, path, target, tree->origin, err);
    if (stat(source, &st) != 0)
        return true; /* dangling: of no use on the server either */
    if (S_ISDIR(st.st_mode))
        return refuse_loop(source, err) && add_tree_dir(tree, relative, depth + 1, err);
    return !S_ISREG(st.st_mode) || plan_add_file(tree->plan, path, source, tree->origin, err);
}

static bool add_tree_entry(const struct tree *tree, const char *relative, int depth,
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
        return add_tree_dir(tree, relative, depth + 1, err);
    if (S_ISLNK(st.st_mode))
        return add_tree_link(tree, relative, source, path, depth, err);
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

static bool add_tree_dir(const struct tree *tree, const char *relative, int depth, struct err *err)
{
    cleanup_free char *source = xasprintf("%s/%s", tree->source, relative);
    cleanup_free char *path = xasprintf("%s/%s", tree->path, relative);
    struct dirent **names = NULL;
    int count;
    bool ok = true;

    if (depth > TREE_DEPTH_MAX)
        return err_set(err, ERR_INPUT, "'%s': more than %d directories deep", source,
                       TREE_DEPTH_MAX);
    count = scandir(source, &names, no_dots, by_bytes);
    if (count < 0)
        return unreadable(source, err);
    ok = plan_add_dir(tree->plan, path, tree->origin, err);
    for (int i = 0; i < count; i++) {
        cleanup_free char *child =
            xasprintf("%s%s%s", relative, relative[0] != '\0' ? "/" : "", names[i]->d_name);

        ok = ok && add_tree_entry(tree, child, depth, err);
        free(names[i]);
    }
    free(names);
    return ok;
}

bool plan_add_tree(struct plan *plan, const char *path, const char *source,
                   struct plan_origin origin, plan_filter *filter, void *context, struct err *err)
{
    struct tree tree = {plan, path, source, origin, filter, context};

    return add_tree_dir(&tree, "", 0, err);
}

/* '/' sorts before every other byte, so that a directory's children follow it at once. */
static int compare_paths(const char *a, const char *b)
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

static int compare_entries(const void *a, const void *b)
{
    const struct plan_entry *const *left = a;
    const struct plan_entry *const *right = b;

    return compare_paths((*left)->path, (*right)->path);
}

void plan_sort(struct plan *plan)
{
    if (plan->count > 0)
        qsort(plan->entries, plan->count, sizeof(struct plan_entry *), compare_entries);
}
