/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/cleanup.h"
#include "common/unfinished.h"
#include "common/xalloc.h"

/* What a child leaves that makes a directory with a file and then gets a signal. */
struct scene {
    char dir[sizeof("/tmp/rucksack-test.XXXXXX")];
    char *sub;
    char *file;
    int status;
};

static void play(struct scene *scene, int signal_number, bool is_ignored, bool is_forgotten)
{
    pid_t pid;

    *scene = (struct scene){.dir = "/tmp/rucksack-test.XXXXXX"};
    assert_non_null(mkdtemp(scene->dir));
    scene->sub = xasprintf("%s/sub", scene->dir);
    scene->file = xasprintf("%s/file", scene->sub);
    pid = fork();
    if (pid == 0) {
        (void)signal(signal_number, is_ignored ? SIG_IGN : SIG_DFL);
        unfinished_watch(scene->sub);
        unfinished_watch(scene->file);
        if (mkdir(scene->sub, 0700) != 0 || mknod(scene->file, S_IFREG | 0600, 0) != 0)
            _exit(1);
        if (is_forgotten) {
            unfinished_forget(scene->file);
            unfinished_forget(scene->sub);
        }
        (void)raise(signal_number);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &scene->status, 0), pid);
}

static void clear(struct scene *scene)
{
    (void)unlink(scene->file);
    (void)rmdir(scene->sub);
    assert_int_equal(rmdir(scene->dir), 0);
    free(scene->sub);
    free(scene->file);
}

static void test_signals_remove_and_end(void **state)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};

    (void)state;
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        struct scene scene;

        play(&scene, signals[i], false, false);
        assert_true(WIFSIGNALED(scene.status));
        assert_int_equal(WTERMSIG(scene.status), signals[i]);
        assert_int_not_equal(access(scene.sub, F_OK), 0);
        clear(&scene);
    }
}

static void test_ignored_signals_stay_ignored(void **state)
{
    struct scene scene;

    (void)state;
    play(&scene, SIGHUP, true, false);
    assert_true(WIFEXITED(scene.status));
    assert_int_equal(access(scene.file, F_OK), 0);
    clear(&scene);
}

static void test_forgotten_paths_stay(void **state)
{
    struct scene scene;

    (void)state;
    play(&scene, SIGTERM, false, true);
    assert_true(WIFSIGNALED(scene.status));
    assert_int_equal(access(scene.file, F_OK), 0);
    clear(&scene);
}

static void test_unknown_paths_are_ignored(void **state)
{
    (void)state;
    unfinished_forget(NULL);
    unfinished_forget("never watched");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signals_remove_and_end),
        cmocka_unit_test(test_ignored_signals_stay_ignored),
        cmocka_unit_test(test_forgotten_paths_stay),
        cmocka_unit_test(test_unknown_paths_are_ignored),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
