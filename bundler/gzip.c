/* SPDX-License-Identifier: MIT */
#include "bundler/gzip.h"

#include <limits.h>
#include <stdlib.h>

#include <zlib.h>

#include "common/err.h"
#include "common/xalloc.h"

enum {
    PIECE_BYTES = 64 << 10,
    WINDOW_OF_GZIP = 15 + 16, /* zlib.h: 16 for a gzip header, which then has no name and time */
    MEMORY = 8,               /* zlib's default */
};

struct gzip {
    z_stream stream;
    int code; /* of deflateInit2() */
    gzip_sink *sink;
    void *context;
    unsigned char piece[PIECE_BYTES];
};

struct gzip *gzip_new(int level, gzip_sink *sink, void *context)
{
    struct gzip *gzip = xcalloc(1, sizeof(*gzip));

    gzip->sink = sink;
    gzip->context = context;
    gzip->code =
        deflateInit2(&gzip->stream, level, Z_DEFLATED, WINDOW_OF_GZIP, MEMORY, Z_DEFAULT_STRATEGY);
    return gzip;
}

/* As long as there is no room left, there is more to come. */
static bool pump(struct gzip *gzip, int flush, struct err *err)
{
    do {
        gzip->stream.next_out = gzip->piece;
        gzip->stream.avail_out = PIECE_BYTES;
        if (deflate(&gzip->stream, flush) == Z_STREAM_ERROR)
            return err_set(err, ERR_SYSTEM, "gzip: invalid state");
        if (gzip->stream.avail_out < PIECE_BYTES &&
            !gzip->sink(gzip->context, gzip->piece, PIECE_BYTES - gzip->stream.avail_out, err))
            return false;
    } while (gzip->stream.avail_out == 0);
    return true;
}

bool gzip_write(struct gzip *gzip, const void *data, size_t size, struct err *err)
{
    const unsigned char *from = data;

    if (gzip->code != Z_OK)
        return err_set(err, ERR_SYSTEM, "gzip: out of memory");
    while (size > 0) {
        unsigned int some = size < UINT_MAX ? (unsigned int)size : UINT_MAX;

        gzip->stream.next_in = (z_const unsigned char *)from;
        gzip->stream.avail_in = some;
        if (!pump(gzip, Z_NO_FLUSH, err))
            return false;
        from += some;
        size -= some;
    }
    return true;
}

bool gzip_end(struct gzip *gzip, struct err *err)
{
    if (gzip->code != Z_OK)
        return err_set(err, ERR_SYSTEM, "gzip: out of memory");
    gzip->stream.avail_in = 0;
    return pump(gzip, Z_FINISH, err);
}

void gzip_free(struct gzip *gzip)
{
    if (gzip == NULL)
        return;
    if (gzip->code == Z_OK)
        (void)deflateEnd(&gzip->stream);
    free(gzip);
}
