/* SPDX-License-Identifier: MIT */
/* Mirrors plan.c. Cases: parents · the same twice · conflicts · order · files of the system behind
 * symlinks · a directory that is moved · trees. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/stat.h>

#include "bundler/plan.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/xalloc.h"
#include "tests/unit/scratch.h"

static const struct plan_origin origin = {PLAN_PART_APP, "test"};

static int setup(void **state)
{
    struct plan *plan = xcalloc(1, sizeof(*plan));

    plan_init(plan);
    *state = plan;
    return 0;
}

static int teardown(void **state)
{
    plan_release(*state);
    free(*state);
    return 0;
}

static void add_data(struct plan *plan, const char *path, const char *data)
{
    struct err err = {0};

    assert_true(plan_add_data(plan, path, 0644, data, strlen(data), origin, &err));
}

static void assert_type(const struct plan *plan, const char *path, enum plan_type type)
{
    const struct plan_entry *entry = plan_find(plan, path);

    if (entry == NULL)
        fail_msg("'%s' is not in the plan", path);
    assert_int_equal(entry->type, type);
}

static void assert_link(const struct plan *plan, const char *path, const char *target)
{
    assert_type(plan, path, PLAN_SYMLINK);
    assert_string_equal(plan_find(plan, path)->target, target);
}

static void parents_are_added_by_themselves(void **state)
{
    struct plan *plan = *state;

    add_data(plan, "/a//b/./c", "x");
    assert_int_equal(plan->count, 4);
    assert_type(plan, "", PLAN_DIR);
    assert_type(plan, "a", PLAN_DIR);
    assert_type(plan, "a/b", PLAN_DIR);
    assert_type(plan, "a/b/c", PLAN_DATA);
    assert_string_equal(plan_find(plan, "a/b")->reason, "test");
    assert_null(plan_find(plan, "a/b/d"));
}

static void the_same_twice_is_one_entry(void **state)
{
    struct plan *plan = *state;
    struct err err = {0};

    scratch_write("lib.so", "x", 1);
    assert_int_equal(link("lib.so", "alias.so"), 0);
    add_data(plan, "data", "same");
    add_data(plan, "data", "same");
    assert_true(plan_add_symlink(plan, "link", "data", origin, &err));
    assert_true(plan_add_symlink(plan, "link", "data", origin, &err));
    assert_true(plan_add_file(plan, "file", "lib.so", origin, &err));
    assert_true(plan_add_file(plan, "file", "lib.so",
                              (struct plan_origin){PLAN_PART_LIBS, "second"}, &err));
    assert_true(plan_add_file(plan, "file", "alias.so", origin, &err));
    assert_true(plan_add_dir(plan, "dir", origin, &err));
    assert_true(plan_add_dir(plan, "dir/", origin, &err));
    assert_int_equal(plan->count, 5);
    assert_string_equal(plan_find(plan, "file")->reason, "test");
}

static void conflicts_name_both_sources(void **state)
{
    struct plan *plan = *state;
    struct err err = {0};

    scratch_write("one", "1", 1);
    scratch_write("two", "2", 1);
    assert_true(plan_add_file(plan, "x", "one", origin, &err));
    assert_false(plan_add_file(plan, "x", "two", origin, &err));
    assert_int_equal(err.kind, ERR_INPUT);
    assert_non_null(strstr(err.msg, "'one' and 'two'"));
    assert_false(plan_add_data(plan, "x", 0644, "1", 1, origin, &err));
    assert_false(plan_add_dir(plan, "x", origin, &err));
    assert_false(plan_add_data(plan, "x/below", 0644, "1", 1, origin, &err));
    assert_false(plan_add_symlink(plan, "x", "one", origin, &err));
    assert_true(plan_add_symlink(plan, "link", "x", origin, &err));
    assert_false(plan_add_symlink(plan, "link", "y", origin, &err));
    assert_true(plan_replace_data(plan, "x", 04755, "new", 3, origin, &err));
    assert_type(plan, "x", PLAN_DATA);
    assert_int_equal(plan_find(plan, "x")->mode, 0755);
}

static void what_does_not_belong_is_refused(void **state)
{
    struct plan *plan = *state;
    struct err err = {0};

    assert_int_equal(mkfifo("pipe", 0600), 0);
    assert_false(plan_add_data(plan, "../x", 0644, "", 0, origin, &err));
    assert_false(plan_add_symlink(plan, "x", "/etc/passwd", origin, &err));
    assert_false(plan_add_symlink(plan, "x", "", origin, &err));
    assert_false(plan_add_file(plan, "x", "pipe", origin, &err));
    assert_false(plan_add_file(plan, "x", "absent", origin, &err));
    assert_int_equal(plan->count, 0);
}

static void modes_are_normalised(void **state)
{
    struct plan *plan = *state;
    struct err err = {0};

    scratch_write("program", "#!", 2);
    scratch_write("text", "x", 1);
    assert_int_equal(chmod("program", 04711), 0);
    assert_int_equal(chmod("text", 0600), 0);
    assert_true(plan_add_file(plan, "program", "program", origin, &err));
    assert_true(plan_add_file(plan, "text", "text", origin, &err));
    assert_int_equal(plan_find(plan, "program")->mode, 0755);
    assert_int_equal(plan_find(plan, "text")->mode, 0644);
    assert_int_equal(plan_find(plan, "text")->size_bytes, 1);
}

/* A directory's children follow it at once, though '-' and '.' sort before '/'. */
static void parents_come_before_children(void **state)
{
    static const char *const want[] = {"", "a", "a/b", "a/b/c", "a/b-", "a-", "a-/x", "a.rb", "b"};
    struct plan *plan = *state;

    add_data(plan, "b", "");
    add_data(plan, "a.rb", "");
    add_data(plan, "a-/x", "");
    add_data(plan, "a/b-", "");
    add_data(plan, "a/b/c", "");
    plan_sort(plan);
    assert_int_equal(plan->count, sizeof(want) / sizeof(want[0]));
    for (size_t i = 0; i < plan->count; i++)
        assert_string_equal(plan->entries[i]->path, want[i]);
}

