/* SPDX-License-Identifier: MIT */
#include "bundler/contents.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bundler/bundle.h"
#include "bundler/jdoc.h"
#include "bundler/manifest.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/text.h"
#include "common/xalloc.h"

/* Deeper than any closure is, and no deeper than a stack. */
enum { DEPTH_MAX = 256 };

struct contents {
    struct jdoc *manifest;
    const struct jdoc *objects;
    size_t count;
    size_t *shown; /* by object: the tree that it was last shown in, counted from 1 */
    size_t tree;
};

static void contents_release(struct contents *contents)
{
    free(contents->shown);
    jdoc_free(contents->manifest);
}

static bool contents_open(struct contents *contents, const struct bundle *bundle, struct err *err)
{
    contents->manifest = manifest_read(bundle, err);
    if (contents->manifest == NULL)
        return false;
    contents->objects = jdoc_member(contents->manifest, "objects");
    contents->count = jdoc_count(contents->objects);
    if (contents->count == 0) {
        (void)err_set(err, ERR_INPUT, "the manifest lists no objects");
        (void)err_hint(err, "build the bundle again with this version");
        return err_id(err, "E-IMAGE");
    }
    contents->shown = xcalloc(contents->count, sizeof(*contents->shown));
    return true;
}

static void print_object(struct contents *contents, size_t index, int depth)
{
    const struct jdoc *object = jdoc_at(contents->objects, index);
    const struct jdoc *needs = jdoc_member(object, "needs");
    cleanup_free char *name = text_visible(jdoc_text_or(object, "name", ""));
    cleanup_free char *image = text_visible(jdoc_text_or(object, "image", ""));
    cleanup_free char *reason = text_visible(jdoc_text_or(object, "reason", ""));

    contents->shown[index] = contents->tree;
    if (depth == 0)
        printf("/%s (%s)\n", image, reason);
    else
        printf("%*s%s => /%s\n", 2 * depth, "", name, image);
    for (size_t i = 0; i < jdoc_count(needs) && depth < DEPTH_MAX; i++) {
        int64_t to = jdoc_value_number(jdoc_at(needs, i));

        if (to >= 0 && (uint64_t)to < contents->count && contents->shown[to] != contents->tree)
            print_object(contents, (size_t)to, depth + 1);
    }
}

bool contents_print_tree(const struct bundle *bundle, struct err *err)
{
    cleanup_with(contents_release) struct contents contents = {0};

    if (!contents_open(&contents, bundle, err))
        return false;
    for (size_t i = 0; i < contents.count; i++) {
        const struct jdoc *object = jdoc_at(contents.objects, i);

        if (jdoc_bool(object, "root") ||
            strncmp(jdoc_text_or(object, "reason", ""), "needed by ", strlen("needed by ")) != 0) {
            contents.tree++;
            print_object(&contents, i, 0);
        }
    }
    return true;
}

bool contents_print_list(const struct bundle *bundle, bool is_null, struct err *err)
{
    cleanup_with(contents_release) struct contents contents = {0};

    if (!contents_open(&contents, bundle, err))
        return false;
    for (size_t i = 0; i < contents.count; i++)
        printf("/%s%c", jdoc_text_or(jdoc_at(contents.objects, i), "image", ""),
               is_null ? '\0' : '\n');
    return true;
}
