/* SPDX-License-Identifier: MIT */
#include "runtime/stub/portable.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/err.h"

static const struct {
    const char *kind;
    const char *variable;
} directories[] = {
    {"home", "HOME"},
    {"config", "XDG_CONFIG_HOME"},
    {"share", "XDG_DATA_HOME"},
    {"cache", "XDG_CACHE_HOME"},
};

static char *path_of(const char *file, const char *kind)
{
    char *path;

    return asprintf(&path, "%s.%s", file, kind) < 0 ? NULL : path;
}

bool portable_make(const char *file, const char *kind, bool *ret_existed, struct err *err)
{
    cleanup_free char *path = path_of(file, kind);
    struct stat st;

    if (path == NULL)
        return err_sys(err, "'%s'", file);
    *ret_existed = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
    if (!*ret_existed && mkdir(path, 0700) != 0)
        return err_sys(err, "cannot make '%s'", path);
    return true;
}

bool portable_apply(const char *file, struct err *err)
{
    for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
        cleanup_free char *path = path_of(file, directories[i].kind);
        struct stat st;

        if (path == NULL)
            return err_sys(err, "'%s'", file);
        if (stat(path, &st) == 0 && S_ISDIR(st.st_mode) &&
            setenv(directories[i].variable, path, 1) != 0)
            return err_sys(err, "%s", directories[i].variable);
    }
    return true;
}
