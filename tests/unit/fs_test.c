/* SPDX-License-Identifier: MIT */
/* Mirrors fs.c. Cases: whole files and their limits · what is a file · directories on the way ·
 * files replaced in one step · trees that are removed, but never what a symlink points to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/fs.h"
#include "tests/unit/scratch.h"

static bool is_there(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0;
}

static void a_file_is_read_whole(void **state)
{
    cleanup_free char *data = NULL;
    cleanup_free char *empty = NULL;
    size_t size = 1;
    struct err err = {0};

    (void)state;
    scratch_write("file", "a\0b", 3);
    scratch_write("empty", "", 0);
    assert_true(fs_read_file("file", 3, &data, &size, &err));
    assert_int_equal(size, 3);
    assert_memory_equal(data, "a\0b\0", 4);
    assert_true(fs_read_file("empty", 0, &empty, &size, &err));
    assert_int_equal(size, 0);
    assert_string_equal(empty, "");
}

static void only_a_regular_file_is_had(void **state)
{
    (void)state;
    scratch_write("had", "", 0);
    assert_int_equal(mkdir("below", 0755), 0);
    assert_int_equal(symlink("had", "link"), 0);
    assert_int_equal(symlink("none", "dangling"), 0);
    assert_true(fs_has_file(".", "had"));
    assert_true(fs_has_file(".", "link"));
    assert_true(fs_has_file("below", "../had"));
    assert_false(fs_has_file(".", "below"));
    assert_false(fs_has_file(".", "dangling"));
    assert_false(fs_has_file(".", "none"));
    assert_false(fs_has_file("none", "had"));
    assert_false(fs_has_file("had", "had"));
}

static void assert_unreadable(const char *path, size_t max, const char *why)
{
    char *data = NULL;
    size_t size;
    struct err err = {0};

    assert_false(fs_read_file(path, max, &data, &size, &err));
    assert_non_null(strstr(err.msg, path));
    assert_non_null(strstr(err.msg, why));
    assert_null(data);
}

static void other_things_are_not_read(void **state)
{
    (void)state;
    scratch_write("four", "1234", 4);
    assert_int_equal(mkfifo("fifo", 0600), 0);
    assert_unreadable("four", 3, "larger than 3");
    assert_unreadable("absent", 3, "No such file");
    assert_unreadable("fifo", 3, "not a regular file");
    assert_unreadable(".", 3, "not a regular file");
}

static void all_of_it_is_written(void **state)
{
    static char sent[300000]; /* more than a pipe takes at once */
    static char got[sizeof(sent)];
    struct err err = {0};
    cleanup_fd int fd = open("written", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    (void)state;
    memset(sent, 'x', sizeof(sent));
    assert_true(fs_write_all(fd, sent, sizeof(sent), &err));
    assert_int_equal(pread(fd, got, sizeof(got), 0), sizeof(got));
    assert_memory_equal(got, sent, sizeof(got));
    assert_false(fs_write_all(-1, "x", 1, &err));
    assert_int_equal(err.sys_errno, EBADF);
}

static void directories_are_made_on_the_way(void **state)
{
    struct err err = {0};
    struct stat st;

    (void)state;
    assert_true(fs_mkdir_p("a//b/c/", 0700, &err));
    assert_true(fs_mkdir_p("a/b/c", 0700, &err));
    assert_true(fs_mkdir_p("a/b/d", 0700, &err));
    assert_int_equal(stat("a/b/d", &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_true(fs_mkdir_p(scratch_dir, 0700, &err));
    assert_true(fs_mkdir_p("/", 0700, &err));
}

static void directories_are_not_made_of_files(void **state)
{
    struct err err = {0};

    (void)state;
    scratch_write("plain", "", 0);
    assert_false(fs_mkdir_p("plain/below", 0700, &err));
    assert_int_equal(err.sys_errno, ENOTDIR);
    err = (struct err){0};
    assert_false(fs_mkdir_p("plain", 0700, &err));
    assert_int_equal(err.sys_errno, ENOTDIR);
    err = (struct err){0};
    assert_false(fs_mkdir_p("", 0700, &err));
    assert_int_equal(err.sys_errno, ENOENT);
}

static void a_tree_is_removed_with_all_in_it(void **state)
{
    struct err err = {0};

    (void)state;
    assert_true(fs_mkdir_p("tree/a/b", 0700, &err));
    assert_true(fs_mkdir_p("tree/closed/in", 0700, &err));
    scratch_write("tree/a/b/file", "x", 1);
    scratch_write("tree/closed/in/file", "x", 1);
    assert_int_equal(mkfifo("tree/fifo", 0600), 0);
    assert_int_equal(chmod("tree/closed/in", 0555), 0);
    assert_int_equal(chmod("tree/closed", 0), 0);
    assert_true(fs_remove_tree(AT_FDCWD, "tree", &err));
    assert_false(is_there("tree"));
}

static void symlinks_are_removed_not_followed(void **state)
{
    struct err err = {0};

    (void)state;
    assert_true(fs_mkdir_p("kept/dir", 0700, &err));
    assert_true(fs_mkdir_p("gone", 0700, &err));
    scratch_write("kept/dir/file", "x", 1);
    assert_int_equal(symlink("../kept/dir", "gone/dir"), 0);
    assert_int_equal(symlink("../kept/dir/file", "gone/file"), 0);
    assert_int_equal(symlink("kept", "top"), 0);
    assert_true(fs_remove_tree(AT_FDCWD, "gone", &err));
    assert_true(fs_remove_tree(AT_FDCWD, "top", &err));
    assert_false(is_there("gone"));
    assert_false(is_there("top"));
    assert_true(is_there("kept/dir/file"));
}

static void what_is_not_there_needs_no_removal(void **state)
{
    struct err err = {0};

    (void)state;
    scratch_write("single", "x", 1);
    assert_true(fs_remove_tree(AT_FDCWD, "absent", &err));
    assert_true(fs_remove_tree(AT_FDCWD, "single", &err));
    assert_false(is_there("single"));
}

static void a_file_is_put_in_place(void **state)
{
    cleanup_free char *data = NULL;
    size_t size;
    struct err err = {0};
    struct stat st;

    (void)state;
    scratch_write("place", "before", 6);
    assert_int_equal(symlink("theirs", "place.new"), 0);
    assert_true(fs_put_file("place", "after", 5, 0640, &err));
    assert_true(fs_read_file("place", 16, &data, &size, &err));
    assert_string_equal(data, "after");
    assert_int_equal(stat("place", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_false(is_there("place.new"));
    assert_false(is_there("theirs"));
    /* What cannot be replaced is left, and nothing beside it. */
    assert_int_equal(mkdir("taken", 0700), 0);
    scratch_write("taken/inner", "", 0);
    assert_false(fs_put_file("taken", "x", 1, 0600, &err));
    assert_true(is_there("taken/inner"));
    assert_false(is_there("taken.new"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_put_in_place),
        cmocka_unit_test(a_file_is_read_whole),
        cmocka_unit_test(only_a_regular_file_is_had),
        cmocka_unit_test(other_things_are_not_read),
        cmocka_unit_test(all_of_it_is_written),
        cmocka_unit_test(directories_are_made_on_the_way),
        cmocka_unit_test(directories_are_not_made_of_files),
        cmocka_unit_test(a_tree_is_removed_with_all_in_it),
        cmocka_unit_test(symlinks_are_removed_not_followed),
        cmocka_unit_test(what_is_not_there_needs_no_removal),
    };

    return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
