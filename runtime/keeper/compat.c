/* SPDX-License-Identifier: MIT */
/*
 * What the archives, which were compiled for glibc, refer to and musl does not have; and what they
 * refer to and the keeper does without. Defined here, before the archives are searched, so that
 * their members are not linked.
 */
#include <errno.h>
#include <fcntl.h>
#include <iconv.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "common/xalloc.h"

/* glibc's checked variants (_FORTIFY_SOURCE). room: bytes of the object that is written to. */
int __snprintf_chk(char *to, size_t size, int flag, size_t room, const char *format, ...);
int __vsnprintf_chk(char *to, size_t size, int flag, size_t room, const char *format, va_list args);
void *__memcpy_chk(void *to, const void *from, size_t size, size_t room);
void *__memset_chk(void *to, int byte, size_t size, size_t room);
char *__strncpy_chk(char *to, const char *from, size_t size, size_t room);
void __explicit_bzero_chk(void *to, size_t size, size_t room);
int fcntl64(int fd, int command, ...);
unsigned int gnu_dev_major(dev_t device);
unsigned int gnu_dev_minor(dev_t device);
dev_t gnu_dev_makedev(unsigned int major, unsigned int minor);
/* ld(1), --wrap: what libarchive calls where it finds no memory and has nobody to tell. */
[[gnu::noreturn]] void __wrap___archive_errx(int code, const char *message);

void __wrap___archive_errx(int code, const char *message)
{
    (void)code;
    (void)message;
    xdie();
}

static void check(size_t size, size_t room)
{
    if (size > room)
        abort();
}

[[gnu::format(printf, 5, 0)]] int __vsnprintf_chk(char *to, size_t size, int flag, size_t room,
                                                  const char *format, va_list args)
{
    (void)flag;
    check(size, room);
    return vsnprintf(to, size, format, args);
}

[[gnu::format(printf, 5, 6)]] int __snprintf_chk(char *to, size_t size, int flag, size_t room,
                                                 const char *format, ...)
{
    va_list args;
    int length;

    va_start(args, format);
    length = __vsnprintf_chk(to, size, flag, room, format, args);
    va_end(args);
    return length;
}

void *__memcpy_chk(void *to, const void *from, size_t size, size_t room)
{
    check(size, room);
    return memcpy(to, from, size);
}

void *__memset_chk(void *to, int byte, size_t size, size_t room)
{
    check(size, room);
    return memset(to, byte, size);
}

char *__strncpy_chk(char *to, const char *from, size_t size, size_t room)
{
    check(size, room);
    return strncpy(to, from, size);
}

void __explicit_bzero_chk(void *to, size_t size, size_t room)
{
    check(size, room);
    explicit_bzero(to, size);
}

/* Every command has at most one argument, of the size of a pointer. */
int fcntl64(int fd, int command, ...)
{
    va_list args;
    void *argument;

    va_start(args, command);
    argument = va_arg(args, void *);
    va_end(args);
    return fcntl(fd, command, argument);
}

/* Device numbers, as the kernel has them in 64 bits (glibc, bits/sysmacros.h). */
unsigned int gnu_dev_major(dev_t device)
{
    return (unsigned int)((device >> 8 & 0xfff) | (device >> 32 & 0xfffff000));
}

unsigned int gnu_dev_minor(dev_t device)
{
    return (unsigned int)((device & 0xff) | (device >> 12 & 0xffffff00));
}

dev_t gnu_dev_makedev(unsigned int major, unsigned int minor)
{
    return ((dev_t)major & 0xfffff000) << 32 | ((dev_t)major & 0xfff) << 8 |
           ((dev_t)minor & 0xffffff00) << 12 | ((dev_t)minor & 0xff);
}

/* Names are UTF-8, as is the locale: libarchive has nothing to convert. musl's tables have 130 kB.
 */
iconv_t iconv_open(const char *to, const char *from)
{
    (void)to, (void)from;
    errno = EINVAL;
    return (iconv_t)-1; /* NOLINT: iconv(3) says so */
}

size_t iconv(iconv_t with, char **from, size_t *from_left, char **to, size_t *to_left)
{
    (void)with, (void)from, (void)from_left, (void)to, (void)to_left;
    errno = EINVAL;
    return (size_t)-1;
}

int iconv_close(iconv_t with)
{
    (void)with;
    return 0;
}

/* libsodium's answer to a caller's mistake; its own pulls in all of its ciphers. */
[[gnu::noreturn]] void sodium_misuse(void);

void sodium_misuse(void)
{
    abort();
}

/*
 * SQLite's built-in extensions. Virtual tables are not counted, only the ordinary ones in which
 * they keep what they have: no module of theirs is ever asked for.
 */
#define NO_EXTENSION(name)                                                                         \
    int name(void *db);                                                                            \
    int name(void *db)                                                                             \
    {                                                                                              \
        (void)db;                                                                                  \
        return 0;                                                                                  \
    }

NO_EXTENSION(sqlite3Fts3Init)
NO_EXTENSION(sqlite3Fts5Init)
NO_EXTENSION(sqlite3RtreeInit)
