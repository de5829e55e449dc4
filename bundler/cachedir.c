/* SPDX-License-Identifier: MIT */
#include "bundler/cachedir.h"

#include <stdlib.h>

#include "bundler/witness.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/fs.h"
#include "common/xalloc.h"

bool cachedir_make(const char *name, char **ret, struct err *err)
{
    const char *cache = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");
    cleanup_free char *path = NULL;

    if (cache != NULL && cache[0] == '/')
        path = xasprintf("%s/rucksack/%s", cache, name);
    else if (home != NULL && home[0] == '/')
        path = xasprintf("%s/.cache/rucksack/%s", home, name);
    if (path == NULL) {
        (void)err_set(err, ERR_INPUT, "neither XDG_CACHE_HOME nor HOME says where to keep '%s'",
                      name);
        (void)err_id(err, "E-OUTPUT");
        return err_hint(err, "name a directory: XDG_CACHE_HOME=DIR");
    }
    if (!fs_mkdir_p(path, 0700, err))
        return false;
    witness_ignore(path);
    *ret = steal_ptr(&path);
    return true;
}
