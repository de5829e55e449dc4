/* SPDX-License-Identifier: MIT */
/*
 * What the distribution's libsodium, which was compiled for glibc, refers to and musl does not
 * have; and what stands for its core, which would bring all of it along to choose the fastest code
 * of each cipher. A signature needs two of them, and the portable code will do. Defined here,
 * before the archive is searched, so that its members are not linked.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* NOLINTBEGIN: names of glibc and libsodium */
void __explicit_bzero_chk(void *memory, size_t size, size_t room);
int sodium_init(void);
void sodium_misuse(void);
int sodium_crit_enter(void);
int sodium_crit_leave(void);
void randombytes_buf(void *memory, size_t size);
int blake2b_compress_ssse3(void *state, const void *block);
int blake2b_compress_sse41(void *state, const void *block);
int blake2b_compress_avx2(void *state, const void *block);

void __explicit_bzero_chk(void *memory, size_t size, size_t room)
{
    if (size > room)
        abort();
    explicit_bzero(memory, size);
}

int sodium_init(void)
{
    return 0;
}

void sodium_misuse(void)
{
    abort();
}

int sodium_crit_enter(void)
{
    return 0;
}

int sodium_crit_leave(void)
{
    return 0;
}
/* Only keys that are made need it. */
void randombytes_buf(void *memory, size_t size)
{
    (void)memory;
    (void)size;
    abort();
}

/* Only sodium_init() chooses them. */
int blake2b_compress_ssse3(void *state, const void *block)
{
    (void)state;
    (void)block;
    abort();
}

int blake2b_compress_sse41(void *state, const void *block)
{
    return blake2b_compress_ssse3(state, block);
}

int blake2b_compress_avx2(void *state, const void *block)
{
    return blake2b_compress_ssse3(state, block);
}
/* NOLINTEND */
