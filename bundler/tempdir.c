/* SPDX-License-Identifier: MIT */
#include "bundler/tempdir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bundler/witness.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/fs.h"
#include "common/unfinished.h"
#include "common/xalloc.h"

/* Where all are; NULL: side by side. */
static char *reserved;

static const char *parent(void)
{
    const char *given = getenv("TMPDIR");

    return given != NULL && given[0] == '/' && strpbrk(given, " \t\n\v\f\r") == NULL ? given
                                                                                     : "/tmp";
}

void tempdir_reserve(void)
{
    uint64_t random[2] = {0, 0};

    free(reserved);
    reserved = NULL;
    if (getrandom(random, sizeof(random), 0) == (ssize_t)sizeof(random))
        reserved = xasprintf("%s/rucksack-%016llx%016llx", parent(), (unsigned long long)random[0],
                             (unsigned long long)random[1]);
}

void tempdir_remove_reserved(void)
{
    struct err ignored = {0};

    if (reserved != NULL)
        (void)fs_remove_tree(AT_FDCWD, reserved, &ignored);
    free(reserved);
    reserved = NULL;
}

void tempdir_tidy(void)
{
    if (reserved != NULL)
        (void)rmdir(reserved);
}

/* One that is there already is ours: nobody knew the name. */
static bool make_reserved(void)
{
    return reserved == NULL || mkdir(reserved, 0700) == 0 || errno == EEXIST;
}

bool tempdir_make(char **ret, struct err *err)
{
    cleanup_free char *dir = reserved != NULL ? xasprintf("%s/XXXXXX", reserved)
                                              : xasprintf("%s/rucksack-XXXXXX", parent());

    if (!make_reserved() || mkdtemp(dir) == NULL) {
        (void)err_sys(err, "'%s': temporary directory", parent());
        (void)err_id(err, "E-TMP");
        return err_hint(err, "name one that can be written: TMPDIR=DIR");
    }
    unfinished_watch_tree(dir); /* first: what follows may find no memory */
    witness_ignore(dir);
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
