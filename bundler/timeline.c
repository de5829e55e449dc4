/* SPDX-License-Identifier: MIT */
#include "bundler/timeline.h"

#include <search.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bundler/image.h"
#include "bundler/jdoc.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/format.h"
#include "common/launchfile.h"
#include "common/xalloc.h"

/* Regular files of the image, in a tree (tsearch(3)) by path. */
struct file {
    char *path;
    uint64_t bytes;
};

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct file *)a)->path, ((const struct file *)b)->path);
}

static void free_file(void *node)
{
    free(((struct file *)node)->path);
    free(node);
}

static const struct file *find(void *const *files, const char *path)
{
    const struct file key = {.path = (char *)path};
    void *const *found = tfind(&key, files, by_path);

    return found != NULL ? *found : NULL;
}

static bool visit(const struct image_node *node, void *context, struct err *err)
{
    struct file *file;

    (void)err;
    if (!S_ISREG(node->mode) || find(context, node->path) != NULL)
        return true;
    file = xcalloc(1, sizeof(*file));
    file->path = xstrdup(node->path);
    file->bytes = node->size_bytes;
    (void)xtsearch(file, context, by_path);
    return true;
}

/* As the launcher does: what it does not know, or is no file, is passed over. */
static void add(struct jdoc *timeline, void *const *files, const struct launchfile_record *record)
{
    bool is_read = launchfile_is(record, "read", 1);
    const struct file *file;
    struct jdoc *one;

    if (!is_read && !launchfile_is(record, "open", 1))
        return;
    file = find(files, record->fields[1]);
    if (file == NULL)
        return;
    one = jdoc_object();
    jdoc_set_text(one, "path", file->path);
    jdoc_set_number(one, "bytes", (int64_t)file->bytes);
    jdoc_set_bool(one, "read", is_read);
    jdoc_push(timeline, one);
}

static bool read_profile(struct image *image, void *const *files, struct jdoc *timeline,
                         struct err *err)
{
    cleanup_free char *text = NULL;
    struct launchfile_record record;
    struct launchfile profile;
    size_t size;
    bool ok;

    if (!image_read(image, FORMAT_PROFILE, FORMAT_LAUNCH_MAX, &text, &size, err))
        return false;
    ok = launchfile_begin(&profile, text, size);
    while (ok && launchfile_next(&profile, &record))
        add(timeline, files, &record);
    if (ok && profile.at == profile.end)
        return true;
    (void)err_set(err, ERR_INPUT, "'" FORMAT_PROFILE "' is damaged");
    return err_id(err, "E-IMAGE");
}

struct jdoc *timeline_of(struct image *image, struct err *err)
{
    struct jdoc *timeline = jdoc_array();
    void *files = NULL;
    bool ok = image_each(image, visit, &files, err);

    if (ok && image_has(image, FORMAT_PROFILE))
        ok = read_profile(image, &files, timeline, err);
    tdestroy(files, free_file);
    if (ok)
        return timeline;
    jdoc_free(timeline);
    return NULL;
}
