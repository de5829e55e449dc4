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

/* A child watches a file and a tree, and ends by exit(3); grandchild: one of its own does. */
static bool remains_after_exit(bool is_grandchild)
{
    char dir[] = "/tmp/rucksack-test.XXXXXX";
    cleanup_free char *tree = NULL;
    cleanup_free char *file = NULL;
    bool remains;
    int status;
    pid_t pid;

    assert_non_null(mkdtemp(dir));
    tree = xasprintf("%s/tree", dir);
    file = xasprintf("%s/tree/file", dir);
    pid = fork();
    if (pid == 0) {
        unfinished_watch_tree(tree);
        if (mkdir(tree, 0700) != 0 || mknod(file, S_IFREG | 0600, 0) != 0)
            _exit(1);
        if (is_grandchild && fork() == 0)
            exit(0); /* NOLINT(concurrency-mt-unsafe) */
        if (is_grandchild)
            _exit(wait(&status) > 0 ? 0 : 1);
        exit(0); /* NOLINT(concurrency-mt-unsafe) */
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    remains = access(file, F_OK) == 0;
    (void)unlink(file);
    (void)rmdir(tree);
    assert_int_equal(rmdir(dir), 0);
    return remains;
}

static void test_exit_removes_what_is_in_a_tree(void **state)
{
    (void)state;
    assert_false(remains_after_exit(false));
}

static void test_of_a_process_that_forks_only_itself_removes(void **state)
{
    (void)state;
    assert_true(remains_after_exit(true));
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
        cmocka_unit_test(test_exit_removes_what_is_in_a_tree),
        cmocka_unit_test(test_of_a_process_that_forks_only_itself_removes),
        cmocka_unit_test(test_unknown_paths_are_ignored),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
