/* SPDX-License-Identifier: MIT */
#include "runtime/stub/codec.h"

#include <zlib.h>
#include <zstd.h>

const char *codec_name(unsigned int codec)
{
    static const char *const names[] = {
        [CODEC_GZIP] = "gzip", [CODEC_LZMA] = "lzma", [CODEC_LZO] = "lzo",
        [CODEC_XZ] = "xz",     [CODEC_LZ4] = "lz4",   [CODEC_ZSTD] = "zstd",
    };

    if (codec >= sizeof(names) / sizeof(names[0]) || names[codec] == NULL)
        return "unknown";
    return names[codec];
}

bool codec_supported(unsigned int codec)
{
    return codec == CODEC_GZIP || codec == CODEC_ZSTD;
}

static bool decode_gzip(const void *src, size_t src_size, void *dst, size_t size, size_t *ret_size)
{
    uLongf got = (uLongf)size;

    if (uncompress(dst, &got, src, (uLong)src_size) != Z_OK)
        return false;
    *ret_size = (size_t)got;
    return true;
}

static bool decode_zstd(const void *src, size_t src_size, void *dst, size_t size, size_t *ret_size)
{
    /* Kept for the life of the process: making one costs more than decoding a small block. */
    static ZSTD_DCtx *state;
    size_t got;

    if (state == NULL && (state = ZSTD_createDCtx()) == NULL)
        return false;
    got = ZSTD_decompressDCtx(state, dst, size, src, src_size);
    if (ZSTD_isError(got))
        return false;
    *ret_size = got;
    return true;
}

bool codec_decode(unsigned int codec, const void *src, size_t src_size, void *dst, size_t size,
                  size_t *ret_size)
{
    switch (codec) {
    case CODEC_GZIP:
        return decode_gzip(src, src_size, dst, size, ret_size);
    case CODEC_ZSTD:
        return decode_zstd(src, src_size, dst, size, ret_size);
    default:
        return false;
    }
}
