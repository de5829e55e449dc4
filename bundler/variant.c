/* SPDX-License-Identifier: MIT */
#include "bundler/variant.h"

#include <string.h>

#include "bundler/elf.h"
#include "bundler/walk.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/pattern.h"
#include "common/text.h"
#include "common/xalloc.h"

static const char subdir[] = "/glibc-hwcaps/";

bool variant_is(const char *path)
{
    return strstr(path, subdir) != NULL;
}

/* "x86-64-v3" */
static char *level_of(const char *path)
{
    const char *level = strstr(path, subdir) + strlen(subdir);

    return xstrndup(level, strcspn(level, "/"));
}

/* As the loader searches: other machines' variants are passed over. */
static bool add_one(struct walk *walk, size_t object, const char *path, struct err *err)
{
    const struct elf *base = walk_elf(walk, object);
    cleanup_free char *level = level_of(path);
    cleanup_free char *reason =
        xasprintf("a variant of %s for %s", walk->objects[object].name, level);
    struct err ignored = {0};
    bool found;

    return base == NULL || elf_fit(path, base, &ignored) != ELF_FIT_YES ||
           walk_add_soname(walk, path, reason, &found, err);
}

static bool add_all(struct walk *walk, size_t object, struct err *err)
{
    const char *path = walk->objects[object].path;
    const char *name = text_base_name(path);
    cleanup_free char *dir = xstrndup(path, (size_t)(name - path - 1));
    cleanup_free char *quoted_dir = pattern_quote(dir);
    cleanup_free char *quoted_name = pattern_quote(name);
    cleanup_free char *pattern = xasprintf("%s%s*/%s", quoted_dir, subdir, quoted_name);
    cleanup_with(pattern_release) struct pattern_found found;
    bool ok = true;

    pattern_find(&found, pattern);
    for (size_t i = 0; ok && i < found.count; i++)
        ok = add_one(walk, object, found.paths[i], err);
    return ok;
}

bool variant_add(struct walk *walk, size_t *done, struct err *err)
{
    for (; *done < walk->count; (*done)++) {
        const struct walk_object *object = &walk->objects[*done];

        if (object->is_root || object->found == WALK_FOUND_INTERP || variant_is(object->path) ||
            strncmp(object->name, "libruby", strlen("libruby")) == 0)
            continue;
        if (!add_all(walk, *done, err))
            return false;
    }
    return true;
}
