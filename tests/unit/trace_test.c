/* SPDX-License-Identifier: MIT */
/* Mirrors trace.c. Cases: what is opened and executed, by the command and its descendants · a
 * static program · threads · the exit code · what is left running is ended · a command that cannot
 * be run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <sys/stat.h>

#include "bundler/trace.h"
#include "common/err.h"
#include "fixture.h"

static const struct trace_file *find(const struct trace *trace, const char *name)
{
    char *path = NULL;
    const struct trace_file *found = NULL;

    assert_true(asprintf(&path, "%s/%s", fixture_dir, name) >= 0);
    for (size_t i = 0; i < trace->count; i++)
        if (strcmp(trace->files[i].path, path) == 0)
            found = &trace->files[i];
    free(path);
    return found;
}

static struct trace run(const char *command)
{
    struct trace trace = {0};
    struct err err = {0};

    if (!trace_command(&trace, command, fixture_dir, &err))
        fail_msg("%s", err.msg);
    return trace;
}

static void opened_and_executed_by_every_process(void **state)
{
    struct trace trace;

    (void)state;
    assert_int_equal(shell("echo a >a; echo b >b; echo c >c; cp /bin/true program; ln -s a link"),
                     0);
    trace = run("read x <link; (cat b >written; ./program) & wait; [ -e c ]; "
                "cat $PWD/none; ./relative; (exec $PWD/missing); exit 7");
    assert_int_equal(trace.exit_code, 7);
    assert_non_null(find(&trace, "a"));
    assert_false(find(&trace, "a")->is_written);
    assert_false(find(&trace, "a")->is_executed);
    assert_non_null(find(&trace, "b"));
    assert_true(find(&trace, "written")->is_written);
    assert_true(find(&trace, "program")->is_executed);
    assert_string_equal(find(&trace, "program")->program, find(&trace, "program")->path);
    assert_non_null(strstr(find(&trace, "b")->program, "/cat"));
    assert_int_equal(find(&trace, "none")->error, ENOENT);
    assert_false(find(&trace, "none")->is_executed);
    assert_int_equal(find(&trace, "missing")->error, ENOENT);
    assert_true(find(&trace, "missing")->is_executed);
    assert_null(find(&trace, "c"));
    assert_null(find(&trace, "link"));
    for (size_t i = 1; i < trace.count; i++)
        assert_true(strcmp(trace.files[i - 1].path, trace.files[i].path) <= 0);
    trace_release(&trace);
}

static void static_programs_and_threads_are_seen(void **state)
{
    struct trace trace;

    (void)state;
    assert_int_equal(
        shell("echo a >a; echo b >b; printf \"%%s\\n\" "
              "\"#include <fcntl.h>\" \"#include <pthread.h>\" \"#include <unistd.h>\" "
              "\"static void *f(void *p) { return (void *)(long)open(p, O_RDONLY); }\" "
              "\"int main(void) { pthread_t t; pthread_create(&t, 0, f, \\\"a\\\"); "
              "pthread_join(t, 0); pthread_create(&t, 0, f, \\\"b\\\"); pthread_join(t, 0); "
              "return execl(\\\"/bin/true\\\", \\\"true\\\", (char *)0); }\" >p.c; "
              "cc -static -pthread -o p p.c"),
        0);
    trace = run("./p");
    assert_int_equal(trace.exit_code, 0);
    assert_true(find(&trace, "p")->is_executed);
    assert_non_null(find(&trace, "a"));
    assert_non_null(find(&trace, "b"));
    trace_release(&trace);
}

static void what_is_left_running_is_ended(void **state)
{
    struct trace trace;

    (void)state;
    trace = run("setsid sh -c 'echo $$ >pid; exec sleep 1000' & "
                "while ! [ -s pid ]; do sleep 0.01; done");
    assert_int_equal(trace.exit_code, 0);
    trace_release(&trace);
    /* Gone, or waiting for init to notice. */
    assert_int_equal(shell("! grep -qs \"^State:[^XZ]*$\" /proc/$(cat pid)/status"), 0);
}

static void a_signal_is_the_exit_code(void **state)
{
    struct trace trace = run("kill -TERM $$");

    (void)state;
    assert_int_equal(trace.exit_code, 128 + SIGTERM);
    trace_release(&trace);
}

static void what_cannot_be_run_is_an_error(void **state)
{
    struct trace trace = {0};
    struct err err = {0};

    (void)state;
    assert_false(trace_command(&trace, "/nowhere/program", fixture_dir, &err));
    assert_string_equal(err.id, "E-TRACE");
    assert_null(trace.files);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_enter, fixture_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(opened_and_executed_by_every_process), CASE(static_programs_and_threads_are_seen),
        CASE(what_is_left_running_is_ended),        CASE(a_signal_is_the_exit_code),
        CASE(what_cannot_be_run_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
