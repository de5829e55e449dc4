/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * JSON: documents read with checked types, and documents built. The only file that knows jansson.
 *
 * A `struct jdoc` is one value. Values reached through another one are borrowed and live as long
 * as it does; what jdoc_parse(), jdoc_object() and jdoc_array() return belongs to the caller until
 * it is put into another value.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct err;
struct jdoc;

/* ERR_INPUT with line and column when it is not JSON, or nested deeper than jansson allows. */
[[nodiscard]] struct jdoc *jdoc_parse(const char *text, size_t size, struct err *err);
void jdoc_free(struct jdoc *value);

/* Members by type; false or NULL: absent or of another type. Strings hold no NUL. */
const char *jdoc_text(const struct jdoc *object, const char *key);
const char *jdoc_text_or(const struct jdoc *object, const char *key, const char *fallback);
int64_t jdoc_number(const struct jdoc *object, const char *key); /* 0 when absent */
bool jdoc_bool(const struct jdoc *object, const char *key);      /* false when absent */
const struct jdoc *jdoc_member(const struct jdoc *object, const char *key);

/* Lists and their elements; 0 and NULL for anything that is not a list. */
size_t jdoc_count(const struct jdoc *list);
const struct jdoc *jdoc_at(const struct jdoc *list, size_t index);
const char *jdoc_text_at(const struct jdoc *list, size_t index);

/* Calls visit for each member of an object, in the order of insertion. */
void jdoc_each(const struct jdoc *object,
               void (*visit)(const char *key, const struct jdoc *value, void *context),
               void *context);
const char *jdoc_value_text(const struct jdoc *value); /* NULL unless it is a string */
int64_t jdoc_value_number(const struct jdoc *value);   /* 0 unless it is an integer */

/* Empty ones, owned by the caller. */
[[nodiscard]] struct jdoc *jdoc_object(void);
[[nodiscard]] struct jdoc *jdoc_array(void);
/* text must be UTF-8; bytes that are not become U+FFFD. NULL sets null. */
void jdoc_set_text(struct jdoc *object, const char *key, const char *text);
void jdoc_set_number(struct jdoc *object, const char *key, int64_t number);
void jdoc_set_bool(struct jdoc *object, const char *key, bool value);
void jdoc_set(struct jdoc *object, const char *key, struct jdoc *value); /* takes value */
/* A value that belongs to another one as well, and lives as long as one of them. */
void jdoc_set_shared(struct jdoc *object, const char *key, const struct jdoc *value);
void jdoc_push(struct jdoc *array, struct jdoc *value); /* takes value */
void jdoc_push_text(struct jdoc *array, const char *text);
void jdoc_push_number(struct jdoc *array, int64_t number);

/* Indented by two, members in the order of insertion, newline at the end. Owned by the caller. */
[[nodiscard]] char *jdoc_format(const struct jdoc *value);

/* That on stdout. Takes value. */
void jdoc_print(struct jdoc *value);

/* What a command that writes files prints with --json: `format` and `files`, the list of those
 * paths, to which more can be added; ends with NULL. docs/schema/files.json. Owned by the caller.
 */
[[nodiscard]] struct jdoc *jdoc_files(const char *first, ...);
