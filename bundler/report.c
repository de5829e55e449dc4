/* SPDX-License-Identifier: MIT */
#include "bundler/report.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bundler/annotation.h"
#include "bundler/terminal.h"
#include "common/cleanup.h"
#include "common/xalloc.h"

/* What stands before a line and behind its first word; static strings but for the time. */
struct style {
    const char *before;
    const char *behind;
    char time[sizeof("2026-11-28T23:01:22Z ")];
};

static bool is_set(const char *name)
{
    const char *value = getenv(name);

    return value != NULL && value[0] != '\0' && strcmp(value, "false") != 0;
}

static struct style style_of(const char *phase)
{
    bool is_warning = strcmp(phase, "warning") == 0;
    struct style style = {.before = "", .behind = ""};
    time_t now = time(NULL);
    struct tm parts;

    if (terminal_is_live(STDERR_FILENO)) {
        /* Whatever progress was drawn there gives way. */
        style.before = TERMINAL_CLEAR;
        if (terminal_is_colored(STDERR_FILENO)) {
            style.before =
                is_warning ? TERMINAL_CLEAR TERMINAL_YELLOW : TERMINAL_CLEAR TERMINAL_BOLD;
            style.behind = TERMINAL_PLAIN;
        }
    } else if (is_set("CI") && !annotation_is_wanted() && gmtime_r(&now, &parts) != NULL) {
        (void)strftime(style.time, sizeof(style.time), "%Y-%m-%dT%H:%M:%SZ ", &parts);
    }
    return style;
}

void report_phase(const struct report *report, const char *phase, const char *left,
                  const char *right)
{
    cleanup_free char *clean = xstrdup(left);
    struct style style;

    if (report->quiet)
        return;
    for (char *at = clean; *at != '\0'; at++) {
        if (iscntrl((unsigned char)*at))
            *at = '?';
    }
    style = style_of(phase);
    if (right != NULL)
        fprintf(stderr, "%s%s%-8s%s %-48s %s\n", style.before, style.time, phase, style.behind,
                clean, right);
    else
        fprintf(stderr, "%s%s%-8s%s %s\n", style.before, style.time, phase, style.behind, clean);
    if (strcmp(phase, "warning") == 0)
        annotation_warn(clean);
}

void report_detail(const struct report *report, const char *phase, const char *left,
                   const char *right)
{
    if (report->verbose)
        report_phase(report, phase, left, right);
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
