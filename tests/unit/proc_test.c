/* SPDX-License-Identifier: MIT */
/* Mirrors proc.c. Cases: outputs and status · what cannot be started · too much output · a limit of
 * time · a program that is stopped at its first line · one that runs meanwhile. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/err.h"
#include "common/proc.h"
#include "tests/unit/valgrind.h"

enum { PLENTY = 1 << 20 };

static struct proc_output run_shell(const char *script, struct proc_request request)
{
    const char *argv[] = {"sh", "-c", script, NULL};
    struct proc_output output = {0};
    struct err err = {0};

    request.argv = argv;
    request.output_max_bytes = PLENTY;
    if (!proc_capture(&request, &output, &err))
        fail_msg("%s", err.msg);
    return output;
}

static void both_outputs_and_the_status_are_kept(void **state)
{
    const char *environment[] = {"WORD=given", "PATH=/usr/bin:/bin", NULL};
    struct proc_output output = run_shell("echo $WORD; pwd; echo bad >&2; exit 7",
                                          (struct proc_request){.envp = environment, .cwd = "/"});

    (void)state;
    assert_string_equal(output.out, "given\n/\n");
    assert_string_equal(output.errors, "bad\n");
    assert_int_equal(output.exit_code, 7);
    assert_false(output.timed_out);
    proc_output_release(&output);
    output = run_shell("kill -SEGV $$", (struct proc_request){0});
    assert_int_equal(output.exit_code, 128 + SIGSEGV);
    proc_output_release(&output);
}

static void what_cannot_be_started_is_an_error(void **state)
{
    const char *argv[] = {"/nowhere/program", NULL};
    struct proc_request request = {.argv = argv, .output_max_bytes = PLENTY};
    struct proc_output output = {0};
    struct err err = {0};

    (void)state;
    if (is_in_valgrind())
        skip();
    assert_false(proc_capture(&request, &output, &err));
    assert_int_equal(err.sys_errno, ENOENT);
    assert_null(output.out);
}

static void too_much_output_is_an_error(void **state)
{
    const char *argv[] = {"sh", "-c", "while :; do echo more; done", NULL};
    struct proc_request request = {.argv = argv, .output_max_bytes = 1000};
    struct proc_output output = {0};
    struct err err = {0};

    (void)state;
    assert_false(proc_capture(&request, &output, &err));
    assert_int_equal(err.kind, ERR_INPUT);
}

/* With its outputs open or closed, and with what it started. */
static void a_limit_of_time_ends_the_whole_group(void **state)
{
    static const char *const scripts[] = {"sleep 60 & echo $!; sleep 60",
                                          "sleep 60 & echo $!; exec >&- 2>&-; sleep 60"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct proc_output output = run_shell(scripts[i], (struct proc_request){.timeout_ms = 300});
        pid_t child = (pid_t)strtol(output.out, NULL, 10);
        int waited = 0;

        assert_true(output.timed_out);
        assert_string_equal(output.errors, "");
        assert_int_equal(output.exit_code, 128 + SIGKILL);
        proc_output_release(&output);
        assert_true(child > 1);
        while (kill(child, 0) == 0 && waited++ < 5000)
            usleep(1000); /* init has still to reap it */
        assert_int_equal(kill(child, 0), -1);
    }
}

static void a_program_can_be_stopped_at_its_first_line(void **state)
{
    static const char script[] = "trap 'echo ended; exit 3' TERM\n"
                                 "printf half; printf 'whole\\n'; while :; do sleep 0.01; done";
    struct proc_output output =
        run_shell(script, (struct proc_request){.timeout_ms = 20000, .stops_at_line = true});

    (void)state;
    assert_string_equal(output.out, "halfwhole\nended\n");
    assert_int_equal(output.exit_code, 3);
    assert_false(output.timed_out);
    assert_true(output.elapsed_us > 0);
    proc_output_release(&output);
}

/* Each waits for the other: neither ends if they do not run at the same time. */
static void a_program_runs_meanwhile(void **state)
{
    char dir[] = "/tmp/proc_test-XXXXXX";
    const char *argv[] = {"sh", "-c", "mkfifo a b && echo ready >a && cat b", NULL};
    struct proc_request request = {.argv = argv, .cwd = dir, .output_max_bytes = PLENTY};
    struct proc_output output = {0};
    struct proc_run *run = NULL;
    struct err err = {0};

    (void)state;
    assert_non_null(mkdtemp(dir));
    run = proc_start(&request, &err);
    assert_non_null(run);
    output = run_shell("until [ -p b ]; do :; done; cat a; echo word >b",
                       (struct proc_request){.cwd = dir});
    assert_string_equal(output.out, "ready\n");
    proc_output_release(&output);
    assert_true(proc_finish(run, &output, &err));
    assert_string_equal(output.out, "word\n");
    assert_int_equal(output.exit_code, 0);
    proc_output_release(&output);
    output = run_shell("rm a b", (struct proc_request){.cwd = dir});
    proc_output_release(&output);
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_outputs_and_the_status_are_kept),
        cmocka_unit_test(what_cannot_be_started_is_an_error),
        cmocka_unit_test(too_much_output_is_an_error),
        cmocka_unit_test(a_limit_of_time_ends_the_whole_group),
        cmocka_unit_test(a_program_can_be_stopped_at_its_first_line),
        cmocka_unit_test(a_program_runs_meanwhile),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
