/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * For tests that compile ELF objects and ask the real loader about them: a directory of its own for
 * every test, and shell commands in it. Include after cmocka.h.
 */
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char *fixture_dir; /* absolute, without symlinks; no slash at the end */

static int fixture_enter(void **state)
{
    char name[] = "/tmp/rucksack-test.XXXXXX";

    (void)state;
    if (mkdtemp(name) == NULL)
        return -1;
    fixture_dir = realpath(name, NULL);
    return fixture_dir == NULL ? -1 : 0;
}

static int fixture_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int fixture_leave(void **state)
{
    int result = nftw(fixture_dir, fixture_remove, 16, FTW_DEPTH | FTW_PHYS);

    (void)state;
    free(fixture_dir);
    fixture_dir = NULL;
    return result;
}

/* The exit status of a shell command in the directory, with an empty environment but PATH. */
[[maybe_unused, gnu::format(printf, 1, 2)]] static int shell(const char *fmt, ...)
{
    char *command = NULL;
    char *whole = NULL;
    va_list args;
    int status;

    va_start(args, fmt);
    assert_true(vasprintf(&command, fmt, args) >= 0);
    va_end(args);
    assert_true(
        asprintf(&whole, "cd '%s' && exec env -i PATH=\"$PATH\" LC_ALL=C LIB='%s' sh -c '%s'",
                 fixture_dir, "cc -shared -fPIC -nostdlib -Wl,--no-as-needed", command) >= 0);
    status = system(whole);
    free(command);
    free(whole);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define MUST(...) assert_int_equal(shell(__VA_ARGS__), 0)

/* A path in the directory; static storage, 64 at a time. */
[[maybe_unused]] static const char *at(const char *name)
{
    static char paths[64][4096];
    static unsigned next;
    char *path = paths[next++ % 64];

    (void)snprintf(path, sizeof(paths[0]), "%s/%s", fixture_dir, name);
    return path;
}

[[maybe_unused]] static char *slurp(const char *path, size_t *ret_size)
{
    FILE *file = fopen(path, "re");
    char *bytes;
    long size;

    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    size = ftell(file);
    assert_true(size >= 0);
    rewind(file);
    bytes = malloc((size_t)size + 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, (size_t)size, file), (size_t)size);
    bytes[size] = '\0';
    fclose(file);
    *ret_size = (size_t)size;
    return bytes;
}

[[maybe_unused]] static void spill(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}
