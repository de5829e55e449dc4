/* SPDX-License-Identifier: MIT */
/*
 * Decoders. The first byte chooses one, the next the size of the output in units of 4 KiB. lz4.c is
 * held against liblz4. Mirrors codec.c, lz4.c.
 */
#include <stdlib.h>
#include <string.h>

#include <lz4.h>

#include "common/err.h"
#include "runtime/stub/codec.h"
#include "runtime/stub/lz4.h"
#include "tests/fuzz/fuzz.h"

static const unsigned int codecs[] = {CODEC_GZIP, CODEC_XZ, CODEC_LZ4, CODEC_ZSTD};

/* The input as a text: what liblz4 makes of it, lz4.c turns back. */
static void turn_back_lz4(const uint8_t *text, size_t size)
{
    size_t room = (size_t)LZ4_compressBound((int)size), got = 0;
    char *packed = malloc(room);
    uint8_t *out = malloc(size);
    int length;

    FUZZ_ASSERT(packed != NULL && out != NULL);
    length = LZ4_compress_default((const char *)text, packed, (int)size, (int)room);
    FUZZ_ASSERT(length > 0);
    FUZZ_ASSERT(lz4_decode(packed, (size_t)length, out, size, &got) && got == size);
    FUZZ_ASSERT(memcmp(text, out, size) == 0);
    FUZZ_ASSERT(!lz4_decode(packed, (size_t)length, out, size - 1, &got));
    free(packed);
    free(out);
}

/* liblz4 takes an offset of 0, which its specification forbids; otherwise both agree. */
static void compare_lz4(const uint8_t *src, size_t src_size, const uint8_t *out, size_t size,
                        size_t got)
{
    char *reference = malloc(size);
    int want;

    FUZZ_ASSERT(reference != NULL);
    want = LZ4_decompress_safe((const char *)src, reference, (int)src_size, (int)size);
    FUZZ_ASSERT(want < 0 || (got == (size_t)want && memcmp(out, reference, got) == 0));
    free(reference);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct codec *codec;
    unsigned int kind;
    struct err err;
    size_t out_size, got = 0;
    uint8_t *out;
    bool decoded;

    if (size < 3)
        return 0;
    kind = codecs[data[0] % (sizeof(codecs) / sizeof(codecs[0]))];
    out_size = (size_t)(data[1] + 1) * 4096;
    out = malloc(out_size);
    FUZZ_ASSERT(out != NULL && codec_new(&codec, kind, &err));
    decoded = codec_decode(codec, data + 2, size - 2, out, out_size, &got);
    FUZZ_ASSERT(!decoded || got <= out_size);
    if (kind == CODEC_LZ4 && decoded)
        compare_lz4(data + 2, size - 2, out, out_size, got);
    if (kind == CODEC_LZ4)
        turn_back_lz4(data + 2, size - 2);
    codec_free(codec);
    free(out);
    return 0;
}
