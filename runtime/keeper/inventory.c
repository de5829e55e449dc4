/* SPDX-License-Identifier: MIT */
#include "runtime/keeper/inventory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/path.h"
#include "common/text.h"
#include "common/xalloc.h"
#include "runtime/keeper/database.h"
#include "runtime/keeper/interrupt.h"
#include "runtime/keeper/lineage.h"

enum { DEPTH_MAX = 100, ITEMS_MAX = 20000000, TARGET_MAX = 4095, NAME_BYTES_MAX = 255 };

struct look {
    struct inventory *inventory;
    const struct inventory *known;
    struct err *err;
};

static bool look_into(const struct look *look, int parent, const char *name, const char *path,
                      int depth);

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

struct names {
    char **items;
    size_t count;
    size_t capacity;
};

static void names_release(struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->items[i]);
    free(names->items);
}

/* Names of a directory, sorted. */
static bool read_names(int fd, struct names *ret, struct err *err)
{
    int copy = dup(fd);
    cleanup_dir DIR *entries = copy >= 0 ? fdopendir(copy) : NULL;
    const struct dirent *entry;

    if (entries == NULL)
        return err_sys(err, "directory");
    for (;;) {
        errno = 0; /* readdir(3): the only way to tell an error from the end */
        entry = readdir(entries);
        if (entry == NULL)
            break;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        ret->items = xgrow(ret->items, &ret->capacity, ret->count, sizeof(*ret->items));
        ret->items[ret->count++] = xstrdup(entry->d_name);
    }
    if (errno != 0)
        return err_sys(err, "directory");
    if (ret->count > 0)
        qsort(ret->items, ret->count, sizeof(*ret->items), by_name);
    return true;
}

bool inventory_link_stays(const char *path, const char *target)
{
    long depth = -1; /* directories below the top one in which the link lies */

    if (target[0] == '/' || target[0] == '\0')
        return false;
    for (const char *at = path; *at != '\0'; at++)
        depth += *at == '/';
    while (*target != '\0') {
        size_t len = strcspn(target, "/");

        if (len == 2 && target[0] == '.' && target[1] == '.')
            depth--;
        else if (len > 0 && !(len == 1 && target[0] == '.'))
            depth++;
        if (depth < 0)
            return false;
        target += len + (target[len] == '/');
    }
    return true;
}

static struct inventory_item *add(const struct look *look, enum inventory_kind kind,
                                  const char *path, const struct stat *st)
{
    struct inventory *inventory = look->inventory;

    inventory->items =
        xgrow(inventory->items, &inventory->capacity, inventory->count, sizeof(*inventory->items));
    inventory->items[inventory->count] = (struct inventory_item){
        .kind = kind,
        .path = xstrdup(path),
        .mode = st->st_mode & 0777,
        .size_bytes = (uint64_t)st->st_size,
        .mtime = st->st_mtim.tv_sec,
    };
    return &inventory->items[inventory->count++];
}

static bool add_link(const struct look *look, int parent, const char *name, const char *path,
                     const struct stat *st)
{
    cleanup_free char *target = xcalloc(TARGET_MAX + 1, 1);
    ssize_t length = readlinkat(parent, name, target, TARGET_MAX);

    if (length < 0)
        return errno == ENOENT || err_sys(look->err, "'%s'", path);
    if (!text_is_plain(target)) {
        (void)err_set(look->err, ERR_INPUT,
                      "'%.300s' is a link to a name that is not UTF-8, or has control characters",
                      path);
        (void)err_id(look->err, "E-NAME");
        return err_hint(look->err, "rename what it leads to, and make the link again");
    }
    if (!inventory_link_stays(path, target)) {
        (void)err_set(
            look->err, ERR_INPUT,
            "'%s' is a link to '%s', outside of the state: what is there would be missing", path,
            target);
        (void)err_id(look->err, "E-LINK");
        return err_hint(look->err, "put the files themselves in its place");
    }
    add(look, INVENTORY_LINK, path, st)->target = steal_ptr(&target);
    return true;
}

