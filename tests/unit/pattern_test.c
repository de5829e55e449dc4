/* SPDX-License-Identifier: MIT */
/* Mirrors pattern.c. Cases: the same as glob(3) finds · quoted texts · what cannot be opened. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/pattern.h"
#include "common/xalloc.h"
#include "tests/unit/scratch.h"

static int make_tree(void **state)
{
    static const char *const dirs[] = {"a", "a-b", "a/sub", ".hidden", "w[x]", "empty"};
    static const char *const files[] = {"a/one.rb",    "a/two.rb", "a-b/one.rb",  "a/sub/deep.so",
                                        "a/.dot.rb",   "star*",    ".hidden/one", "w[x]/one.rb",
                                        "back\\slash", "zed"};

    if (scratch_enter(state) != 0)
        return -1;
    for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
        if (mkdir(dirs[i], 0700) != 0)
            return -1;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        scratch_write(files[i], "", 0);
    return symlink("nowhere", "dangling") == 0 && symlink("a", "link") == 0 ? 0 : -1;
}

static void finds_what_glob_finds(void **state)
{
    static const char *const patterns[] = {"*",
                                           "a*/one.rb",
                                           "*/*.rb",
                                           "*/sub/*.so",
                                           "a/o?e.rb",
                                           "[a-c]*",
                                           "[!a]*",
                                           ".*/one",
                                           ".h*",
                                           "a/.*.rb",
                                           "dangling",
                                           "dang*",
                                           "*/",
                                           "link/*.rb",
                                           "link/",
                                           "zed/*",
                                           "absent/*",
                                           "absent",
                                           "a//one.rb",
                                           "a//*.rb",
                                           "star\\*",
                                           "star[*]",
                                           "back\\\\slash",
                                           "w\\[x\\]/*.rb",
                                           "[",
                                           "w[x/*",
                                           "/usr/lib/os-rel*",
                                           "//usr/li[b]",
                                           ""};

    (void)state;
    for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
        cleanup_with(pattern_release) struct pattern_found found;
        glob_t wanted = {0};

        (void)glob(patterns[i], 0, NULL, &wanted);
        pattern_find(&found, patterns[i]);
        assert_int_equal(found.count, wanted.gl_pathc);
        for (size_t j = 0; j < found.count; j++)
            assert_string_equal(found.paths[j], wanted.gl_pathv[j]);
        assert_int_equal(found.sys_errno, 0);
        globfree(&wanted);
    }
}

static void a_quoted_text_is_itself(void **state)
{
    static const char *const names[] = {"star*", "w[x]/one.rb", "back\\slash", "zed"};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        cleanup_free char *pattern = pattern_quote(names[i]);
        cleanup_with(pattern_release) struct pattern_found found;

        pattern_find(&found, pattern);
        assert_int_equal(found.count, 1);
        assert_string_equal(found.paths[0], names[i]);
    }
}

static void a_directory_that_cannot_be_opened_is_not_an_empty_one(void **state)
{
    cleanup_with(pattern_release) struct pattern_found found;
    struct rlimit before;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &(struct rlimit){0, before.rlim_max}), 0);
    pattern_find(&found, "a/*.rb");
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(found.count, 0);
    assert_int_equal(found.sys_errno, EMFILE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_glob_finds),
        cmocka_unit_test(a_quoted_text_is_itself),
        cmocka_unit_test(a_directory_that_cannot_be_opened_is_not_an_empty_one),
    };

    return cmocka_run_group_tests(tests, make_tree, scratch_leave);
}
