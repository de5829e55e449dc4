/* SPDX-License-Identifier: MIT */
/* Mirrors answer.c. Cases: unknown · kept · another question · what names gems has changed ·
 * another script · damage. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "bundler/answer.h"
#include "bundler/app.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/fs.h"
#include "common/xalloc.h"
#include "tests/unit/scratch.h"

static struct app app;

static int setup(void **state)
{
    (void)state;
    app = (struct app){.dir = scratch_dir};
    return setenv("XDG_CACHE_HOME", scratch_dir, 1);
}

static int teardown(void **state)
{
    struct err err = {0};

    (void)state;
    (void)unlink("Gemfile");
    (void)unlink("Gemfile.lock");
    return fs_remove_tree(AT_FDCWD, "rucksack", &err) ? 0 : -1;
}

static void put(const char *name, const char *text)
{
    scratch_write(name, text, strlen(text));
}

static bool is_known(const char *question, const char *answer)
{
    cleanup_free char *text = answer_recall(question, &app);

    return answer == NULL ? text == NULL : text != NULL && strcmp(text, answer) == 0;
}

static void what_was_said_is_known(void **state)
{
    (void)state;
    put("Gemfile", "gem 'rack'");
    assert_true(is_known("ruby 3.1", NULL));
    answer_keep("ruby 3.1", &app, "{\"gems\": 1}");
    assert_true(is_known("ruby 3.1", "{\"gems\": 1}"));
    answer_keep("ruby 3.1", &app, "{\"gems\": 2}");
    assert_true(is_known("ruby 3.1", "{\"gems\": 2}"));
    assert_true(is_known("ruby 3.3", NULL));
}

static void what_names_gems_counts(void **state)
{
    (void)state;
    put("Gemfile", "gem 'rack'");
    answer_keep("ruby", &app, "{}");
    put("Gemfile.lock", "rack (3.1)");
    assert_true(is_known("ruby", NULL));
    answer_keep("ruby", &app, "{}");
    put("Gemfile.lock", "rack (3.2)");
    assert_true(is_known("ruby", NULL));
    put("Gemfile.lock", "rack (3.1)");
    assert_true(is_known("ruby", "{}"));
    put("Gemfile.lock", "");
    put("Gemfile", "gem 'rack'rack (3.1)"); /* the same bytes, in another file */
    assert_true(is_known("ruby", NULL));
}

static void what_a_script_says_counts(void **state)
{
    cleanup_free char *one = xasprintf("%s/Gemfile", scratch_dir);
    cleanup_free char *two = xasprintf("%s/Gemfile.lock", scratch_dir);

    (void)state;
    app.script = one;
    answer_keep("ruby", &app, "{}");
    app.script = two;
    assert_true(is_known("ruby", "{}")); /* neither is there yet */
    put("Gemfile.lock", "puts 1");
    assert_true(is_known("ruby", NULL));
    app.script = NULL;
}

static void damage_is_no_answer(void **state)
{
    struct err err = {0};

    (void)state;
    answer_keep("ruby", &app, "{}");
    assert_int_equal(system("for file in rucksack/answers/*; do printf x | dd of=\"$file\" seek=40 "
                            "bs=1 conv=notrunc status=none; done"),
                     0);
    assert_true(is_known("ruby", NULL));
    assert_true(fs_remove_tree(AT_FDCWD, "rucksack", &err));
    assert_true(is_known("ruby", NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_said_is_known, setup, teardown),
        cmocka_unit_test_setup_teardown(what_names_gems_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(what_a_script_says_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(damage_is_no_answer, setup, teardown),
    };

    return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
