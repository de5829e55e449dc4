/* SPDX-License-Identifier: MIT */
#include "runtime/keeper/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/fs.h"
#include "common/xalloc.h"
#include "runtime/keeper/output.h"
#include "runtime/keeper/progress.h"
#include "runtime/keeper/reading.h"
#include "runtime/keeper/tar.h"

enum { PIECE_BYTES = 256 << 10, MODE_LEAST_DIR = 0700, MODE_LEAST_FILE = 0600 };

struct unpack {
    struct reading *reading;
    int dirfd;
    const char *path;
    struct progress *progress;
    uint8_t *piece;
};

static bool damaged(struct err *err, const char *path, const char *what)
{
    (void)err_set(err, ERR_INPUT, "the snapshot is damaged: '%.300s' %s", path, what);
    (void)err_id(err, "E-SNAPSHOT");
    return err_hint(err, "take another copy of it, or the snapshot before it");
}

static bool failed(struct err *err, const char *path)
{
    (void)err_sys(err, "'%s'", path);
    return output_explain_state(path, err);
}

static bool make_directories(const struct unpack *unpack, struct err *err)
{
    const struct manifest *manifest = &unpack->reading->manifest;

    for (size_t i = 0; i < manifest->directory_count; i++) {
        const char *path = manifest->directories[i];

        if (mkdirat(unpack->dirfd, path, MODE_LEAST_DIR) == 0)
            continue;
        if (errno == ENOENT || errno == EEXIST)
            return damaged(err, path, "is not listed in order");
        return failed(err, path);
    }
    return true;
}

static bool fill(struct unpack *unpack, int fd, const struct manifest_file *file, struct err *err)
{
    struct digest digest = {0};
    uint8_t sha256[DIGEST_SIZE];
    uint64_t used = 0;
    size_t length;

    digest_init(&digest);
    for (;;) {
        if (!tar_reader_data(unpack->reading->tar, unpack->piece, PIECE_BYTES, &length, err))
            return false;
        if (length == 0)
            break;
        used += length;
        if (used > file->size_bytes)
            break;
        digest_update(&digest, unpack->piece, length);
        if (!fs_write_all(fd, unpack->piece, length, err)) {
            (void)err_wrap(err, "'%s'", file->path);
            return output_explain_state(file->path, err);
        }
        progress_add(unpack->progress, length);
    }
    digest_final(&digest, sha256);
    return (used == file->size_bytes && memcmp(sha256, file->sha256, sizeof(sha256)) == 0) ||
           damaged(err, file->path, "is not what the manifest says");
}

static bool take_file(struct unpack *unpack, const struct tar_entry *entry, struct err *err)
{
    struct manifest_file *file = manifest_find_file(&unpack->reading->manifest, entry->path);
    const struct timespec times[] = {{.tv_sec = entry->mtime}, {.tv_sec = entry->mtime}};
    cleanup_fd int fd = -1;

    if (file == NULL)
        return damaged(err, entry->path, "is not in the manifest");
    if (file->is_seen)
        return damaged(err, entry->path, "comes twice");
    if (entry->size_bytes != file->size_bytes)
        return damaged(err, entry->path, "has another size than the manifest says");
    file->is_seen = true;
    fd = openat(unpack->dirfd, file->path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                MODE_LEAST_FILE);
    if (fd < 0)
        return failed(err, file->path);
    if (!fill(unpack, fd, file, err))
        return false;
    (void)futimens(fd, times); /* a time that the file system does not know is no loss */
    return fchmod(fd, entry->mode | MODE_LEAST_FILE) == 0 || failed(err, file->path);
}

static bool take_link(struct unpack *unpack, const struct tar_entry *entry, struct err *err)
{
    struct manifest_link *link = manifest_find_link(&unpack->reading->manifest, entry->path);

    if (link == NULL)
        return damaged(err, entry->path, "is not in the manifest");
    if (link->is_seen || strcmp(link->target, entry->target) != 0)
        return damaged(err, entry->path, "is not what the manifest says");
    link->is_seen = true;
    return symlinkat(link->target, unpack->dirfd, link->path) == 0 || failed(err, link->path);
}

