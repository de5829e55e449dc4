/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Tar archives (POSIX.1-2017, pax; ustar where that is enough), as a stream. The only file that
 * knows libarchive, which sees no file system: no name of an archive is opened here. Names are
 * UTF-8, and so must the locale be (LC_CTYPE). They come back byte by byte, in whatever form of
 * Unicode (UAX 15) they are; of an archive of others that does not call them bytes, composed.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;
struct tar_writer;
struct tar_reader;

enum tar_type { TAR_FILE, TAR_DIRECTORY, TAR_LINK };

struct tar_entry {
    enum tar_type type;
    const char *path;
    const char *target; /* of a symlink */
    uint64_t size_bytes;
    mode_t mode; /* permissions */
    int64_t mtime;
};

/* Takes bytes of the archive. */
typedef bool tar_sink(void *context, const void *data, size_t size, struct err *err);
/* Gives some; *ret_size 0 at the end. They stay until the next call. */
typedef bool tar_source(void *context, const void **ret, size_t *ret_size, struct err *err);

/* Never NULL: what fails shows at the first entry. Calls sink with context for all that is written.
 */
struct tar_writer *tar_writer_new(tar_sink *sink, void *context);
/* Begins an entry; of a file, so many bytes of data must follow. Fails as the sink does, and for
 * want of memory. */
[[nodiscard]] bool tar_writer_entry(struct tar_writer *writer, const struct tar_entry *entry,
                                    struct err *err);
[[nodiscard]] bool tar_writer_data(struct tar_writer *writer, const void *data, size_t size,
                                   struct err *err);
/* Ends the entry: fills up its last block. */
[[nodiscard]] bool tar_writer_entry_end(struct tar_writer *writer, struct err *err);
/* Ends the archive: without it, what follows may be entries of the same one. */
[[nodiscard]] bool tar_writer_end(struct tar_writer *writer, struct err *err);
void tar_writer_free(struct tar_writer *writer);

/* Never NULL: what fails shows at the first entry. */
struct tar_reader *tar_reader_new(tar_source *source, void *context);

/*
 * The next entry; its strings live until the next call. *ret_end: there is none, and the source was
 * read to its end. E-SNAPSHOT on damage, and on what no snapshot has: hard links, devices, fifos,
 * sockets.
 */
[[nodiscard]] bool tar_reader_next(struct tar_reader *reader, struct tar_entry *ret, bool *ret_end,
                                   struct err *err);
/* Data of the entry into buf; *ret_size 0 at its end. */
[[nodiscard]] bool tar_reader_data(struct tar_reader *reader, void *buf, size_t size,
                                   size_t *ret_size, struct err *err);
void tar_reader_free(struct tar_reader *reader);
