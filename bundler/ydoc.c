/* SPDX-License-Identifier: MIT */
#include "bundler/ydoc.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/xalloc.h"

static int line_of(const yaml_mark_t *mark)
{
    return (int)mark->line + 1;
}

static bool refuse(struct err *err, const yaml_mark_t *mark, const char *what)
{
    return err_set(err, ERR_INPUT, "%d: %s", line_of(mark), what);
}

static bool next_event(yaml_parser_t *parser, yaml_event_t *event, struct err *err)
{
    if (yaml_parser_parse(parser, event) == 1)
        return true;
    if (parser->error == YAML_MEMORY_ERROR)
        xdie();
    return refuse(err, &parser->problem_mark,
                  parser->problem != NULL ? parser->problem : "this is no YAML");
}

/* YAML 1.1, tag:yaml.org,2002:null, where it is not quoted. */
static bool is_nothing(const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;

    return event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (text[0] == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0);
}

static bool take_scalar(struct ydoc *node, const yaml_event_t *event, struct err *err)
{
    const char *text = (const char *)event->data.scalar.value;
    size_t len = event->data.scalar.length;

    if (memchr(text, '\0', len) != NULL)
        return refuse(err, &event->start_mark, "a NUL in a text");
    if (is_nothing(event))
        return true;
    node->kind = YDOC_TEXT;
    node->text = xstrndup(text, len);
    return true;
}

static struct ydoc *add_node(struct ydoc *parent, int line)
{
    parent->nodes = xrealloc_array(parent->nodes, parent->count + 1, sizeof(*parent->nodes));
    parent->nodes[parent->count] = (struct ydoc){.line = line};
    return &parent->nodes[parent->count++];
}

static bool check_key(const struct ydoc *map, const yaml_event_t *event, struct err *err)
{
    const char *key = (const char *)event->data.scalar.value;

    if (event->type != YAML_SCALAR_EVENT || memchr(key, '\0', event->data.scalar.length) != NULL)
        return refuse(err, &event->start_mark, "a key must be a text");
    for (size_t i = 0; i < map->count; i++) {
        if (strcmp(map->nodes[i].key, key) == 0)
            return err_set(err, ERR_INPUT, "%d: key '%.100s' for the second time",
                           line_of(&event->start_mark), key);
    }
    return true;
}

static bool read_node(yaml_parser_t *parser, yaml_event_t *event, struct ydoc *node, int depth,
                      struct err *err);

static bool read_members(yaml_parser_t *parser, struct ydoc *node, yaml_event_type_t end, int depth,
                         struct err *err)
{
    for (;;) {
        cleanup_with(yaml_event_delete) yaml_event_t event = {0};
        cleanup_with(yaml_event_delete) yaml_event_t value = {0};
        struct ydoc *child;

        if (!next_event(parser, &event, err))
            return false;
        if (event.type == end)
            return true;
        if (node->kind == YDOC_MAP && !check_key(node, &event, err))
            return false;
        child = add_node(node, line_of(&event.start_mark));
        if (node->kind == YDOC_MAP) {
            child->key = xstrdup((const char *)event.data.scalar.value);
            if (!next_event(parser, &value, err) ||
                !read_node(parser, &value, child, depth + 1, err))
                return false;
        } else if (!read_node(parser, &event, child, depth + 1, err)) {
            return false;
        }
    }
}

static bool read_node(yaml_parser_t *parser, yaml_event_t *event, struct ydoc *node, int depth,
                      struct err *err)
{
    if (depth > YDOC_DEPTH_MAX)
        return refuse(err, &event->start_mark, "nested too deeply");
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return take_scalar(node, event, err);
    case YAML_SEQUENCE_START_EVENT:
        node->kind = YDOC_LIST;
        return read_members(parser, node, YAML_SEQUENCE_END_EVENT, depth, err);
    case YAML_MAPPING_START_EVENT:
        node->kind = YDOC_MAP;
        return read_members(parser, node, YAML_MAPPING_END_EVENT, depth, err);
    case YAML_ALIAS_EVENT:
        return refuse(err, &event->start_mark, "aliases are not read; write it out");
    default:
        return refuse(err, &event->start_mark, "this is no YAML");
    }
}

static bool read_document(yaml_parser_t *parser, struct ydoc *root, struct err *err)
{
    for (bool is_read = false;;) {
        cleanup_with(yaml_event_delete) yaml_event_t event = {0};

        if (!next_event(parser, &event, err))
            return false;
        switch (event.type) {
        case YAML_STREAM_END_EVENT:
            return true;
        case YAML_STREAM_START_EVENT:
        case YAML_DOCUMENT_START_EVENT:
        case YAML_DOCUMENT_END_EVENT:
            break;
        default:
            if (is_read)
                return refuse(err, &event.start_mark, "a second document");
            root->line = line_of(&event.start_mark);
            is_read = true;
            if (!read_node(parser, &event, root, 0, err))
                return false;
        }
    }
}

struct ydoc *ydoc_parse(const char *text, size_t size, struct err *err)
{
    cleanup_with(yaml_parser_delete) yaml_parser_t parser = {0};
    struct ydoc *root = xcalloc(1, sizeof(*root));

    root->line = 1;
    if (yaml_parser_initialize(&parser) != 1)
        xdie();
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
    if (read_document(&parser, root, err))
        return root;
    ydoc_free(root);
    return NULL;
}

static void release(struct ydoc *node)
{
    for (size_t i = 0; i < node->count; i++)
        release(&node->nodes[i]);
    free(node->nodes);
    free(node->key);
    free(node->text);
}

void ydoc_free(struct ydoc *root)
{
    if (root == NULL)
        return;
    release(root);
    free(root);
}
