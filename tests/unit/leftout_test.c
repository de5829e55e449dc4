/* SPDX-License-Identifier: MIT */
/* Mirrors leftout.c. Cases: each class · licences · a gem's own tree · other Rubies, with and
 * without ours · a pattern of a file, a directory, part of a directory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "bundler/config.h"
#include "bundler/leftout.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/fs.h"
#include "common/xalloc.h"
#include "tests/unit/scratch.h"

static struct leftout_tree gem(void)
{
    return (struct leftout_tree){"puma", scratch_dir, "3.1.0", true};
}

static bool takes(struct leftout *leftout, const struct leftout_tree *tree, const char *relative,
                  bool is_dir)
{
    return leftout_judge(leftout, tree, relative, is_dir) == LEFTOUT_NOTHING;
}

static void put(const char *path)
{
    cleanup_free char *dir = xstrdup(path);
    struct err err = {0};

    if (strrchr(dir, '/') != NULL) {
        *strrchr(dir, '/') = '\0';
        assert_true(fs_mkdir_p(dir, 0700, &err));
    }
    scratch_write(path, "12345", 5);
}

static void each_class_is_counted(void **state)
{
    static const struct {
        const char *path;
        enum leftout_class class;
    } files[] = {
        {"lib/puma/ext.h", LEFTOUT_HEADERS}, {"lib/puma/x.a", LEFTOUT_STATIC},
        {"lib/puma/x.o", LEFTOUT_OBJECTS},   {"ext/puma/extconf.rb", LEFTOUT_SOURCES},
        {"lib/x.c", LEFTOUT_SOURCES},        {"README.md", LEFTOUT_DOCS},
        {"gem_make.out", LEFTOUT_BUILD},     {"Rakefile", LEFTOUT_AUTHOR},
    };
    struct leftout_tree tree = gem();

    (void)state;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        struct leftout leftout = {0};

        put(files[i].path);
        assert_false(takes(&leftout, &tree, files[i].path, false));
        assert_int_equal(leftout.files[files[i].class], 1);
        assert_int_equal(leftout.bytes[files[i].class], 5);
        assert_non_null(leftout_name(files[i].class));
    }
}

static void what_a_program_needs_is_taken(void **state)
{
    static const char *const paths[] = {"lib/puma.rb",   "LICENSE.md", "README.license",
                                        "ext/puma/x.so", "lib/test",   "lib/x/Rakefile",
                                        "lib/README.md", "bin/puma"};
    struct leftout_tree tree = gem();
    struct leftout leftout = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        if (!takes(&leftout, &tree, paths[i], false))
            fail_msg("'%s' was left out", paths[i]);
    assert_true(takes(&leftout, &tree, "lib/test", true));
    tree.is_published = false; /* somebody's own */
    assert_true(takes(&leftout, &tree, "Rakefile", false));
}

static void a_directory_counts_with_all_that_is_in_it(void **state)
{
    struct leftout_tree tree = gem();
    struct leftout leftout = {0};

    (void)state;
    put("test/a.rb");
    put("test/deep/b.rb");
    assert_false(takes(&leftout, &tree, "test", true));
    assert_int_equal(leftout.files[LEFTOUT_TESTS], 2);
    assert_int_equal(leftout.bytes[LEFTOUT_TESTS], 10);
}

static void objects_for_other_rubies_only_beside_ours(void **state)
{
    struct leftout_tree tree = gem();
    struct leftout leftout = {0};

    (void)state;
    put("lib/grpc/3.2/grpc_c.so");
    assert_true(takes(&leftout, &tree, "lib/grpc/3.2/grpc_c.so", false));
    put("lib/grpc/3.1/grpc_c.so");
    assert_false(takes(&leftout, &tree, "lib/grpc/3.2/grpc_c.so", false));
    assert_true(takes(&leftout, &tree, "lib/grpc/3.1/grpc_c.so", false));
    assert_int_equal(leftout.files[LEFTOUT_RUBIES], 1);
}

static void patterns_keep(void **state)
{
    char first[] = "puma/spec/data";
    char second[] = "*/*.h";
    char *items[] = {first, second};
    const struct config_list list = {items, 2};
    const struct config_list *const keep[] = {&list, NULL};
    struct leftout leftout = {.keep = keep};
    struct leftout_tree tree = gem();

    (void)state;
    put("spec/a_spec.rb");
    put("spec/data/deep/x.txt");
    put("spec/other/y.txt");
    put("lib/deep/z.h");
    assert_true(takes(&leftout, &tree, "spec", true));
    assert_false(takes(&leftout, &tree, "spec/a_spec.rb", false));
    assert_false(takes(&leftout, &tree, "spec/other", true));
    assert_true(takes(&leftout, &tree, "spec/data", true));
    assert_true(takes(&leftout, &tree, "spec/data/deep/x.txt", false));
    assert_true(takes(&leftout, &tree, "lib/deep/z.h", false));
    assert_int_equal(leftout.files[LEFTOUT_TESTS], 2);
    assert_int_equal(leftout.files[LEFTOUT_HEADERS], 0);
    tree.gem = "other";
    assert_false(takes(&leftout, &tree, "spec", true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_class_is_counted),
        cmocka_unit_test(what_a_program_needs_is_taken),
        cmocka_unit_test(a_directory_counts_with_all_that_is_in_it),
        cmocka_unit_test(objects_for_other_rubies_only_beside_ours),
        cmocka_unit_test(patterns_keep),
    };

    return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
