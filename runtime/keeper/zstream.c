/* SPDX-License-Identifier: MIT */
#include "runtime/keeper/zstream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zstd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/fs.h"
#include "common/xalloc.h"
#include "runtime/keeper/interrupt.h"

enum {
    BUFFER_BYTES = 256 << 10,
    LEVEL = 3,
    FRAME_HEADER_MAX = 18,
    SKIPPABLE_HEADER = 8, /* RFC 8878, 3.1.2: magic, size */
    SKIPPABLE_MAGIC = 0x184D2A50,
    WINDOW_LOG_MAX = 27, /* what `zstd -d` takes without being asked: 128 MiB */
};

struct zwriter {
    ZSTD_CCtx *zstd;
    int fd;
    uint8_t out[BUFFER_BYTES];
};

struct zreader {
    ZSTD_DCtx *zstd;
    int fd;
    uint64_t left; /* of the limit */
    uint64_t taken;
    bool is_inside; /* of a frame */
    bool is_full;   /* the last output was, and zstd may hold more */
    ZSTD_inBuffer in;
    uint8_t raw[BUFFER_BYTES];
    uint8_t out[BUFFER_BYTES];
};

static ZSTD_CCtx *new_compressor(void)
{
    ZSTD_CCtx *zstd = ZSTD_createCCtx();

    if (zstd != NULL) {
        (void)ZSTD_CCtx_setParameter(zstd, ZSTD_c_compressionLevel, LEVEL);
        (void)ZSTD_CCtx_setParameter(zstd, ZSTD_c_checksumFlag, 1);
    }
    return zstd;
}

struct zwriter *zwriter_new(int fd)
{
    struct zwriter *writer = xcalloc(1, sizeof(*writer));

    writer->zstd = new_compressor();
    writer->fd = fd;
    return writer;
}

static bool compress(struct zwriter *writer, const void *data, size_t size, ZSTD_EndDirective how,
                     struct err *err)
{
    ZSTD_inBuffer in = {data, size, 0};
    size_t left;

    if (writer->zstd == NULL)
        return err_set(err, ERR_SYSTEM, "out of memory");
    do {
        ZSTD_outBuffer out = {writer->out, sizeof(writer->out), 0};

        left = ZSTD_compressStream2(writer->zstd, &out, &in, how);
        if (ZSTD_isError(left))
            return err_set(err, ERR_SYSTEM, "zstd: %s", ZSTD_getErrorName(left));
        if (!interrupt_check(err) || !fs_write_all(writer->fd, writer->out, out.pos, err))
            return false;
    } while (how == ZSTD_e_end ? left > 0 : in.pos < in.size);
    return true;
}

bool zwriter_write(struct zwriter *writer, const void *data, size_t size, struct err *err)
{
    return compress(writer, data, size, ZSTD_e_continue, err);
}

bool zwriter_end(struct zwriter *writer, struct err *err)
{
    return compress(writer, NULL, 0, ZSTD_e_end, err);
}

void zwriter_free(struct zwriter *writer)
{
    if (writer == NULL)
        return;
    (void)ZSTD_freeCCtx(writer->zstd);
    free(writer);
}

uint64_t zframe_room(size_t size)
{
    return ZSTD_compressBound(size) + SKIPPABLE_HEADER + FRAME_HEADER_MAX;
}

static void put_u32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

bool zframe_fill(int fd, uint64_t offset, uint64_t room, const void *data, size_t size,
                 struct err *err)
{
    ZSTD_CCtx *zstd = new_compressor();
    cleanup_free uint8_t *frame = xcalloc(room, 1);
    size_t length =
        zstd == NULL ? 0 : ZSTD_compress2(zstd, frame, room - SKIPPABLE_HEADER, data, size);

    (void)ZSTD_freeCCtx(zstd);
    if (length == 0 || ZSTD_isError(length))
        return err_set(err, ERR_SYSTEM, "zstd: out of memory");
    put_u32(frame + length, SKIPPABLE_MAGIC);
    put_u32(frame + length + 4, (uint32_t)(room - length - SKIPPABLE_HEADER));
    if (lseek(fd, (off_t)offset, SEEK_SET) < 0)
        return err_sys(err, "seek");
    return fs_write_all(fd, frame, room, err);
}

struct zreader *zreader_new(int fd, uint64_t limit)
{
    struct zreader *reader = xcalloc(1, sizeof(*reader));

    reader->zstd = ZSTD_createDCtx();
    if (reader->zstd != NULL)
        (void)ZSTD_DCtx_setParameter(reader->zstd, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
    reader->fd = fd;
    reader->left = limit;
    return reader;
}

static bool damaged(struct err *err, const char *what)
{
    (void)err_set(err, ERR_INPUT, "the snapshot is damaged: %s", what);
    (void)err_id(err, "E-SNAPSHOT");
    return err_hint(err, "take another copy of it, or the snapshot before it");
}

/* More of the compressed bytes; in.size 0 at the end. */
static bool refill(struct zreader *reader, struct err *err)
{
    size_t want = reader->left < sizeof(reader->raw) ? (size_t)reader->left : sizeof(reader->raw);
    ssize_t length;

    do {
        if (!interrupt_check(err))
            return false;
        length = read(reader->fd, reader->raw, want);
    } while (length < 0 && errno == EINTR);
    if (length < 0)
        return err_sys(err, "reading the snapshot");
    if (reader->left != UINT64_MAX)
        reader->left -= (uint64_t)length;
    reader->taken += (uint64_t)length;
    reader->in = (ZSTD_inBuffer){reader->raw, (size_t)length, 0};
    return true;
}

bool zreader_read(struct zreader *reader, const void **ret, size_t *ret_size, struct err *err)
{
    ZSTD_outBuffer out = {reader->out, sizeof(reader->out), 0};

    if (reader->zstd == NULL)
        return err_set(err, ERR_SYSTEM, "out of memory");
    while (out.pos == 0) {
        size_t left;

        if (reader->in.pos == reader->in.size && !reader->is_full) {
            if (!refill(reader, err))
                return false;
            if (reader->in.size == 0 && reader->is_inside)
                return damaged(err, "its end is missing");
            if (reader->in.size == 0)
                break;
        }
        left = ZSTD_decompressStream(reader->zstd, &out, &reader->in);
        if (ZSTD_isError(left))
            return damaged(err, ZSTD_getErrorName(left));
        reader->is_inside = left > 0;
        reader->is_full = left > 0 && out.pos == out.size;
    }
    *ret = reader->out;
    *ret_size = out.pos;
    return true;
}

uint64_t zreader_taken(const struct zreader *reader)
{
    return reader->taken;
}

void zreader_free(struct zreader *reader)
{
    if (reader == NULL)
        return;
    (void)ZSTD_freeDCtx(reader->zstd);
    free(reader);
}
