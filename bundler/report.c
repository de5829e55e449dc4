/* SPDX-License-Identifier: MIT */
#include "bundler/report.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/cleanup.h"
#include "common/xalloc.h"

void report_phase(const struct report *report, const char *phase, const char *left,
                  const char *right)
{
    cleanup_free char *clean = xstrdup(left);

    if (report->quiet)
        return;
    for (char *at = clean; *at != '\0'; at++) {
        if (iscntrl((unsigned char)*at))
            *at = '?';
    }
    if (right != NULL)
        fprintf(stderr, "%-8s %-48s %s\n", phase, clean, right);
    else
        fprintf(stderr, "%-8s %s\n", phase, clean);
}

char *report_size(uint64_t bytes)
{
    if (bytes < 1000)
        return xasprintf("%u B", (unsigned int)bytes);
    if (bytes < 1000 * 1000)
        return xasprintf("%.1f kB", (double)bytes / 1e3);
    if (bytes < 1000 * 1000 * 1000)
        return xasprintf("%.1f MB", (double)bytes / 1e6);
    return xasprintf("%.1f GB", (double)bytes / 1e9);
}
