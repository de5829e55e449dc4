/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Options of a bundle's own verbs, by a table: "--name", "--name VALUE", "--name=VALUE". (The tool
 * has bundler/command.h, from whose tables its help and its completion are made, too.)
 */
#include <stdbool.h>
#include <stddef.h>

struct err;

enum flags_kind {
    FLAGS_SWITCH, /* bool: true */
    FLAGS_TEXT,   /* const char *: the value, borrowed */
    FLAGS_COUNT,  /* unsigned int: 1 to FLAGS_COUNT_MAX */
};

enum { FLAGS_COUNT_MAX = 100000 };

struct flags_entry {
    const char *name;   /* with its dashes */
    unsigned int verbs; /* bits: which verbs have it */
    enum flags_kind kind;
    size_t offset; /* of the member that takes it */
};

struct flags {
    const struct flags_entry *entries;
    size_t count;
    unsigned int verb; /* one bit */
    const char *where; /* in front of messages: "backup", "service install" */
    const char *hint;  /* what every mistake ends with: "try: FILE backup --help" */
};

/*
 * Takes the option at **words, which begins with a dash, into the struct at ret. *words is then its
 * last word: itself, or its value. ERR_USAGE, with what may be meant.
 */
[[nodiscard]] bool flags_take(const struct flags *flags, char *const **words, void *ret,
                              struct err *err);

/* A number of that kind; name is for the message. */
[[nodiscard]] bool flags_count(const struct flags *flags, const char *name, const char *text,
                               unsigned int *ret, struct err *err);
