/* SPDX-License-Identifier: MIT */
#include "common/path.h"

#include <string.h>

#include "common/err.h"

static bool is_dot(const char *part, size_t len)
{
    return len == 1 && part[0] == '.';
}

static bool is_dotdot(const char *part, size_t len)
{
    return len == 2 && part[0] == '.' && part[1] == '.';
}

bool path_image(const char *name, char *ret, size_t size, struct err *err)
{
    size_t used = 0;
    size_t limit = size < PATH_IMAGE_MAX + 1 ? size : PATH_IMAGE_MAX + 1;

    for (const char *part = name; *part != '\0';) {
        size_t len = strcspn(part, "/");

        if (is_dotdot(part, len))
            return err_set(err, ERR_INPUT, "'%.200s' climbs out of its directory", name);
        if (len > 0 && !is_dot(part, len)) {
            size_t slash = used > 0;

            if (len + slash >= limit - used)
                return err_set(err, ERR_INPUT, "'%.200s...' is longer than %zu bytes", name,
                               limit - 1);
            if (slash)
                ret[used++] = '/';
            memcpy(ret + used, part, len);
            used += len;
        }
        part += len + (part[len] == '/');
    }
    ret[used] = '\0';
    return true;
}

bool path_lies_in(const char *path, const char *dir)
{
    size_t len = strlen(dir);

    return strncmp(path, dir, len) == 0 && (path[len] == '\0' || path[len] == '/');
}
