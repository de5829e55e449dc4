/* SPDX-License-Identifier: MIT */
#include "runtime/keeper/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/xalloc.h"
#include "runtime/keeper/interrupt.h"
#include "runtime/keeper/inventory.h"
#include "runtime/keeper/manifest.h"
#include "runtime/keeper/progress.h"
#include "runtime/keeper/site.h"
#include "runtime/keeper/tar.h"
#include "runtime/keeper/zstream.h"

enum {
    PIECE_BYTES = 1 << 20,
    HEADER_BYTES =
        1536,        /* of the manifest's entry: a ustar header, and what fills the last block */
    DIGITS_MAX = 20, /* a size that has grown meanwhile */
    MANIFEST_MODE = 0600,
};

struct writing {
    const struct snapshot_input *input;
    struct manifest *manifest;
    struct tar_writer *tar;
    uint8_t *piece;
};

static bool into_zstd(void *context, const void *data, size_t size, struct err *err)
{
    return zwriter_write(context, data, size, err);
}

struct memory {
    uint8_t *data;
    size_t size;
    size_t used;
};

static bool into_memory(void *context, const void *data, size_t size, struct err *err)
{
    struct memory *memory = context;

    if (size > memory->size - memory->used)
        return err_set(err, ERR_SYSTEM, "the manifest has no room");
    memcpy(memory->data + memory->used, data, size);
    memory->used += size;
    return true;
}

static bool changed(const char *path, struct err *err)
{
    (void)err_set(err, ERR_INPUT, "'%s' became shorter while it was read", path);
    (void)err_id(err, "E-READ");
    return err_hint(err, "try again, at a time when nobody writes it");
}

/* As many bytes as are asked for, or fewer at the end. */
static bool read_piece(int fd, uint8_t *piece, size_t size, size_t *ret, struct err *err)
{
    *ret = 0;
    while (*ret < size) {
        ssize_t length = read(fd, piece + *ret, size - *ret);

        if (!interrupt_check(err))
            return false;
        if (length < 0 && errno == EINTR)
            continue;
        if (length < 0)
            return err_sys(err, "read");
        if (length == 0)
            break;
        *ret += (size_t)length;
    }
    return true;
}

/* What is small is read before its size is written: then it cannot be wrong. */
static bool write_open(struct writing *writing, int fd, struct tar_entry *entry,
                       struct manifest_file *file, struct err *err)
{
    struct digest digest = {0};
    size_t length;
    uint64_t left;

    if (!read_piece(fd, writing->piece, PIECE_BYTES, &length, err))
        return err_wrap(err, "'%s'", entry->path);
    if (length < PIECE_BYTES)
        entry->size_bytes = length;
    if (!tar_writer_entry(writing->tar, entry, err))
        return false;
    digest_init(&digest);
    for (left = entry->size_bytes; left > 0;) {
        if (length == 0)
            return changed(entry->path, err);
        if (length > left)
            length = (size_t)left;
        digest_update(&digest, writing->piece, length);
        if (!tar_writer_data(writing->tar, writing->piece, length, err))
            return false;
        progress_add(writing->input->progress, length);
        left -= length;
        if (left > 0 && !read_piece(fd, writing->piece, PIECE_BYTES, &length, err))
            return err_wrap(err, "'%s'", entry->path);
    }
    digest_final(&digest, file->sha256);
    file->size_bytes = entry->size_bytes;
    return tar_writer_entry_end(writing->tar, err);
}

static bool write_file(struct writing *writing, struct manifest_file *file, size_t index,
                       struct err *err)
{
    const struct site *site = writing->input->site;
    cleanup_free char *copy = xasprintf("%s/%zu", writing->input->copies, index);
    cleanup_fd int fd = openat(site->fd, file->is_database ? copy : file->path,
                               O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct tar_entry entry = {.type = TAR_FILE, .path = file->path};
    const struct inventory_item *item = inventory_find(writing->input->inventory, file->path);
    struct stat st;

    if (fd < 0 && errno == ENOENT && !file->is_database) {
        file->is_gone = true;
        return true;
    }
    if (fd < 0 || fstat(fd, &st) != 0) {
        (void)err_sys(err, "'%s'", file->path);
        return err_id(err, "E-READ");
    }
    if (!S_ISREG(st.st_mode))
        return changed(file->path, err);
    entry.size_bytes = (uint64_t)st.st_size;
    entry.mode = item != NULL ? item->mode : 0600;
    entry.mtime = item != NULL ? item->mtime : st.st_mtim.tv_sec;
    return write_open(writing, fd, &entry, file, err);
}

static bool write_others(struct writing *writing, enum inventory_kind kind, enum tar_type type,
                         struct err *err)
{
    const struct inventory *inventory = writing->input->inventory;

