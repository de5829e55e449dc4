/* SPDX-License-Identifier: MIT */
#include "runtime/keeper/tar.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <archive.h>
#include <archive_entry.h>

#include "common/err.h"
#include "common/xalloc.h"

/* The callbacks of libarchive know only error numbers: our error waits in the struct. */
struct tar_writer {
    struct archive *archive; /* the one of this entry */
    struct archive *plain;
    struct archive *binary; /* for names_are_bytes() */
    struct archive_entry *entry;
    tar_sink *sink;
    void *context;
    struct err err;
    bool is_over; /* what libarchive still writes when it is freed is nobody's */
};

struct tar_reader {
    struct archive *archive;
    struct archive_entry *entry; /* ours: libarchive does not look whether it has got one */
    tar_source *source;
    void *context;
    struct err err;
    bool is_open;
};

static la_ssize_t give(struct archive *archive, void *context, const void *data, size_t size)
{
    struct tar_writer *writer = context;

    (void)archive;
    if (writer->is_over || writer->sink(writer->context, data, size, &writer->err))
        return (la_ssize_t)size;
    writer->is_over = true;
    return -1;
}

/* Nothing is held back, so that the archive can be cut between entries. */
static struct archive *open_writer(struct tar_writer *writer, const char *charset)
{
    struct archive *archive = archive_write_new();

    if (archive == NULL)
        return NULL;
    (void)archive_write_set_format_pax_restricted(archive);
    if (charset != NULL)
        (void)archive_write_set_format_option(archive, "pax", "hdrcharset", charset);
    (void)archive_write_set_bytes_per_block(archive, 0);
    (void)archive_write_open(archive, writer, NULL, give, NULL);
    return archive;
}

/*
 * libarchive composes the names of a pax header when it reads them (NFC), and then they are those
 * of other files; unless the header says that they are bytes, which GNU tar takes for granted and
 * warns of. That is a choice for a whole archive: so two write the entries of one in turn.
 */
struct tar_writer *tar_writer_new(tar_sink *sink, void *context)
{
    struct tar_writer *writer = xcalloc(1, sizeof(*writer));

    writer->sink = sink;
    writer->context = context;
    writer->plain = open_writer(writer, NULL);
    writer->binary = open_writer(writer, "BINARY");
    writer->entry = archive_entry_new();
    writer->archive = writer->binary != NULL ? writer->plain : NULL;
    return writer;
}

/* No character below U+0300 is composed with another: in UTF-8, those before the byte 0xCC. */
static bool names_are_bytes(const char *name)
{
    while (name != NULL && *name != '\0')
        if ((unsigned char)*name++ >= 0xCC)
            return true;
    return false;
}

static bool write_failed(struct tar_writer *writer, struct err *err)
{
    if (writer->err.kind != ERR_NONE) {
        *err = writer->err;
        return false;
    }
    if (writer->archive == NULL || writer->entry == NULL)
        return err_set(err, ERR_SYSTEM, "out of memory");
    return err_set(err, ERR_SYSTEM, "tar: %s", archive_error_string(writer->archive));
}

bool tar_writer_entry(struct tar_writer *writer, const struct tar_entry *entry, struct err *err)
{
    static const mode_t types[] = {
        [TAR_FILE] = AE_IFREG, [TAR_DIRECTORY] = AE_IFDIR, [TAR_LINK] = AE_IFLNK};

    if (writer->archive == NULL || writer->entry == NULL)
        return write_failed(writer, err);
    writer->archive = names_are_bytes(entry->path) || names_are_bytes(entry->target)
                          ? writer->binary
                          : writer->plain;
    (void)archive_entry_clear(writer->entry);
    archive_entry_set_pathname(writer->entry, entry->path);
    archive_entry_set_mode(writer->entry, types[entry->type] | (entry->mode & 0777));
    archive_entry_set_mtime(writer->entry, entry->mtime, 0);
    archive_entry_set_size(writer->entry,
                           entry->type == TAR_FILE ? (la_int64_t)entry->size_bytes : 0);
    if (entry->type == TAR_LINK)
        archive_entry_set_symlink(writer->entry, entry->target);
    return archive_write_header(writer->archive, writer->entry) == ARCHIVE_OK ||
           write_failed(writer, err);
}

bool tar_writer_data(struct tar_writer *writer, const void *data, size_t size, struct err *err)
{
    return archive_write_data(writer->archive, data, size) == (la_ssize_t)size ||
           write_failed(writer, err);
}

bool tar_writer_entry_end(struct tar_writer *writer, struct err *err)
{
    return archive_write_finish_entry(writer->archive) == ARCHIVE_OK || write_failed(writer, err);
}

bool tar_writer_end(struct tar_writer *writer, struct err *err)
{
    bool ok;

    writer->archive = writer->plain;
    ok = archive_write_close(writer->archive) == ARCHIVE_OK || write_failed(writer, err);

    writer->is_over = true;
    return ok;
}

