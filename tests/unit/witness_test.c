/* SPDX-License-Identifier: MIT */
/* Mirrors witness.c and sight.c. Cases: each call is noted · once · absent · written files · deaf ·
 * ignored · names of a directory · a link · what has settled. */
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

#include "bundler/sight.h"
#include "bundler/witness.h"
#include "common/cleanup.h"
#include "common/fs.h"
#include "common/pattern.h"
#include "common/xalloc.h"
#include "tests/unit/scratch.h"

static const struct witness_note *find(const struct witness *witness, enum sight_kind kind,
                                       const char *path)
{
    const struct witness_note *found = NULL;

    for (size_t i = 0; i < witness->count; i++) {
        if (witness->notes[i].kind != kind || strcmp(witness->notes[i].path, path) != 0)
            continue;
        assert_null(found); /* once */
        found = &witness->notes[i];
    }
    return found;
}

/* In the working directory. */
static char *here(const char *name)
{
    return xasprintf("%s/%s", scratch_dir, name);
}

static void notes_every_call(void **state)
{
    cleanup_with(witness_release) struct witness witness = {0};
    cleanup_free char *file = here("file");
    cleanup_free char *dir = here("dir");
    cleanup_free char *inside = here("dir/inside");
    cleanup_free char *other = here("dir/other");
    cleanup_free char *nothing = here("nothing");
    cleanup_free char *unseen = here("unseen");
    cleanup_free char *pattern = here("*");
    cleanup_free char *real = NULL;
    char target[8];
    struct stat st;
    struct pattern_found found;
    int fd;

    (void)state;
    scratch_write("file", "x", 1);
    assert_int_equal(mkdir("dir", 0700), 0);
    witness_begin(&witness);
    assert_int_equal(stat("file", &st), 0);
    assert_int_equal(access(file, F_OK), 0);
    assert_int_equal(lstat("file", &st), 0);
    assert_int_equal(readlink("nothing", target, sizeof(target)), -1);
    real = realpath(file, NULL);
    pattern_find(&found, pattern);
    assert_true(found.count > 0);
    pattern_release(&found);
    assert_int_equal(closedir(opendir("dir/")), 0);
    fd = open("dir", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(fstatat(fd, "inside", &st, 0), -1);
    (void)close(fd);
    assert_false(fs_has_file("dir", "other"));
    witness_end();
    assert_int_equal(stat("unseen", &st), -1);
    assert_non_null(find(&witness, SIGHT_FILE, file));
    assert_non_null(find(&witness, SIGHT_LINK, file));
    assert_non_null(find(&witness, SIGHT_REAL, file));
    assert_non_null(find(&witness, SIGHT_PATTERN, pattern));
    assert_non_null(find(&witness, SIGHT_DIR, dir));
    assert_non_null(find(&witness, SIGHT_FILE, inside));
    assert_non_null(find(&witness, SIGHT_FILE, other));
    assert_non_null(find(&witness, SIGHT_LINK, nothing));
    assert_null(find(&witness, SIGHT_FILE, unseen));
}

static void leaves_out_what_is_no_input(void **state)
{
    cleanup_with(witness_release) struct witness witness = {0};
    cleanup_free char *own = here("own");
    struct stat st;
    int fd;

    (void)state;
    witness_ignore(own);
    witness_begin(&witness);
    fd = open("written", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    (void)close(fd);
    assert_int_equal(stat("own", &st), -1);
    assert_int_equal(stat("own/below", &st), -1);
    assert_int_equal(stat("/proc/self/status", &st), 0);
    witness_listen(false);
    assert_int_equal(stat("unheard", &st), -1);
    witness_listen(true);
    witness_end();
    assert_int_equal(witness.count, 0);
}

static void sees_what_has_changed(void **state)
{
    struct sight before;
    struct sight after;

    (void)state;
    scratch_write("seen", "x", 1);
    sight_see(SIGHT_FILE, "seen", &before);
    sight_see(SIGHT_FILE, "seen", &after);
    assert_true(sight_equals(&before, &after));
    scratch_write("other", "x", 1);
    assert_int_equal(rename("other", "seen"), 0); /* another inode */
    sight_see(SIGHT_FILE, "seen", &after);
    assert_false(sight_equals(&before, &after));
    assert_int_equal(unlink("seen"), 0);
    sight_see(SIGHT_FILE, "seen", &before);
    assert_false(sight_equals(&before, &after));
}

static void names_of_a_directory(void **state)
{
    cleanup_free char *dir = here("names");
    cleanup_free char *own = here("names/own");
    struct sight before;
    struct sight after;

    (void)state;
    assert_int_equal(mkdir(dir, 0700), 0);
    sight_list(dir, own, &before);
    scratch_write(own, "x", 1);
    sight_list(dir, own, &after);
    assert_true(sight_equals(&before, &after));
    scratch_write("names/new", "x", 1);
    sight_list(dir, own, &after);
    assert_false(sight_equals(&before, &after));
}

static void what_is_as_young_as_the_build_may_change_unseen(void **state)
{
    const struct timespec begun = {1000, 500};
    struct sight sight = {.changed = {1000, 499}};

    (void)state;
    assert_true(sight_is_settled(&sight, &begun));
    sight.changed.tv_nsec = 500;
    assert_false(sight_is_settled(&sight, &begun));
    sight.changed = (struct timespec){1001, 1};
    assert_false(sight_is_settled(&sight, &begun));
    sight.changed = (struct timespec){999, 0}; /* seconds are all that this file system has */
    assert_false(sight_is_settled(&sight, &begun));
    sight.changed.tv_sec = 997;
    assert_true(sight_is_settled(&sight, &begun));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(notes_every_call),
        cmocka_unit_test(leaves_out_what_is_no_input),
        cmocka_unit_test(sees_what_has_changed),
        cmocka_unit_test(names_of_a_directory),
        cmocka_unit_test(what_is_as_young_as_the_build_may_change_unseen),
    };

    return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
