/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Allocation that does not fail: out of memory prints one line and exits with code 1. For the main
 * thread only: while another one ends the program, the main thread would go on in what is torn
 * down.
 * For the tool, the keeper and the service, which leave nothing half done that the next run does
 * not clear up; the other programs inside a bundle report it as an error instead.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

/* The end, for who learned otherwise that there is no memory. */
[[gnu::noreturn]] void xdie(void);

/* As calloc(3), reallocarray(3), strdup(3), strndup(3) and asprintf(3); freed with free(3). Of no
 * items, too, there is memory. */
[[nodiscard, gnu::malloc]] void *xcalloc(size_t count, size_t size);
[[nodiscard]] void *xrealloc_array(void *ptr, size_t count, size_t size);
[[nodiscard, gnu::malloc]] char *xstrdup(const char *text);
[[nodiscard, gnu::malloc]] char *xstrndup(const char *text, size_t len);
[[nodiscard, gnu::malloc, gnu::format(printf, 1, 2)]] char *xasprintf(const char *fmt, ...);
[[nodiscard, gnu::malloc, gnu::format(printf, 1, 0)]] char *xvasprintf(const char *fmt,
                                                                       va_list args);

/* open_memstream(3), with no write that fails. The text, which the caller frees, is whole after
 * fclose(). */
[[nodiscard]] FILE *xmemstream(char **text, size_t *size);

/*
 * Makes room for one more item in a growing array:
 *     items = xgrow(items, &capacity, count, sizeof(*items));
 */
[[nodiscard]] void *xgrow(void *items, size_t *capacity, size_t count, size_t size);

/* tsearch(3). */
void *xtsearch(const void *key, void **root, int (*compare)(const void *, const void *));
