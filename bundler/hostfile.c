/* SPDX-License-Identifier: MIT */
#include "bundler/hostfile.h"

#include <stddef.h>
#include <string.h>

/* The kernel's, the administrator's, the loader's, and nscd's. */
static const char *const prefixes[] = {
    "/proc/",         "/sys/",          "/dev/",          "/run/",
    "/var/run/nscd/", "/etc/passwd",    "/etc/group",     "/etc/hosts",
    "/etc/host.conf", "/etc/localtime", "/etc/timezone",  "/etc/nsswitch.conf",
    "/etc/gai.conf",  "/etc/services",  "/etc/protocols", "/etc/resolv.conf",
    "/etc/ld.so.",
};

bool hostfile_is_expected(const char *path)
{
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
        if (strncmp(path, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    return false;
}
