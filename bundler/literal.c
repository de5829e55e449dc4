/* SPDX-License-Identifier: MIT */
#include "bundler/literal.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

struct scan {
    const char *at;
    const char *line_end;
    const char *end;
    literal_visit *visit;
    void *context;
};

static bool is_of_name(char c)
{
    return isalnum((unsigned char)c) || (c != '\0' && strchr("_-./", c) != NULL);
}

/* How many bytes from at on are of a name. */
static size_t span(const char *at, const char *end)
{
    const char *from = at;

    while (at < end && is_of_name(*at))
        at++;
    return (size_t)(at - from);
}

static void offer(const struct scan *scan, const char *name, size_t len)
{
    if (len > 0 && len <= LITERAL_MAX)
        scan->visit(name, len, scan->context);
}

/* Whether the line goes on with that. */
static bool is_at(const struct scan *scan, const char *text)
{
    size_t len = strlen(text);

    return (size_t)(scan->line_end - scan->at) >= len && memcmp(scan->at, text, len) == 0;
}

static void scan_quoted(struct scan *scan)
{
    char quote = *scan->at++;
    size_t len = span(scan->at, scan->line_end);
    bool is_closed = scan->at + len < scan->line_end && scan->at[len] == quote;

    if (is_closed)
        offer(scan, scan->at, len);
    scan->at += len + is_closed;
}

/* "%w[json yaml]", which may go on in the next lines. */
static void scan_list(struct scan *scan)
{
    scan->at += strlen("%w[");
    while (scan->at < scan->end) {
        size_t len = span(scan->at, scan->end);

        offer(scan, scan->at, len);
        scan->at += len;
        if (scan->at == scan->end || !isspace((unsigned char)*scan->at))
            return;
        scan->at++;
    }
}

static bool is_list(const struct scan *scan)
{
    return (is_at(scan, "%w") || is_at(scan, "%W")) && scan->line_end - scan->at > 2 &&
           scan->at[2] != '\0' && strchr("[({<", scan->at[2]) != NULL;
}

static void scan_line(struct scan *scan)
{
    static const char constant[] = "Encoding::";

    while (scan->at < scan->line_end) {
        if (*scan->at == '"' || *scan->at == '\'') {
            scan_quoted(scan);
        } else if (is_list(scan)) {
            scan_list(scan);
        } else if (is_at(scan, constant)) {
            scan->at += strlen(constant);
            offer(scan, scan->at, span(scan->at, scan->line_end));
        } else {
            scan->at++;
        }
    }
}

static bool is_comment(const struct scan *scan)
{
    const char *at = scan->at;

    while (at < scan->line_end && (*at == ' ' || *at == '\t'))
        at++;
    return at < scan->line_end && *at == '#';
}

static bool has(const struct scan *scan, const char *word)
{
    return memmem(scan->at, (size_t)(scan->line_end - scan->at), word, strlen(word)) != NULL;
}

static void scan_source(struct scan *scan, bool only_requires)
{
    while (scan->at < scan->end) {
        const char *newline = memchr(scan->at, '\n', (size_t)(scan->end - scan->at));

        scan->line_end = newline != NULL ? newline : scan->end;
        if (!is_comment(scan) && (!only_requires || has(scan, "require") || has(scan, "autoload")))
            scan_line(scan);
        if (scan->at <= scan->line_end) /* a list may have gone further */
            scan->at = newline != NULL ? newline + 1 : scan->end;
    }
}

void literal_in_source(const char *text, size_t size, literal_visit *visit, void *context)
{
    struct scan scan = {.at = text, .end = text + size, .visit = visit, .context = context};

    scan_source(&scan, false);
}

void literal_in_requires(const char *text, size_t size, literal_visit *visit, void *context)
{
    struct scan scan = {.at = text, .end = text + size, .visit = visit, .context = context};

    scan_source(&scan, true);
}

void literal_in_object(const char *bytes, size_t size, literal_visit *visit, void *context)
{
    struct scan scan = {.at = bytes, .end = bytes + size, .visit = visit, .context = context};

    while (scan.at < scan.end) {
        const char *nul = memchr(scan.at, '\0', (size_t)(scan.end - scan.at));
        const char *end = nul != NULL ? nul : scan.end;

        if (span(scan.at, end) == (size_t)(end - scan.at))
            offer(&scan, scan.at, (size_t)(end - scan.at));
        scan.at = end + 1;
    }
}