static void early_files_come_first(void **state)
{
    static const char *const want[] = {"b", "a/y", "", "a", "a/x"};
    struct plan *plan = *state;

    add_data(plan, "b", "");
    add_data(plan, "a/x", "");
    add_data(plan, "a/y", "");
    plan_mark_early(plan, "b");
    plan_mark_early(plan, "a/y");
    plan_mark_early(plan, "b");
    plan_mark_early(plan, "a"); /* a directory */
    plan_mark_early(plan, "absent");
    plan_arrange(plan);
    assert_int_equal(plan->count, sizeof(want) / sizeof(want[0]));
    for (size_t i = 0; i < plan->count; i++)
        assert_string_equal(plan->entries[i]->path, want[i]);
}

static void add_of(struct plan *plan, const char *path, enum plan_part part)
{
    const struct plan_origin of = {part, "test"};
    struct err err = {0};

    assert_true(plan_add_data(plan, path, 0644, "", 0, of, &err));
}

/* A vendored copy beside what it is a copy of; what changes with the application at the end. */
static void what_is_alike_stands_together_and_the_application_last(void **state)
{
    static const char *const want[] = {"opt/ruby/3.1.0/bundler/vendor/optparse/lib/optparse.css",
                                       "opt/z.so",
                                       "opt/ruby/3.1.0/json.rb",
                                       "opt/ruby/3.1.0/optparse/ac.rb",
                                       "opt/gems/puma-6/lib/optparse.rb",
                                       "opt/ruby/3.1.0/bundler/vendor/optparse/lib/optparse.rb",

                                       "opt/ruby/3.1.0/optparse.rb",
                                       "opt/ruby/vendor_ruby/rubygems.rb",
                                       "AppRun",
                                       "app/b.rb",
                                       "app/b.txt",
                                       "app/lib/a.rb"};
    struct plan *plan = *state;
    size_t at = 0;

    for (size_t i = sizeof(want) / sizeof(want[0]); i-- > 0;)
        add_of(plan, want[i],
               strncmp(want[i], "app", 3) == 0     ? PLAN_PART_APP
               : strcmp(want[i], "AppRun") == 0    ? PLAN_PART_RUNTIME
               : strstr(want[i], "/gems/") != NULL ? PLAN_PART_GEMS
                                                   : PLAN_PART_RUBY);
    plan_arrange(plan);
    for (size_t i = 0; i < plan->count; i++)
        if (plan->entries[i]->type == PLAN_DATA)
            assert_string_equal(plan->entries[i]->path, want[at++]);
    assert_int_equal(at, sizeof(want) / sizeof(want[0]));
}

