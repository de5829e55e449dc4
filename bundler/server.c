/* SPDX-License-Identifier: MIT */
#include "bundler/server.h"

#include <stdlib.h>
#include <string.h>

#include "bundler/probe.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/text.h"
#include "common/words.h"

/* "puma", "bundle exec puma", "bin/puma": its arguments are behind it, and ours can follow. */
static bool is_puma(const char *command)
{
    cleanup_with(words_release) struct words words = {0};
    struct err ignored = {0};
    size_t at;

    if (words_need_shell(command) || !words_split(&words, command, getenv, &ignored))
        return false;
    at = words.assignments;
    if (words.count > at + 2 && strcmp(text_base_name(words.items[at]), "bundle") == 0 &&
        strcmp(words.items[at + 1], "exec") == 0)
        at += 2;
    return strcmp(text_base_name(words.items[at]), "puma") == 0;
}

/* Whether "6.4.2" is at least major.minor. */
static bool is_at_least(const char *version, unsigned long major, unsigned long minor)
{
    char *end = NULL;
    unsigned long first = strtoul(version, &end, 10);
    unsigned long second = *end == '.' ? strtoul(end + 1, NULL, 10) : 0;

    return first > major || (first == major && second >= minor);
}

struct server server_of(const char *command, const struct probe *probe)
{
    const struct probe_gem *puma = probe_find_gem(probe, "puma");
    struct server server = {0};

    if (puma == NULL || !is_puma(command))
        return server;
    server.takes_sockets = is_at_least(puma->version, 5, 1);
    server.notifies = is_at_least(puma->version, 6, 1) ||
                      (is_at_least(puma->version, 5, 1) && probe_find_gem(probe, "sd_notify"));
    return server;
}
