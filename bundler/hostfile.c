/* SPDX-License-Identifier: MIT */
#include "bundler/hostfile.h"

#include <stddef.h>
#include <string.h>

#include "common/text.h"

/* The kernel's, the administrator's, the loader's, and nscd's. */
static const char *const prefixes[] = {
    "/proc/",         "/sys/",          "/dev/",          "/run/",
    "/var/run/nscd/", "/etc/passwd",    "/etc/group",     "/etc/hosts",
    "/etc/host.conf", "/etc/localtime", "/etc/timezone",  "/etc/nsswitch.conf",
    "/etc/gai.conf",  "/etc/services",  "/etc/protocols", "/etc/resolv.conf",
    "/etc/ld.so.",
};

/* libc looks for these whether or not anybody converts or names a locale. */
static const char *const names[] = {"gconv-modules", "gconv-modules.d", "gconv-modules.cache",
                                    "locale.alias"};

bool hostfile_is_expected(const char *path)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(text_base_name(path), names[i]) == 0)
            return true;
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
        if (strncmp(path, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    return false;
}