static void removed_entries_are_gone(void **state)
{
    struct plan *plan = *state;

    add_data(plan, "a", "1");
    add_data(plan, "b", "2");
    plan_remove(plan, "a");
    plan_remove(plan, "absent");
    assert_null(plan_find(plan, "a"));
    assert_int_equal(plan->count, 2);
    add_data(plan, "a", "other");
}

/* usr/lib/libz.so.1 -> libz.so.1.2, lib -> usr/lib, alt -> (absolute) lib/libz.so.1 */
static void files_of_the_system_keep_their_symlinks(void **state)
{
    struct plan *plan = *state;
    cleanup_free char *alt = xasprintf("%s/sys/alt/z", scratch_dir);
    cleanup_free char *to = xasprintf("%s/sys/lib/libz.so.1", scratch_dir);
    cleanup_free char *back = xasprintf("../../../..%s/sys/lib/libz.so.1", scratch_dir);
    const char *top = scratch_dir + 1;
    struct err err = {0};

    assert_true(fs_mkdir_p("sys/usr/lib", 0755, &err));
    assert_true(fs_mkdir_p("sys/alt", 0755, &err));
    scratch_write("sys/usr/lib/libz.so.1.2", "z", 1);
    assert_int_equal(symlink("libz.so.1.2", "sys/usr/lib/libz.so.1"), 0);
    assert_int_equal(symlink("usr/lib", "sys/lib"), 0);
    assert_int_equal(symlink(to, "sys/alt/z"), 0);
    assert_true(plan_add_system(plan, alt, origin, &err));
    for (int i = 0; i < 4; i++) {
        static const char *const names[] = {"sys/alt/z", "sys/lib", "sys/usr/lib/libz.so.1",
                                            "sys/usr/lib/libz.so.1.2"};
        const char *const targets[] = {back, "usr/lib", "libz.so.1.2", NULL};
        cleanup_free char *path = xasprintf("%s/%s", top, names[i]);

        if (targets[i] != NULL)
            assert_link(plan, path, targets[i]);
        else
            assert_type(plan, path, PLAN_FILE);
    }
    assert_true(plan_add_system(plan, to, origin, &err)); /* another way to the same file */
}

/* sys/a/up/../file is b/file: "up" leads to b/c, and ".." is looked at only there. */
static void dots_behind_symlinks_mean_what_they_do_on_the_host(void **state)
{
    struct plan *plan = *state;
    cleanup_free char *asked = xasprintf("%s/dots/a/up/../file", scratch_dir);
    cleanup_free char *link = xasprintf("%s/dots/a/up", scratch_dir);
    cleanup_free char *file = xasprintf("%s/dots/b/file", scratch_dir);
    cleanup_free char *wrong = xasprintf("%s/dots/a/file", scratch_dir);
    struct err err = {0};

    assert_true(fs_mkdir_p("dots/a", 0755, &err));
    assert_true(fs_mkdir_p("dots/b/c", 0755, &err));
    scratch_write("dots/a/file", "wrong", 5);
    scratch_write("dots/b/file", "right", 5);
    assert_int_equal(symlink("../b/c", "dots/a/up"), 0);
    assert_true(plan_add_system(plan, asked, origin, &err));
    assert_link(plan, link + 1, "../b/c");
    assert_type(plan, file + 1, PLAN_FILE);
    assert_null(plan_find(plan, wrong + 1));
}

/* On the host "/.." is "/"; in an image it would be what the image is mounted on. */
static void links_of_the_system_stay_in_the_image(void **state)
{
    struct plan *plan = *state;
    cleanup_free char *deep = xasprintf("../../../../../..%s/high/file", scratch_dir);
    cleanup_free char *path = xasprintf("%s/high/link", scratch_dir);
    cleanup_free char *want = xasprintf("../../..%s/high/file", scratch_dir);
    struct err err = {0};

    assert_int_equal(mkdir("high", 0755), 0);
    scratch_write("high/file", "x", 1);
    assert_int_equal(symlink(deep, "high/link"), 0);
    assert_true(plan_add_system(plan, path, origin, &err));
    assert_link(plan, path + 1, want);
}

