/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A command line, split as a shell would: a bundle needs no sh on the server for simple commands.
 *
 * Read are words, quotes, backslashes, $NAME, ${NAME}, ${NAME-word}, ${NAME:-word} and assignments
 * in front (POSIX.1-2017, XCU 2.2, 2.6.2, 2.6.5, 2.9.1; an `exec` in front is dropped). Everything
 * else of the language, like pipes, lists, globs and command substitution, needs a shell: then
 * words_need_shell() says so and words_split() refuses.
 */
#include <stdbool.h>
#include <stddef.h>

struct err;

struct words {
    char **items;       /* NULL-terminated: assignments, then the command and its arguments */
    size_t count;       /* of items */
    size_t assignments; /* so many of them are NAME=VALUE */
};

/* The value of a variable, or NULL when it is not set: getenv() has this form. */
typedef char *words_lookup(const char *name);

/* Whether there is more in it than the above; a quote that is not closed is not more. */
bool words_need_shell(const char *text);

/* ERR_INPUT on what needs a shell, on a quote that is not closed, and without a command. */
[[nodiscard]] bool words_split(struct words *ret, const char *text, words_lookup *lookup,
                               struct err *err);
void words_release(struct words *words);

/* How many come before the NULL at their end; 0 for NULL. */
size_t words_count(const char *const *words);
