/* SPDX-License-Identifier: MIT */
/* Mirrors blockcache.c. Cases: unknown · kept · stored as it is · level · damage · room · no place.
 */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "bundler/blockcache.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/fs.h"
#include "common/xalloc.h"
#include "tests/unit/scratch.h"

static int setup(void **state)
{
    if (setenv("XDG_CACHE_HOME", scratch_dir, 1) != 0)
        return -1;
    *state = blockcache_open(19);
    return *state != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    struct err err = {0};

    blockcache_close(*state);
    return fs_remove_tree(AT_FDCWD, "rucksack", &err) ? 0 : -1;
}

/* Calls with the path of each kept block. */
static size_t each_block(void (*visit)(const char *path))
{
    cleanup_free char *dir = xasprintf("%s/rucksack/blocks", scratch_dir);
    cleanup_dir DIR *stream = opendir(dir);
    const struct dirent *entry;
    size_t count = 0;

    assert_non_null(stream);
    while ((entry = readdir(stream)) != NULL) {
        cleanup_free char *path = xasprintf("%s/%s", dir, entry->d_name);

        if (entry->d_name[0] == '.')
            continue;
        count++;
        if (visit != NULL)
            visit(path);
    }
    return count;
}

static void what_is_kept_comes_back(void **state)
{
    char packed[16];

    assert_int_equal(blockcache_get(*state, "block", 5, packed, sizeof(packed)), -1);
    blockcache_put(*state, "block", 5, "abc", 3);
    blockcache_put(*state, "block", 5, "abc", 3);
    assert_int_equal(each_block(NULL), 1);
    assert_int_equal(blockcache_get(*state, "block", 5, packed, sizeof(packed)), 3);
    assert_memory_equal(packed, "abc", 3);
    assert_int_equal(blockcache_get(*state, "blo", 3, packed, sizeof(packed)), -1);
}

static void a_block_that_does_not_shrink_is_known_to(void **state)
{
    char packed[16];

    blockcache_put(*state, "block", 5, "", 0);
    assert_int_equal(blockcache_get(*state, "block", 5, packed, sizeof(packed)), 0);
}

static void another_level_is_another_block(void **state)
{
    struct blockcache *other = blockcache_open(22);
    char packed[16];

    assert_non_null(other);
    blockcache_put(*state, "block", 5, "abc", 3);
    assert_int_equal(blockcache_get(other, "block", 5, packed, sizeof(packed)), -1);
    blockcache_close(other);
}

static void flip_last(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);

    assert_true(fd >= 0 && lseek(fd, -1, SEEK_END) >= 0);
    assert_int_equal(write(fd, "?", 1), 1);
    close(fd);
}

static void cut(const char *path)
{
    assert_int_equal(truncate(path, 20), 0);
}

static void become_fifo(const char *path)
{
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
}

static void what_is_damaged_is_not_known(void **state)
{
    static void (*const damages[])(const char *) = {flip_last, cut, become_fifo};
    char packed[16];

    for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
        blockcache_put(*state, "block", 5, "abc", 3);
        assert_int_equal(each_block(damages[i]), 1);
        assert_int_equal(blockcache_get(*state, "block", 5, packed, sizeof(packed)), -1);
    }
    blockcache_put(*state, "block", 5, "abc", 3);
    assert_int_equal(blockcache_get(*state, "block", 5, packed, sizeof(packed)), 3);
}

static void what_has_no_room_is_not_known(void **state)
{
    char packed[2];

    blockcache_put(*state, "block", 5, "abc", 3);
    assert_int_equal(blockcache_get(*state, "block", 5, packed, sizeof(packed)), -1);
}

static void age(const char *path)
{
    const struct timespec old[2] = {{.tv_sec = 1}, {.tv_sec = 1}};

    assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
}

static void what_nobody_asks_for_is_removed(void **state)
{
    blockcache_put(*state, "block", 5, "abc", 3);
    assert_int_equal(each_block(age), 1);
    blockcache_close(*state);
    *state = blockcache_open(19);
    assert_int_equal(each_block(NULL), 0);
}

static void without_a_place_of_ours_there_is_none(void **state)
{
    cleanup_free char *dir = xasprintf("%s/rucksack/blocks", scratch_dir);

    (void)state;
    assert_int_equal(chmod(dir, 0777), 0);
    assert_null(blockcache_open(19));
    assert_int_equal(chmod(dir, 0700), 0);
    assert_int_equal(setenv("XDG_CACHE_HOME", "/proc/none", 1), 0);
    assert_null(blockcache_open(19));
    assert_int_equal(setenv("XDG_CACHE_HOME", scratch_dir, 1), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_kept_comes_back),
        TEST(a_block_that_does_not_shrink_is_known_to),
        TEST(another_level_is_another_block),
        TEST(what_is_damaged_is_not_known),
        TEST(what_has_no_room_is_not_known),
        TEST(what_nobody_asks_for_is_removed),
        TEST(without_a_place_of_ours_there_is_none),
    };

    return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
