/* SPDX-License-Identifier: MIT */
#include "runtime/stub/codec.h"

#include <endian.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ZLIB_CONST
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include "common/err.h"
#include "runtime/stub/lz4.h"

struct codec {
    unsigned int kind;
    z_stream gzip;
    ZSTD_DCtx *zstd;
    uint32_t crc_table[256]; /* for xz */
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
    return kind == CODEC_GZIP || kind == CODEC_XZ || kind == CODEC_LZ4 || kind == CODEC_ZSTD;
}

/* The CRC of IEEE 802.3, reflected. */
static uint32_t crc_step(uint32_t crc)
{
    for (int bit = 0; bit < 8; bit++)
        crc = crc >> 1 ^ (UINT32_C(0xedb88320) & -(crc & 1));
    return crc;
}

static void make_crc_table(uint32_t table[256])
{
    for (uint32_t i = 0; i < 256; i++)
        table[i] = crc_step(i);
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
        else if (kind == CODEC_XZ)
            make_crc_table(codec->crc_table);
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

/*
 * The libraries' own bring 41 kB of tables and of hashes that no squashfs has: defined here, they
 * keep those members out of the stub. liblzma asks for the checksums of its headers, zlib for those
 * of gzip files, which squashfs does not have.
 */
uint32_t lzma_crc32(const uint8_t *data, size_t size, uint32_t crc)
{
    crc = ~crc;
    for (size_t i = 0; i < size; i++)
        crc = crc_step((crc ^ data[i]) & 255) ^ crc >> 8;
    return ~crc;
}

uLong crc32(uLong crc, const Bytef *data, uInt size)
{
    return data == NULL ? 0 : lzma_crc32(data, size, (uint32_t)crc);
}

uint32_t lzma_check_size(lzma_check check)
{
    return check == LZMA_CHECK_CRC32 ? sizeof(uint32_t) : 0;
}

static bool crc_matches(const uint32_t table[256], const uint8_t *data, size_t size,
                        const uint8_t *want_bytes)
{
    uint32_t crc = UINT32_MAX;
    uint32_t want;

    memcpy(&want, want_bytes, sizeof(want));
    for (size_t i = 0; i < size; i++)
        crc = table[(crc ^ data[i]) & 255] ^ crc >> 8;
    return ~crc == le32toh(want);
}

/* The block that follows its header: its data, zeros up to a multiple of four, its checksum. A
 * table of NULL: it has none. */
static bool decode_xz_block(const lzma_filter *filters, const uint32_t *table, const uint8_t *src,
                            size_t src_size, void *dst, size_t size, size_t *ret_size)
{
    size_t used = 0, got = 0;

    /* UINT64_MAX for filters that do not go together. */
    if (lzma_raw_decoder_memusage(filters) > CODEC_XZ_MEMORY_MAX ||
        lzma_raw_buffer_decode(filters, NULL, src, &used, src_size, dst, &got, size) != LZMA_OK)
        return false;
    used = (used + 3) / 4 * 4;
    *ret_size = got;
    return table == NULL || (used <= src_size && src_size - used >= sizeof(uint32_t) &&
                             crc_matches(table, dst, got, src + used));
}

/*
 * One stream of one block, as the kernel reads it. The index and the footer behind the block say
 * nothing that the checksum does not.
 */
static bool decode_xz(const uint32_t table[256], const uint8_t *src, size_t src_size, void *dst,
                      size_t size, size_t *ret_size)
{
    lzma_filter filters[LZMA_FILTERS_MAX + 1];
    lzma_block block = {.filters = filters};
    lzma_stream_flags flags;
    bool done;

    if (src_size <= LZMA_STREAM_HEADER_SIZE || lzma_stream_header_decode(&flags, src) != LZMA_OK ||
        (flags.check != LZMA_CHECK_NONE && flags.check != LZMA_CHECK_CRC32))
        return false;
    src += LZMA_STREAM_HEADER_SIZE;
    src_size -= LZMA_STREAM_HEADER_SIZE;
    block.check = flags.check;
    block.header_size = lzma_block_header_size_decode(src[0]);
    if (src[0] == 0 || block.header_size >= src_size ||
        lzma_block_header_decode(&block, NULL, src) != LZMA_OK)
        return false;
    done =
        decode_xz_block(filters, flags.check == LZMA_CHECK_CRC32 ? table : NULL,
                        src + block.header_size, src_size - block.header_size, dst, size, ret_size);
    for (size_t i = 0; i < LZMA_FILTERS_MAX; i++)
        free(filters[i].options);
    return done;
}

bool codec_decode(struct codec *codec, const void *src, size_t src_size, void *dst, size_t size,
                  size_t *ret_size)
{
    switch (codec->kind) {
    case CODEC_GZIP:
        return decode_gzip(&codec->gzip, src, src_size, dst, size, ret_size);
    case CODEC_XZ:
        return decode_xz(codec->crc_table, src, src_size, dst, size, ret_size);
    case CODEC_LZ4:
        return lz4_decode(src, src_size, dst, size, ret_size);
    case CODEC_ZSTD:
        return decode_zstd(codec->zstd, src, src_size, dst, size, ret_size);
    default:
        return false;
    }
}