/* They are there already; a '/' at the end is tar's. */
static bool take_directory(struct unpack *unpack, const struct tar_entry *entry, struct err *err)
{
    cleanup_free char *path = xstrdup(entry->path);
    size_t len = strlen(path);

    if (len > 0 && path[len - 1] == '/')
        path[len - 1] = '\0';
    if (!manifest_has_directory(&unpack->reading->manifest, path))
        return damaged(err, entry->path, "is not in the manifest");
    return fchmodat(unpack->dirfd, path, entry->mode | MODE_LEAST_DIR, 0) == 0 || failed(err, path);
}

static bool take_entries(struct unpack *unpack, struct err *err)
{
    for (;;) {
        struct tar_entry entry;
        bool is_end;
        bool ok;

        if (!tar_reader_next(unpack->reading->tar, &entry, &is_end, err))
            return false;
        if (is_end)
            return true;
        ok = entry.type == TAR_FILE   ? take_file(unpack, &entry, err)
             : entry.type == TAR_LINK ? take_link(unpack, &entry, err)
                                      : take_directory(unpack, &entry, err);
        if (!ok)
            return false;
    }
}

static bool check_complete(const struct manifest *manifest, struct err *err)
{
    for (size_t i = 0; i < manifest->file_count; i++)
        if (!manifest->files[i].is_seen)
            return damaged(err, manifest->files[i].path, "is missing");
    for (size_t i = 0; i < manifest->link_count; i++)
        if (!manifest->links[i].is_seen)
            return damaged(err, manifest->links[i].path, "is missing");
    return true;
}

static bool has_rows(const struct database_facts *facts, const struct database_table *table)
{
    for (size_t i = 0; i < facts->count; i++)
        if (strcmp(facts->tables[i].name, table->name) == 0)
            return facts->tables[i].rows == table->rows;
    return false;
}

static bool check_database(const struct unpack *unpack, const struct manifest_file *file,
                           struct err *err)
{
    cleanup_free char *path = xasprintf("%s/%s", unpack->path, file->path);
    struct database_facts facts = {0};
    bool ok;

    if (!database_check(path, file->path, true, err) ||
        !database_describe(path, file->path, &facts, err))
        return err_wrap(err, "the snapshot");
    ok = facts.count == file->facts.count;
    for (size_t i = 0; ok && i < facts.count; i++)
        ok = has_rows(&facts, &file->facts.tables[i]);
    database_facts_release(&facts);
    return ok || damaged(err, file->path, "has not the rows that the manifest says");
}

static bool give_to(const struct unpack *unpack, const char *path, const struct unpack_owner *owner,
                    struct err *err)
{
    return fchownat(unpack->dirfd, path, owner->uid, owner->gid, AT_SYMLINK_NOFOLLOW) == 0 ||
           failed(err, path);
}

/* Last, and from below: as long as the top is ours, nobody can put a link in the way. */
static bool give_away(const struct unpack *unpack, const struct unpack_owner *owner,
                      struct err *err)
{
    const struct manifest *manifest = &unpack->reading->manifest;

    if (!owner->is_given)
        return true;
    for (size_t i = 0; i < manifest->file_count; i++)
        if (!give_to(unpack, manifest->files[i].path, owner, err))
            return false;
    for (size_t i = 0; i < manifest->link_count; i++)
        if (!give_to(unpack, manifest->links[i].path, owner, err))
            return false;
    for (size_t i = manifest->directory_count; i > 0; i--)
        if (!give_to(unpack, manifest->directories[i - 1], owner, err))
            return false;
    return true;
}

bool unpack_run(struct reading *reading, int dirfd, const char *path,
                const struct unpack_owner *owner, struct progress *progress, struct err *err)
{
    struct manifest *manifest = &reading->manifest;
    cleanup_free uint8_t *piece = xcalloc(PIECE_BYTES, 1);
    struct unpack unpack = {reading, dirfd, path, progress, piece};

    if (!make_directories(&unpack, err) || !take_entries(&unpack, err) ||
        !check_complete(manifest, err))
        return false;
    for (size_t i = 0; i < manifest->file_count; i++)
        if (manifest->files[i].is_database && !check_database(&unpack, &manifest->files[i], err))
            return false;
    return give_away(&unpack, owner, err);
}
