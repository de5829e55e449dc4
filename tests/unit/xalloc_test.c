/* SPDX-License-Identifier: MIT */
/* Mirrors xalloc.c. Cases: a stream into memory · nothing written · growing arrays · no memory is
 * the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/xalloc.h"

static void a_stream_grows(void **state)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = xmemstream(&text, &size);

    (void)state;
    for (int i = 0; i < 30000; i++)
        fprintf(out, "%05d\n", i);
    fputc('.', out);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(size, 180001);
    assert_int_equal(strlen(text), size);
    assert_memory_equal(text, "00000\n00001\n", 12);
    assert_string_equal(text + size - 7, "29999\n.");
    free(text);
}

static void an_empty_stream_is_a_text(void **state)
{
    char *text = NULL;
    size_t size = 1;

    (void)state;
    assert_int_equal(fclose(xmemstream(&text, &size)), 0);
    assert_int_equal(size, 0);
    assert_string_equal(text, "");
    free(text);
}

static void arrays_grow(void **state)
{
    size_t capacity = 0;
    int *items = NULL;

    (void)state;
    for (size_t i = 0; i < 1000; i++) {
        items = xgrow(items, &capacity, i, sizeof(*items));
        items[i] = (int)i;
    }
    assert_true(capacity >= 1000);
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(items[i], i);
    free(items);
}

static void ask_for_too_much(void)
{
    (void)!xrealloc_array(NULL, SIZE_MAX / 2, 3);
}

/* The exit code of a process that does it, and what it says. */
static int ends(void (*act)(void), char ret_said[64])
{
    int pipe_fds[2];
    int status = 0;
    ssize_t got;
    pid_t pid;

    assert_int_equal(pipe(pipe_fds), 0);
    (void)fflush(NULL);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)dup2(pipe_fds[1], STDERR_FILENO);
        act();
        _exit(0);
    }
    (void)close(pipe_fds[1]);
    got = read(pipe_fds[0], ret_said, 63);
    ret_said[got > 0 ? got : 0] = '\0';
    (void)close(pipe_fds[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void no_memory_is_the_end(void **state)
{
    char said[64];

    (void)state;
    assert_int_equal(ends(ask_for_too_much, said), 1);
    assert_string_equal(said, "rucksack: out of memory\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_grows),
        cmocka_unit_test(an_empty_stream_is_a_text),
        cmocka_unit_test(arrays_grow),
        cmocka_unit_test(no_memory_is_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