static bool is_side_file(int parent, const char *name, bool *ret, struct err *err)
{
    char owner[NAME_BYTES_MAX + 1];
    struct stat st;

    *ret = database_owner(name, owner, sizeof(owner)) &&
           fstatat(parent, owner, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
    return !*ret || st.st_size == 0 || database_is(parent, owner, ret, err);
}

static const struct inventory_item *known_item(const struct look *look, const char *path)
{
    return look->known != NULL ? inventory_find(look->known, path) : NULL;
}

static bool is_known(const struct look *look, const char *path)
{
    const struct inventory_item *item = known_item(look, path);

    return item != NULL && item->kind == INVENTORY_DATABASE;
}

/* The side files of a known database: without opening it. */
static bool belongs_to_known(const struct look *look, const char *path)
{
    cleanup_free char *owner = xstrdup(path);

    return database_owner(path, owner, strlen(path) + 1) && is_known(look, owner);
}

static bool add_file(const struct look *look, int parent, const char *name, const char *path,
                     const struct stat *st)
{
    const struct inventory_item *before = known_item(look, path);
    bool is_side = false;
    bool is_database = false;

    if (before != NULL && before->is_settled) {
        add(look, INVENTORY_FILE, path, st)->is_settled = true;
        return true;
    }
    if (is_known(look, path)) {
        (void)add(look, INVENTORY_DATABASE, path, st);
        return true;
    }
    if (belongs_to_known(look, path))
        return true;
    if (!is_side_file(parent, name, &is_side, look->err) ||
        (!is_side && !database_is(parent, name, &is_database, look->err)))
        return err_wrap(look->err, "'%s'", path);
    if (!is_side)
        (void)add(look, is_database ? INVENTORY_DATABASE : INVENTORY_FILE, path, st);
    return true;
}

static bool check_name(const struct look *look, const char *path)
{
    if (text_is_plain(path) && strlen(path) <= PATH_IMAGE_MAX)
        return true;
    (void)err_set(look->err, ERR_INPUT,
                  "'%.300s': the name is not UTF-8, has control characters or is too long", path);
    (void)err_id(look->err, "E-NAME");
    return err_hint(look->err, "rename it");
}

static bool look_at(const struct look *look, int parent, const char *name, const char *above,
                    int depth)
{
    cleanup_free char *path = xasprintf("%s/%s", above, name);
    struct stat st;

    if (!interrupt_check(look->err) || !check_name(look, path))
        return false;
    if (strcmp(path, LINEAGE_PATH) == 0 || strcmp(path, LINEAGE_PATH ".new") == 0)
        return true; /* the manifest says what is in it */
    if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT || err_sys(look->err, "'%s'", path);
    if (look->inventory->count >= ITEMS_MAX)
        return err_set(look->err, ERR_INPUT, "more than %d files", ITEMS_MAX);
    if (S_ISDIR(st.st_mode))
        return look_into(look, parent, name, path, depth + 1);
    if (S_ISLNK(st.st_mode))
        return add_link(look, parent, name, path, &st);
    return !S_ISREG(st.st_mode) || add_file(look, parent, name, path, &st);
}

static bool look_into(const struct look *look, int parent, const char *name, const char *path,
                      int depth)
{
    cleanup_fd int fd =
        openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (depth > 0 ? O_NOFOLLOW : 0));
    cleanup_with(names_release) struct names names = {0};
    struct stat st;

    if (depth > DEPTH_MAX)
        return err_set(look->err, ERR_INPUT, "'%.200s...' is more than %d directories deep", path,
                       DEPTH_MAX);
    if (fd < 0 || fstat(fd, &st) != 0)
        return (errno == ENOENT && depth > 0) || err_sys(look->err, "'%s'", path);
    (void)add(look, INVENTORY_DIRECTORY, path, &st);
    if (!read_names(fd, &names, look->err)) {
        (void)err_wrap(look->err, "'%s'", path);
        return err_id(look->err, "E-READ");
    }
    for (size_t i = 0; i < names.count; i++)
        if (!look_at(look, fd, names.items[i], path, depth))
            return false;
    return true;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct inventory_item *)a)->path,
                  ((const struct inventory_item *)b)->path);
}

bool inventory_take(struct inventory *ret, int statefd, const struct inventory *known,
                    struct err *err)
{
    struct inventory inventory = {0};
    const struct look look = {&inventory, known, err};
    struct stat st;
    bool ok = look_into(&look, statefd, INVENTORY_TOP, INVENTORY_TOP, 0);

    if (!ok && err->sys_errno == ENOENT && fstatat(statefd, INVENTORY_TOP, &st, 0) != 0) {
        (void)err_set(err, ERR_INPUT, "there is no state yet: no '" INVENTORY_TOP "'");
        (void)err_id(err, "E-EMPTY");
        (void)err_hint(err, "start the app once, or restore a snapshot");
    }
    if (!ok) {
        inventory_release(&inventory);
        return false;
    }
    qsort(inventory.items, inventory.count, sizeof(*inventory.items), by_path);
    *ret = inventory;
    return true;
}

void inventory_release(struct inventory *inventory)
{
    for (size_t i = 0; i < inventory->count; i++) {
        free(inventory->items[i].path);
        free(inventory->items[i].target);
    }
    free(inventory->items);
    *inventory = (struct inventory){0};
}

const struct inventory_item *inventory_find(const struct inventory *inventory, const char *path)
{
    struct inventory_item key = {.path = (char *)path};

    if (inventory->count == 0)
        return NULL;
    return bsearch(&key, inventory->items, inventory->count, sizeof(*inventory->items), by_path);
}
