/* SPDX-License-Identifier: MIT */
/* Mirrors statelock.c. Cases: shared and exclusive · parts · what a child inherits · no directory.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/err.h"
#include "common/statelock.h"
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

static int take(unsigned int part, bool is_exclusive)
{
    struct err err = {0};
    int fd = -1;

    if (statelock_take(dir, part, is_exclusive, &fd, &err))
        return fd;
    assert_int_equal(err.sys_errno, EAGAIN);
    return -1;
}

static void many_use_it_or_one_replaces_it(void **state)
{
    int one = take(STATELOCK_USE, false);
    int two = take(STATELOCK_USE, false);

    (void)state;
    assert_true(one >= 100 && two >= 100);
    assert_int_equal(take(STATELOCK_USE, true), -1);
    close(one);
    assert_int_equal(take(STATELOCK_USE, true), -1);
    close(two);
    one = take(STATELOCK_USE, true);
    assert_true(one >= 0);
    assert_int_equal(take(STATELOCK_USE, false), -1);
    close(one);
}

static void its_parts_are_apart(void **state)
{
    int use = take(STATELOCK_USE, true);
    int backup = take(STATELOCK_BACKUP, true);
    int single = take(STATELOCK_SINGLE + 3, true);

    (void)state;
    assert_true(use >= 0 && backup >= 0 && single >= 0);
    assert_int_equal(take(STATELOCK_SINGLE + 3, true), -1);
    close(use);
    close(backup);
    close(single);
}

static void it_lives_as_long_as_the_last_who_inherited_it(void **state)
{
    int fd = take(STATELOCK_USE, false);
    pid_t child = fork();

    (void)state;
    if (child == 0) {
        (void)execlp("sleep", "sleep", "1000", (char *)NULL);
        _exit(127);
    }
    close(fd);
    assert_int_equal(take(STATELOCK_USE, true), -1);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    fd = take(STATELOCK_USE, true);
    assert_true(fd >= 0);
    close(fd);
}

static void where_there_can_be_none_it_says_why(void **state)
{
    struct err err = {0};
    int fd = -1;

    (void)state;
    assert_false(statelock_take(-1, STATELOCK_USE, false, &fd, &err));
    assert_int_equal(err.sys_errno, EBADF);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_use_it_or_one_replaces_it),
        cmocka_unit_test(its_parts_are_apart),
        cmocka_unit_test(it_lives_as_long_as_the_last_who_inherited_it),
        cmocka_unit_test(where_there_can_be_none_it_says_why),
    };

    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
