/* SPDX-License-Identifier: MIT */
/* Mirrors tar.c. Cases: GNU tar reads back what was written, with names that ustar has no room for,
 * lengths around its borders, bytes that are no UTF-8 · blocks · sizes beyond eleven digits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <sys/stat.h>

#include "bundler/tar.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/fs.h"
#include "common/proc.h"
#include "common/xalloc.h"
#include "tests/unit/scratch.h"

enum { BLOCK = 512, NAME_BYTES = 100 };

static bool to_file(void *context, const void *data, size_t size, struct err *err)
{
    const int *fd = context;

    return fs_write_all(*fd, data, size, err);
}

static bool to_text(void *context, const void *data, size_t size, struct err *err)
{
    char *text = context; /* of four blocks */

    (void)err;
    assert_true(strlen(text) < BLOCK || size <= BLOCK);
    memcpy(text + (text[0] == '\0' ? 0 : text[BLOCK] == '\0' ? BLOCK : 2 * BLOCK), data, size);
    return true;
}

/* "aaa/aaa/...", of that length. */
static char *long_path(size_t len)
{
    char *path = xcalloc(len + 1, 1);

    for (size_t i = 0; i < len; i++)
        path[i] = i % 40 == 39 && i + 1 < len ? '/' : 'a';
    return path;
}

static void test_reads_back(void **state)
{
    static const size_t lengths[] = {1, 99, 100, 101, 240, 1000};
    cleanup_fd int fd = open("a.tar", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    struct tar tar = {.sink = to_file, .context = &fd};
    struct err err = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        cleanup_free char *path = long_path(lengths[i]);
        cleanup_free char *link = xasprintf("link-%zu", i);
        const struct tar_entry entry = {
            .path = link, .mode = S_IFLNK | 0777, .target = path, .size_bytes = 7};

        assert_true(tar_file(&tar, path, path, lengths[i], 1, &err));
        assert_true(tar_entry(&tar, &entry, &err));
    }
    assert_true(tar_file(&tar, "name \xff \xc3\xbc", "", 0, 1, &err));
    assert_true(tar_end(&tar, &err));
    assert_int_equal(tar.done_bytes % BLOCK, 0);
    assert_int_equal(mkdir("out", 0700), 0);
    assert_int_equal(system("tar -C out -xf a.tar 2>words && test ! -s words"), 0);
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        cleanup_free char *path = long_path(lengths[i]);
        cleanup_free char *link = xasprintf("out/link-%zu", i);
        cleanup_free char *from = xasprintf("out/%s", path);
        cleanup_free char *data = NULL;
        cleanup_free char *target = xcalloc(2048, 1);
        size_t size = 0;

        assert_true(fs_read_file(from, 4096, &data, &size, &err));
        assert_string_equal(data, path);
        assert_true(readlink(link, target, 2047) > 0);
        assert_string_equal(target, path);
    }
    assert_int_equal(access("out/name \xff \xc3\xbc", F_OK), 0);
}

static void test_owner_mode_time(void **state)
{
    char text[4 * BLOCK] = "";
    const struct tar_entry entry = {
        .path = "var", .mode = S_IFDIR | 01777, .owner = 65532, .mtime = 1000000000};
    struct tar tar = {.sink = to_text, .context = text};
    struct err err = {0};

    (void)state;
    assert_true(tar_entry(&tar, &entry, &err));
    assert_string_equal(text, "var/");
    assert_string_equal(text + NAME_BYTES, "0001777");
    assert_string_equal(text + 108, "0177774");
    assert_string_equal(text + 124, "00000000000");
    assert_string_equal(text + 136, "07346545000");
    assert_int_equal(text[156], '5');
}

/* POSIX.1-2017, pax, "pax Extended Header": a record's length counts its own digits. */
static void test_sizes_beyond_ustar(void **state)
{
    char text[4 * BLOCK] = "";
    const struct tar_entry entry = {
        .path = "large", .mode = S_IFREG | 0644, .size_bytes = UINT64_C(8) << 30};
    struct tar tar = {.sink = to_text, .context = text};
    struct err err = {0};

    (void)state;
    assert_true(tar_entry(&tar, &entry, &err));
    assert_string_equal(text, "pax");
    assert_string_equal(text + 124, "00000000023");
    assert_int_equal(text[156], 'x');
    assert_memory_equal(text + BLOCK, "19 size=8589934592\n", 19);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_back),
        cmocka_unit_test(test_owner_mode_time),
        cmocka_unit_test(test_sizes_beyond_ustar),
    };

    return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
