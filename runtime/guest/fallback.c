/* SPDX-License-Identifier: MIT */
/*
 * Data that libraries look for at a compiled-in place of the build machine, like time zones in
 * /usr/share/zoneinfo: where the host has nothing there, the image's copy is found.
 *
 * Only after ENOENT, only below the prefixes of the launch file, never to create anything. What the
 * host has always wins. Nothing here allocates or locks.
 */
#include <errno.h>
#include <string.h>

#include "common/launchfile.h"
#include "guest.h"

enum { PREFIXES_MAX = 4096 };

/* Absolute paths, each with its NUL. */
static char prefixes[PREFIXES_MAX];
static size_t prefixes_len;

void fallback_record(const struct launchfile_record *record)
{
    size_t len = strlen(record->fields[1]) + 1;

    if (!launchfile_is(record, "path", 1))
        return;
    if (len > sizeof(prefixes) - prefixes_len)
        guest_die("too many paths: ", record->fields[1]);
    memcpy(prefixes + prefixes_len, record->fields[1], len);
    prefixes_len += len;
}

bool fallback_lists(const char *path)
{
    if (path == NULL || path[0] != '/' || guest_root_len == 0)
        return false;
    for (const char *at = prefixes; at < prefixes + prefixes_len; at += strlen(at) + 1) {
        size_t len = strlen(at);

        if (strncmp(path, at, len) == 0 && (path[len] == '\0' || path[len] == '/'))
            return true;
    }
    return false;
}

bool fallback_path(char ret[GUEST_PATH_MAX], const char *path)
{
    return errno == ENOENT && fallback_lists(path) && guest_path(ret, path + 1);
}
