/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A YAML 1.1 document as a tree of nodes that know their line. The only file that knows libyaml.
 *
 * Configuration is for people: no aliases, no tags, no second document, no key twice; nested at
 * most YDOC_DEPTH_MAX deep.
 */
#include <stdbool.h>
#include <stddef.h>

struct err;

enum { YDOC_DEPTH_MAX = 16 };

enum ydoc_kind {
    YDOC_NOTHING, /* `key:` with no value, or ~ */
    YDOC_TEXT,    /* also numbers and true */
    YDOC_LIST,
    YDOC_MAP,
};

struct ydoc {
    enum ydoc_kind kind;
    int line;           /* counted from 1 */
    char *key;          /* of a member of a map; NULL elsewhere */
    char *text;         /* YDOC_TEXT: without NUL */
    struct ydoc *nodes; /* YDOC_LIST, YDOC_MAP */
    size_t count;
};

/* Owned by the caller. An empty document is YDOC_NOTHING. ERR_INPUT begins with the line's number:
 * "7: ...". */
[[nodiscard]] struct ydoc *ydoc_parse(const char *text, size_t size, struct err *err);
void ydoc_free(struct ydoc *root);
