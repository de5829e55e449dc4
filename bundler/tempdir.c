/* SPDX-License-Identifier: MIT */
#include "bundler/tempdir.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "bundler/witness.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/fs.h"
#include "common/unfinished.h"
#include "common/xalloc.h"

static const char *parent(void)
{
    const char *given = getenv("TMPDIR");

    return given != NULL && given[0] == '/' && strpbrk(given, " \t\n\v\f\r") == NULL ? given
                                                                                     : "/tmp";
}

bool tempdir_make(char **ret, struct err *err)
{
    cleanup_free char *dir = xasprintf("%s/rucksack-XXXXXX", parent());

    if (mkdtemp(dir) == NULL) {
        (void)err_sys(err, "'%s': temporary directory", parent());
        (void)err_id(err, "E-TMP");
        return err_hint(err, "name one that can be written: TMPDIR=DIR");
    }
    witness_ignore(dir);
    unfinished_watch_tree(dir);
    *ret = steal_ptr(&dir);
    return true;
}

bool tempdir_remove(char *dir, struct err *err)
{
    bool ok = dir == NULL || fs_remove_tree(AT_FDCWD, dir, err) || err_id(err, "E-TMP");

    unfinished_forget(dir);
    free(dir);
    return ok;
}