void tar_writer_free(struct tar_writer *writer)
{
    if (writer == NULL)
        return;
    writer->is_over = true;
    if (writer->plain != NULL)
        (void)archive_write_free(writer->plain);
    if (writer->binary != NULL)
        (void)archive_write_free(writer->binary);
    if (writer->entry != NULL)
        archive_entry_free(writer->entry);
    free(writer);
}

static la_ssize_t take(struct archive *archive, void *context, const void **ret)
{
    struct tar_reader *reader = context;
    size_t size = 0;

    if (reader->source(reader->context, ret, &size, &reader->err))
        return (la_ssize_t)size;
    archive_set_error(archive, EIO, "%s", reader->err.msg);
    return -1;
}

struct tar_reader *tar_reader_new(tar_source *source, void *context)
{
    struct tar_reader *reader = xcalloc(1, sizeof(*reader));

    reader->source = source;
    reader->context = context;
    reader->archive = archive_read_new();
    if (reader->archive == NULL)
        xdie();
    reader->entry = archive_entry_new2(reader->archive);
    if (reader->entry == NULL)
        xdie();
    return reader;
}

static bool damaged(struct tar_reader *reader, const char *what, struct err *err)
{
    const char *why = archive_error_string(reader->archive);

    if (reader->err.kind != ERR_NONE) {
        *err = reader->err;
        return false;
    }
    /* It says nothing of the snapshot. */
    if (archive_errno(reader->archive) == ENOMEM)
        xdie();
    if (what != NULL)
        (void)err_set(err, ERR_INPUT, "the snapshot is damaged: %s", what);
    else
        (void)err_set(err, ERR_INPUT, "the snapshot is damaged: tar: %s",
                      why != NULL ? why : "unknown");
    (void)err_id(err, "E-SNAPSHOT");
    return err_hint(err, "take another copy of it, or the snapshot before it");
}

/* As archive_read_open(), which does not look whether there was memory for the second. */
static bool open_reader(struct tar_reader *reader, struct err *err)
{
    if (archive_read_support_format_tar(reader->archive) != ARCHIVE_OK ||
        archive_read_set_read_callback(reader->archive, take) != ARCHIVE_OK ||
        archive_read_set_callback_data(reader->archive, reader) != ARCHIVE_OK ||
        archive_read_open1(reader->archive) != ARCHIVE_OK)
        return damaged(reader, NULL, err);
    reader->is_open = true;
    return true;
}

/* The checksum of the last frame is behind the last entry. */
static bool drain(struct tar_reader *reader, struct err *err)
{
    const void *data;
    size_t size;

    do {
        if (!reader->source(reader->context, &data, &size, err))
            return false;
    } while (size > 0);
    return true;
}

static bool take_entry(struct tar_reader *reader, struct tar_entry *ret, struct err *err)
{
    mode_t type = archive_entry_filetype(reader->entry);
    int64_t size = archive_entry_size(reader->entry);

    *ret = (struct tar_entry){
        .path = archive_entry_pathname(reader->entry),
        .target = archive_entry_symlink(reader->entry),
        .mode = archive_entry_perm(reader->entry) & 0777,
        .mtime = archive_entry_mtime(reader->entry),
    };
    if (ret->path == NULL || size < 0)
        return damaged(reader, "an entry without a name or size", err);
    if (archive_entry_hardlink(reader->entry) != NULL)
        return damaged(reader, "it holds a hard link", err);
    ret->size_bytes = (uint64_t)size;
    if (type == AE_IFREG)
        ret->type = TAR_FILE;
    else if (type == AE_IFDIR)
        ret->type = TAR_DIRECTORY;
    else if (type == AE_IFLNK && ret->target != NULL)
        ret->type = TAR_LINK;
    else
        return damaged(reader, "it holds what is no file, directory or link", err);
    return true;
}

bool tar_reader_next(struct tar_reader *reader, struct tar_entry *ret, bool *ret_end,
                     struct err *err)
{
    int status;

    if (!reader->is_open && !open_reader(reader, err))
        return false;
    status = archive_read_next_header2(reader->archive, reader->entry);
    *ret_end = status == ARCHIVE_EOF;
    if (status == ARCHIVE_EOF)
        return reader->err.kind == ERR_NONE ? drain(reader, err) : damaged(reader, NULL, err);
    /* A warning is about what we do not use, or a damaged header: either way no archive of ours. */
    if (status != ARCHIVE_OK)
        return damaged(reader, NULL, err);
    return take_entry(reader, ret, err);
}

bool tar_reader_data(struct tar_reader *reader, void *buf, size_t size, size_t *ret_size,
                     struct err *err)
{
    la_ssize_t length = archive_read_data(reader->archive, buf, size);

    if (length < 0)
        return damaged(reader, NULL, err);
    *ret_size = (size_t)length;
    return true;
}

void tar_reader_free(struct tar_reader *reader)
{
    if (reader == NULL)
        return;
    (void)archive_read_free(reader->archive);
    archive_entry_free(reader->entry);
    free(reader);
}