    for (size_t i = 0; i < inventory->count; i++) {
        const struct inventory_item *item = &inventory->items[i];
        const struct tar_entry entry = {
            .type = type,
            .path = item->path,
            .target = item->target,
            .mode = item->mode,
            .mtime = item->mtime,
        };

        if (item->kind == kind && (!tar_writer_entry(writing->tar, &entry, err) ||
                                   !tar_writer_entry_end(writing->tar, err)))
            return false;
    }
    return true;
}

/* Directories, databases, files, links. */
static bool write_content(struct writing *writing, struct err *err)
{
    if (!write_others(writing, INVENTORY_DIRECTORY, TAR_DIRECTORY, err))
        return false;
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < writing->manifest->file_count; i++) {
            struct manifest_file *file = &writing->manifest->files[i];

            if (!file->is_gone && file->is_database == (round == 0) &&
                !write_file(writing, file, i, err))
                return false;
        }
    return write_others(writing, INVENTORY_LINK, TAR_LINK, err) &&
           tar_writer_end(writing->tar, err);
}

static bool append(const struct snapshot_input *input, int fd, struct manifest *manifest,
                   struct err *err)
{
    struct zwriter *zstd = zwriter_new(fd);
    struct writing writing = {
        .input = input,
        .manifest = manifest,
        .tar = tar_writer_new(into_zstd, zstd),
        .piece = xcalloc(PIECE_BYTES, 1),
    };
    bool ok = write_content(&writing, err) && zwriter_end(zstd, err);

    tar_writer_free(writing.tar);
    zwriter_free(zstd);
    free(writing.piece);
    return ok;
}

/* The manifest's entry without the end of an archive: the others follow. */
static bool put_manifest(const struct manifest *manifest, int fd, uint64_t offset, uint64_t room,
                         struct err *err)
{
    cleanup_free char *text = NULL;
    cleanup_free uint8_t *data = NULL;
    struct tar_writer *tar;
    struct memory memory;
    struct tar_entry entry = {
        .type = TAR_FILE, .path = MANIFEST_NAME, .mode = MANIFEST_MODE, .mtime = manifest->time};
    bool ok;

    if (!manifest_text(manifest, &text, err))
        return false;
    entry.size_bytes = strlen(text);
    data = xcalloc(strlen(text) + HEADER_BYTES, 1);
    memory = (struct memory){.data = data, .size = strlen(text) + HEADER_BYTES};
    tar = tar_writer_new(into_memory, &memory);
    ok = tar_writer_entry(tar, &entry, err) && tar_writer_data(tar, text, strlen(text), err) &&
         tar_writer_entry_end(tar, err);
    tar_writer_free(tar);
    return ok && zframe_fill(fd, offset, room, data, memory.used, err);
}

bool snapshot_write(const struct snapshot_input *input, int fd, struct manifest *manifest,
                    struct err *err)
{
    off_t offset = lseek(fd, 0, SEEK_END);
    cleanup_free char *text = NULL;
    uint64_t room;

    if (offset < 0)
        return err_sys(err, "seek");
    if (!manifest_text(manifest, &text, err))
        return false;
    if (strlen(text) > MANIFEST_BYTES_MAX)
        return err_set(err, ERR_INPUT, "too many files for one snapshot");
    room = zframe_room(strlen(text) + HEADER_BYTES + DIGITS_MAX * manifest->file_count);
    if (lseek(fd, offset + (off_t)room, SEEK_SET) < 0)
        return err_sys(err, "seek");
    return append(input, fd, manifest, err) &&
           put_manifest(manifest, fd, (uint64_t)offset, room, err);
}
