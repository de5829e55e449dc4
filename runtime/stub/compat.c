/* SPDX-License-Identifier: MIT */
/*
 * What the archives refer to and the stub does without. Defined here, before the archives are
 * searched, so that their members are not linked.
 *
 * libsquashfuse names decoders, which it is never asked for (sqfs.c gives it codec.c): they fail
 * should that ever change.
 */
#include <ctype.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <wctype.h>

int lzo1x_decompress_safe(const unsigned char *src, size_t src_size, unsigned char *dst,
                          size_t *dst_size, void *work);
int LZ4_decompress_safe(const char *src, char *dst, int src_size, int dst_size);
int lzma_stream_buffer_decode(uint64_t *limit, uint32_t flags, const void *allocator,
                              const uint8_t *in, size_t *in_pos, size_t in_size, uint8_t *out,
                              size_t *out_pos, size_t out_size);

int lzo1x_decompress_safe(const unsigned char *src, size_t src_size, unsigned char *dst,
                          size_t *dst_size, void *work)
{
    (void)src, (void)src_size, (void)dst, (void)dst_size, (void)work;
    return -1;
}

int LZ4_decompress_safe(const char *src, char *dst, int src_size, int dst_size)
{
    (void)src, (void)dst, (void)src_size, (void)dst_size;
    return -1;
}

int lzma_stream_buffer_decode(uint64_t *limit, uint32_t flags, const void *allocator,
                              const uint8_t *in, size_t *in_pos, size_t in_size, uint8_t *out,
                              size_t *out_pos, size_t out_size)
{
    (void)limit, (void)flags, (void)allocator, (void)in, (void)in_pos, (void)in_size;
    (void)out, (void)out_pos, (void)out_size;
    return -1;
}

/*
 * fnmatch(3) asks these, whose tables of all alphabets cost 13 kB. The stub never calls
 * setlocale(): in the C locale only ASCII has classes and cases, and musl maps all other bytes to
 * values that have none.
 */
static const struct {
    const char *name;
    int (*test)(int c);
} classes[] = {
    {"alnum", isalnum}, {"alpha", isalpha}, {"blank", isblank}, {"cntrl", iscntrl},
    {"digit", isdigit}, {"graph", isgraph}, {"lower", islower}, {"print", isprint},
    {"punct", ispunct}, {"space", isspace}, {"upper", isupper}, {"xdigit", isxdigit},
};

wctype_t wctype(const char *name)
{
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
        if (strcmp(classes[i].name, name) == 0)
            return (wctype_t)(i + 1);
    return 0;
}

int iswctype(wint_t c, wctype_t type)
{
    return c < 128 && type > 0 && classes[type - 1].test((int)c);
}

wint_t towlower(wint_t c)
{
    return c < 128 ? (wint_t)tolower((int)c) : c;
}

wint_t towupper(wint_t c)
{
    return c < 128 ? (wint_t)toupper((int)c) : c;
}