static void directories_of_the_system_are_added_whole(void **state)
{
    struct plan *plan = *state;
    cleanup_free char *asked = xasprintf("%s/share/zone", scratch_dir);
    cleanup_free char *there = xasprintf("%s/share/real/Europe/Berlin", scratch_dir);
    cleanup_free char *below = xasprintf("%s/share/real/Europe/Berlin/x", scratch_dir);
    struct err err = {0};

    assert_true(fs_mkdir_p("share/real/Europe", 0755, &err));
    scratch_write("share/real/Europe/Berlin", "x", 1);
    assert_int_equal(symlink("real", "share/zone"), 0);
    assert_true(plan_add_system(plan, asked, origin, &err));
    assert_link(plan, asked + 1, "real");
    assert_type(plan, there + 1, PLAN_FILE);
    assert_false(plan_add_system(plan, below, origin, &err));
    assert_int_equal(err.sys_errno, ENOTDIR);
    assert_false(plan_add_system(plan, "etc/passwd", origin, &err));
}

static void assert_image_path(const struct plan *plan, const char *host_path, const char *expected)
{
    cleanup_free char *path = plan_image_path(plan, host_path);

    assert_string_equal(path, expected);
}

/* home/ruby -> home/versions/3, with a library outside that it only links to. */
static void a_moved_directory_stands_elsewhere_by_all_its_names(void **state)
{
    struct plan *plan = *state;
    cleanup_free char *by_link = xasprintf("%s/home/ruby", scratch_dir);
    cleanup_free char *asked = xasprintf("%s/home/ruby/bin/../lib/libruby.so.3", scratch_dir);
    cleanup_free char *real = xasprintf("%s/home/versions/3/lib/libruby.so.3", scratch_dir);
    cleanup_free char *outer = xasprintf("%s/home/versions/3/lib/libz.so", scratch_dir);
    cleanup_free char *like = xasprintf("%s/home/ruby-2/lib", scratch_dir);
    struct err err = {0};

    assert_true(fs_mkdir_p("home/versions/3/lib", 0755, &err));
    assert_true(fs_mkdir_p("home/versions/3/bin", 0755, &err));
    scratch_write("home/versions/3/lib/libruby.so.3.1", "r", 1);
    scratch_write("home/libz.so", "z", 1);
    assert_int_equal(symlink("libruby.so.3.1", "home/versions/3/lib/libruby.so.3"), 0);
    assert_int_equal(symlink("../../../libz.so", "home/versions/3/lib/libz.so"), 0);
    assert_int_equal(symlink("versions/3", "home/ruby"), 0);
    assert_image_path(plan, by_link, by_link + 1);
    plan_move(plan, by_link, "opt/ruby");
    assert_image_path(plan, by_link, "opt/ruby");
    assert_image_path(plan, real, "opt/ruby/lib/libruby.so.3");
    assert_image_path(plan, like, like + 1);
    assert_image_path(plan, "/usr/lib", "usr/lib");
    assert_true(plan_add_system(plan, asked, origin, &err));
    assert_link(plan, "opt/ruby/lib/libruby.so.3", "../../../opt/ruby/lib/libruby.so.3.1");
    assert_type(plan, "opt/ruby/lib/libruby.so.3.1", PLAN_FILE);
    assert_true(plan_add_system(plan, outer, origin, &err));
    assert_type(plan, "opt/ruby/lib/libz.so", PLAN_FILE);
    assert_null(plan_find(plan, by_link + 1));
    assert_null(plan_find(plan, scratch_dir + 1));
}

static void loops_of_symlinks_end(void **state)
{
    cleanup_free char *loop = xasprintf("%s/loop-a", scratch_dir);
    struct err err = {0};

    assert_int_equal(symlink("loop-b", "loop-a"), 0);
    assert_int_equal(symlink("loop-a", "loop-b"), 0);
    assert_false(plan_add_system(*state, loop, origin, &err));
    assert_int_equal(err.kind, ERR_SYSTEM);
}

static bool without_tmp(const char *relative, bool is_dir, void *context)
{
    (void)context;
    return strcmp(relative, "tmp") != 0 || !is_dir;
}

