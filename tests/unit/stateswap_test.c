/* SPDX-License-Identifier: MIT */
/* Mirrors stateswap.c. Cases: into nothing · in exchange · what a killed one has left. Faults at
 * every call are injected by tests/keeper/faults.bats. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/err.h"
#include "common/stateswap.h"
#include "tests/unit/scratch.h"

static int dir = -1; /* the scratch directory */

static int make_dir(void **state)
{
    if (scratch_enter(state) != 0)
        return -1;
    dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return dir >= 0 ? 0 : -1;
}

static int remove_dir(void **state)
{
    close(dir);
    return scratch_leave(state);
}

static void make_file(const char *path)
{
    int fd = openat(dir, path, O_WRONLY | O_CREAT, 0600);

    assert_true(fd >= 0);
    close(fd);
}

static bool is_there(const char *path)
{
    return faccessat(dir, path, F_OK, 0) == 0;
}

static void make_old(void)
{
    assert_int_equal(mkdirat(dir, STATESWAP_DATA, 0700), 0);
    make_file(STATESWAP_DATA "/old");
}

static void make_new(bool is_finished)
{
    assert_int_equal(mkdirat(dir, STATESWAP_DIR, 0700), 0);
    if (!is_finished)
        make_file(STATESWAP_MARK);
    assert_int_equal(mkdirat(dir, STATESWAP_NEW, 0700), 0);
    make_file(STATESWAP_NEW "/new");
}

static void a_state_comes_where_there_was_none(void **state)
{
    struct err err = {0};
    bool is_kept = true;

    (void)state;
    make_new(false);
    assert_true(stateswap_take(dir, "before", &is_kept, &err));
    assert_false(is_kept);
    assert_true(is_there(STATESWAP_DATA "/new"));
    assert_false(is_there(STATESWAP_DIR));
}

static void the_old_one_is_kept(void **state)
{
    struct err err = {0};
    bool is_kept = false;

    (void)state;
    make_old();
    make_new(false);
    assert_true(stateswap_take(dir, "before", &is_kept, &err));
    assert_true(is_kept);
    assert_true(is_there(STATESWAP_DATA "/new") && is_there("before/old"));
    assert_false(is_there(STATESWAP_DATA "/old") || is_there(STATESWAP_DIR));
}

static void an_old_one_that_cannot_be_kept_stays(void **state)
{
    struct err err = {0};
    bool is_kept = false;

    (void)state;
    make_old();
    make_new(false);
    make_file("before");
    assert_false(stateswap_take(dir, "before", &is_kept, &err));
    assert_true(is_there(STATESWAP_DATA "/old"));
    /* And what was to come is marked as worth nothing again. */
    assert_true(is_there(STATESWAP_MARK) && is_there(STATESWAP_NEW "/new"));
}

static void what_is_unfinished_is_left_alone(void **state)
{
    struct err err = {0};

    (void)state;
    make_new(false);
    assert_true(stateswap_finish(dir, "before", &err));
    assert_false(is_there(STATESWAP_DATA));
}

static void what_was_begun_is_ended(void **state)
{
    struct err err = {0};

    (void)state;
    /* Killed between two renames. */
    make_new(true);
    assert_true(stateswap_finish(dir, "before", &err));
    assert_true(is_there(STATESWAP_DATA "/new"));
    assert_false(is_there(STATESWAP_DIR));
    /* Killed after the exchange: what is in the way was the state. */
    make_new(true);
    assert_true(stateswap_finish(dir, "before", &err));
    assert_true(is_there("before/new") && is_there(STATESWAP_DATA "/new"));
    assert_false(is_there(STATESWAP_DIR));
    assert_true(stateswap_finish(dir, "before", &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_state_comes_where_there_was_none, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(the_old_one_is_kept, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(an_old_one_that_cannot_be_kept_stays, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(what_is_unfinished_is_left_alone, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(what_was_begun_is_ended, make_dir, remove_dir),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
