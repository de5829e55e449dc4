/* SPDX-License-Identifier: MIT */
#include "bundler/jdoc.h"

#include <assert.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>

#include "common/err.h"
#include "common/text.h"
#include "common/xalloc.h"

static json_t *inner(const struct jdoc *value)
{
    return (json_t *)(uintptr_t)value;
}

static struct jdoc *outer(json_t *value)
{
    return (struct jdoc *)value;
}

static void *allocate(size_t size)
{
    return xcalloc(size, 1);
}

/* jansson says nothing of some allocations that fail, and goes on without: so none does. */
[[gnu::constructor]] static void begin(void)
{
    json_set_alloc_funcs(allocate, free);
}

static struct jdoc *made(json_t *value)
{
    assert(value != NULL); /* only for want of memory could it be */
    return outer(value);
}

struct jdoc *jdoc_parse(const char *text, size_t size, struct err *err)
{
    json_error_t problem;
    json_t *value = json_loadb(text, size, JSON_REJECT_DUPLICATES, &problem);

    if (value == NULL)
        (void)err_set(err, ERR_INPUT, "line %d, column %d: %s", problem.line, problem.column,
                      problem.text);
    return outer(value);
}

void jdoc_free(struct jdoc *value)
{
    json_decref(inner(value));
}

const struct jdoc *jdoc_member(const struct jdoc *object, const char *key)
{
    return outer(json_object_get(inner(object), key));
}

const char *jdoc_value_text(const struct jdoc *value)
{
    return json_string_value(inner(value));
}

int64_t jdoc_value_number(const struct jdoc *value)
{
    return json_integer_value(inner(value));
}

const char *jdoc_text(const struct jdoc *object, const char *key)
{
    return jdoc_value_text(jdoc_member(object, key));
}

const char *jdoc_text_or(const struct jdoc *object, const char *key, const char *fallback)
{
    const char *text = jdoc_text(object, key);

    return text != NULL ? text : fallback;
}

int64_t jdoc_number(const struct jdoc *object, const char *key)
{
    return jdoc_value_number(jdoc_member(object, key));
}

bool jdoc_bool(const struct jdoc *object, const char *key)
{
    return json_is_true(inner(jdoc_member(object, key)));
}

size_t jdoc_count(const struct jdoc *list)
{
    return json_array_size(inner(list));
}

const struct jdoc *jdoc_at(const struct jdoc *list, size_t index)
{
    return outer(json_array_get(inner(list), index));
}

const char *jdoc_text_at(const struct jdoc *list, size_t index)
{
    return jdoc_value_text(jdoc_at(list, index));
}

void jdoc_each(const struct jdoc *object,
               void (*visit)(const char *key, const struct jdoc *value, void *context),
               void *context)
{
    const char *key;
    json_t *value;

    json_object_foreach(inner(object), key, value)
    {
        visit(key, outer(value), context);
    }
}

struct jdoc *jdoc_object(void)
{
    return made(json_pack("{}"));
}

struct jdoc *jdoc_array(void)
{
    return made(json_pack("[]"));
}

/* Paths on Linux are bytes; JSON is UTF-8. */
static json_t *lossy_string(const char *text)
{
    char *copy = text_utf8(text);
    json_t *value = json_string(copy);

    free(copy);
    return value;
}

void jdoc_set(struct jdoc *object, const char *key, struct jdoc *value)
{
    if (json_object_set_new(inner(object), key, inner(value)) != 0)
        abort();
}

void jdoc_set_text(struct jdoc *object, const char *key, const char *text)
{
    jdoc_set(object, key, made(text != NULL ? lossy_string(text) : json_null()));
}

void jdoc_set_number(struct jdoc *object, const char *key, int64_t number)
{
    jdoc_set(object, key, made(json_integer(number)));
}

void jdoc_set_bool(struct jdoc *object, const char *key, bool value)
{
    jdoc_set(object, key, made(json_boolean(value)));
}

void jdoc_set_shared(struct jdoc *object, const char *key, const struct jdoc *value)
{
    jdoc_set(object, key, outer(json_incref(inner(value))));
}

void jdoc_push(struct jdoc *array, struct jdoc *value)
{
    if (json_array_append_new(inner(array), inner(value)) != 0)
        abort();
}

void jdoc_push_text(struct jdoc *array, const char *text)
{
    jdoc_push(array, made(lossy_string(text)));
}

void jdoc_push_number(struct jdoc *array, int64_t number)
{
    jdoc_push(array, made(json_integer(number)));
}

char *jdoc_format(const struct jdoc *value)
{
    char *text = json_dumps(inner(value), JSON_INDENT(2));
    char *lined;

    if (text == NULL)
        abort();
    lined = xasprintf("%s\n", text);
    free(text);
    return lined;
}

void jdoc_print(struct jdoc *value)
{
    char *text = jdoc_format(value);

    fputs(text, stdout);
    free(text);
    jdoc_free(value);
}

struct jdoc *jdoc_files(const char *first, ...)
{
    struct jdoc *document = jdoc_object();
    struct jdoc *files = jdoc_array();
    va_list args;

    va_start(args, first);
    for (const char *path = first; path != NULL; path = va_arg(args, const char *))
        jdoc_push_text(files, path);
    va_end(args);
    jdoc_set_number(document, "format", 1);
    jdoc_set(document, "files", files);
    return document;
}
