/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A growing list of names that it owns.
 */
#include <stdbool.h>
#include <stddef.h>

struct names {
    char **items;
    size_t count;
    size_t capacity;
};

void names_add(struct names *names, char *name);              /* takes name */
bool names_have(const struct names *names, const char *name); /* whether one equals it */
void names_cut(struct names *names, size_t count);            /* keeps the first `count` */
/* All of them, with the separator in between; "" for none. Owned by the caller. */
[[nodiscard]] char *names_join(const struct names *names, const char *separator);
void names_release(struct names *names);
