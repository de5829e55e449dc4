/* SPDX-License-Identifier: MIT */
#include "runtime/stub/codec.h"

#include <errno.h>
#include <stdlib.h>

#define ZLIB_CONST
#include <zlib.h>
#include <zstd.h>

#include "common/err.h"

struct codec {
    unsigned int kind;
    z_stream gzip;
    ZSTD_DCtx *zstd;
};

const char *codec_name(unsigned int kind)
{
    static const char *const names[] = {
        [CODEC_GZIP] = "gzip", [CODEC_LZMA] = "lzma", [CODEC_LZO] = "lzo",
        [CODEC_XZ] = "xz",     [CODEC_LZ4] = "lz4",   [CODEC_ZSTD] = "zstd",
    };

    if (kind >= sizeof(names) / sizeof(names[0]) || names[kind] == NULL)
        return "unknown";
    return names[kind];
}

bool codec_supported(unsigned int kind)
{
    return kind == CODEC_GZIP || kind == CODEC_ZSTD;
}

bool codec_new(struct codec **ret, unsigned int kind, struct err *err)
{
    struct codec *codec = calloc(1, sizeof(*codec));
    bool ok = codec != NULL;

    if (ok) {
        codec->kind = kind;
        if (kind == CODEC_GZIP)
            ok = inflateInit(&codec->gzip) == Z_OK;
        else if (kind == CODEC_ZSTD)
            ok = (codec->zstd = ZSTD_createDCtx()) != NULL;
    }
    if (!ok) {
        free(codec);
        errno = ENOMEM;
        return err_sys(err, "starting the %s decoder", codec_name(kind));
    }
    *ret = codec;
    return true;
}

void codec_free(struct codec *codec)
{
    if (codec == NULL)
        return;
    if (codec->kind == CODEC_GZIP)
        (void)inflateEnd(&codec->gzip);
    else if (codec->kind == CODEC_ZSTD)
        (void)ZSTD_freeDCtx(codec->zstd);
    free(codec);
}

static bool decode_gzip(z_stream *stream, const void *src, size_t src_size, void *dst, size_t size,
                        size_t *ret_size)
{
    if (inflateReset(stream) != Z_OK)
        return false;
    stream->next_in = src;
    stream->avail_in = (uInt)src_size;
    stream->next_out = dst;
    stream->avail_out = (uInt)size;
    if (inflate(stream, Z_FINISH) != Z_STREAM_END)
        return false;
    *ret_size = (size_t)stream->total_out;
    return true;
}

static bool decode_zstd(ZSTD_DCtx *state, const void *src, size_t src_size, void *dst, size_t size,
                        size_t *ret_size)
{
    size_t got = ZSTD_decompressDCtx(state, dst, size, src, src_size);

    if (ZSTD_isError(got))
        return false;
    *ret_size = got;
    return true;
}

bool codec_decode(struct codec *codec, const void *src, size_t src_size, void *dst, size_t size,
                  size_t *ret_size)
{
    switch (codec->kind) {
    case CODEC_GZIP:
        return decode_gzip(&codec->gzip, src, src_size, dst, size, ret_size);
    case CODEC_ZSTD:
        return decode_zstd(codec->zstd, src, src_size, dst, size, ret_size);
    default:
        return false;
    }
}