static void make_tree(void)
{
    cleanup_free char *absolute = xasprintf("%s/tree/tmp", scratch_dir);
    struct err err = {0};

    assert_true(fs_mkdir_p("tree/lib/deep", 0755, &err));
    assert_true(fs_mkdir_p("tree/tmp", 0755, &err));
    assert_true(fs_mkdir_p("tree/none", 0755, &err));
    assert_true(fs_mkdir_p("outside/dir", 0755, &err));
    scratch_write("tree/lib/a.rb", "1", 1);
    scratch_write("tree/tmp/cache", "1", 1);
    scratch_write("outside/file", "1", 1);
    scratch_write("outside/dir/inner", "1", 1);
    assert_int_equal(symlink("../a.rb", "tree/lib/deep/in"), 0);
    assert_int_equal(symlink("../..", "tree/lib/deep/top"), 0);
    assert_int_equal(symlink("../tree/lib/a.rb", "tree/around"), 0);
    assert_int_equal(symlink("../outside/file", "tree/file"), 0);
    assert_int_equal(symlink("../outside/dir", "tree/dir"), 0);
    assert_int_equal(symlink("nowhere", "tree/dangling"), 0);
    assert_int_equal(symlink(absolute, "tree/lib/deep/absolute"), 0);
    assert_int_equal(mkfifo("tree/fifo", 0600), 0);
}

static void trees_keep_links_that_stay_inside(void **state)
{
    struct plan *plan = *state;
    cleanup_free char *source = xasprintf("%s/tree", scratch_dir);
    struct err err = {0};

    make_tree();
    if (!plan_add_tree(plan, "app", source, origin, without_tmp, NULL, &err))
        fail_msg("%s", err.msg);
    assert_type(plan, "app/lib/a.rb", PLAN_FILE);
    assert_type(plan, "app/none", PLAN_DIR);
    assert_link(plan, "app/lib/deep/in", "../a.rb");
    assert_link(plan, "app/lib/deep/top", "../..");
    /* Their way leaves the tree, which has another name in the image. */
    assert_link(plan, "app/around", "lib/a.rb");
    /* Not followed: it would bring in what the filter keeps out. */
    assert_link(plan, "app/lib/deep/absolute", "../../tmp");
    assert_type(plan, "app/file", PLAN_FILE);
    assert_type(plan, "app/dir", PLAN_DIR);
    assert_type(plan, "app/dir/inner", PLAN_FILE);
    assert_null(plan_find(plan, "app/dangling"));
    assert_null(plan_find(plan, "app/fifo"));
    assert_null(plan_find(plan, "app/tmp"));
    assert_true(plan->newest > 0);
}

/* tree -> outside -> tree: each followed, none its own parent by name. */
static void trees_that_contain_themselves_are_refused(void **state)
{
    cleanup_free char *source = xasprintf("%s/ring/one", scratch_dir);
    struct err err = {0};

    assert_true(fs_mkdir_p("ring/one", 0755, &err));
    assert_true(fs_mkdir_p("ring/two", 0755, &err));
    assert_int_equal(symlink("../two", "ring/one/next"), 0);
    assert_int_equal(symlink("../../ring", "ring/two/next"), 0);
    assert_false(plan_add_tree(*state, "app", source, origin, NULL, NULL, &err));
    assert_non_null(strstr(err.msg, "which holds it"));
    assert_string_equal(err.id, "E-LOOP");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(parents_are_added_by_themselves, setup, teardown),
        cmocka_unit_test_setup_teardown(the_same_twice_is_one_entry, setup, teardown),
        cmocka_unit_test_setup_teardown(conflicts_name_both_sources, setup, teardown),
        cmocka_unit_test_setup_teardown(what_does_not_belong_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(modes_are_normalised, setup, teardown),
        cmocka_unit_test_setup_teardown(parents_come_before_children, setup, teardown),
        cmocka_unit_test_setup_teardown(early_files_come_first, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_alike_stands_together_and_the_application_last,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(removed_entries_are_gone, setup, teardown),
        cmocka_unit_test_setup_teardown(files_of_the_system_keep_their_symlinks, setup, teardown),
        cmocka_unit_test_setup_teardown(dots_behind_symlinks_mean_what_they_do_on_the_host, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(links_of_the_system_stay_in_the_image, setup, teardown),
        cmocka_unit_test_setup_teardown(directories_of_the_system_are_added_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(a_moved_directory_stands_elsewhere_by_all_its_names, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(loops_of_symlinks_end, setup, teardown),
        cmocka_unit_test_setup_teardown(trees_keep_links_that_stay_inside, setup, teardown),
        cmocka_unit_test_setup_teardown(trees_that_contain_themselves_are_refused, setup, teardown),
    };

    return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
