/* SPDX-License-Identifier: MIT */
/*
 * libzstd can read what its versions before 1.0 wrote, which costs 90 kB. squashfs came to zstd
 * later than that, and so did we, but a hostile block may carry the old magic numbers: these
 * answers make it an error like any other. Defined here, before the archive is searched, so that
 * its members are not linked.
 */
#include <stddef.h>

#define LEGACY_ERROR(name)                                                                         \
    size_t name(void);                                                                             \
    size_t name(void)                                                                              \
    {                                                                                              \
        return (size_t)-1;                                                                         \
    }

#define LEGACY_NULL(name)                                                                          \
    void *name(void);                                                                              \
    void *name(void)                                                                               \
    {                                                                                              \
        return NULL;                                                                               \
    }

/* Tells how long a frame is; an error in both outputs. */
#define LEGACY_SIZE(name)                                                                          \
    void name(const void *src, size_t src_size, size_t *ret_size, unsigned long long *ret_bound);  \
    void name(const void *src, size_t src_size, size_t *ret_size, unsigned long long *ret_bound)   \
    {                                                                                              \
        (void)src, (void)src_size;                                                                 \
        *ret_size = (size_t)-1;                                                                    \
        *ret_bound = (unsigned long long)-2; /* ZSTD_CONTENTSIZE_ERROR */                          \
    }

#define LEGACY_VERSION(version)                                                                    \
    LEGACY_NULL(ZSTD##version##_createDCtx)                                                        \
    LEGACY_ERROR(ZSTD##version##_freeDCtx)                                                         \
    LEGACY_ERROR(ZSTD##version##_decompress_usingDict)                                             \
    LEGACY_ERROR(ZSTD##version##_getFrameParams)                                                   \
    LEGACY_SIZE(ZSTD##version##_findFrameSizeInfoLegacy)                                           \
    LEGACY_NULL(ZBUFF##version##_createDCtx)                                                       \
    LEGACY_ERROR(ZBUFF##version##_freeDCtx)                                                        \
    LEGACY_ERROR(ZBUFF##version##_decompressInitDictionary)                                        \
    LEGACY_ERROR(ZBUFF##version##_decompressContinue)

LEGACY_VERSION(v05)
LEGACY_VERSION(v06)
LEGACY_VERSION(v07)
