/* SPDX-License-Identifier: MIT */
#include "bundler/rubyscan.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/xalloc.h"

enum { STATEMENT_MAX = 4096 };

static const char *const calls[] = {"ffi_lib", "dlload", "Fiddle.dlopen", "Fiddle::Handle.new",
                                    "Fiddle::dlopen"};

struct scan {
    const char *text;
    size_t len;
    void (*visit)(const struct rubyscan_call *call, void *context);
    void *context;
    size_t line;
    char *names[RUBYSCAN_NAMES_MAX];
    size_t name_count;
};

static bool is_word(char letter)
{
    return isalnum((unsigned char)letter) || letter == '_';
}

/* What the loaders of other systems want is no name for ours. */
static bool is_library_name(const char *name, size_t len)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-./";

    if (len == 0 || len > RUBYSCAN_NAME_MAX || !is_word(name[len - 1]))
        return false;
    for (size_t i = 0; i < len; i++)
        if (strchr(letters, name[i]) == NULL)
            return false;
    /* kernel32, ws2_32, msvcrt */
    if (memmem(name, len, "32", 2) == name + len - 2 || memmem(name, len, "msvcr", 5) != NULL)
        return false;
    return memmem(name, len, ".dll", 4) == NULL && memmem(name, len, ".dylib", 6) == NULL &&
           memmem(name, len, ".rb", 3) == NULL;
}

static void take_name(struct scan *scan, const char *name, size_t len)
{
    if (is_library_name(name, len) && scan->name_count < RUBYSCAN_NAMES_MAX)
        scan->names[scan->name_count++] = xstrndup(name, len);
}

static void give_names(struct scan *scan)
{
    if (scan->name_count > 0)
        scan->visit(
            &(struct rubyscan_call){(const char *const *)scan->names, scan->name_count, scan->line},
            scan->context);
    while (scan->name_count > 0)
        free(scan->names[--scan->name_count]);
}

/* From an opening quote to behind the closing one. A list in one text is split:
 * "libcurl,libcurl.so.4"
 */
static const char *take_literal(struct scan *scan, const char *at, const char *end)
{
    const char *close = memchr(at + 1, *at, (size_t)(end - at - 1));

    if (close == NULL)
        return end;
    for (const char *name = at + 1; name < close;) {
        const char *comma = memchr(name, ',', (size_t)(close - name));
        const char *stop = comma != NULL ? comma : close;

        take_name(scan, name, (size_t)(stop - name));
        name = stop + 1;
    }
    return close + 1;
}

/* Whether this is ENV.fetch("NAME", ...): the name names no library, what follows is its default.
 */
static bool is_fetch(const char *at, const char *end)
{
    static const char fetch[] = "ENV.fetch(";

    return (size_t)(end - at) > strlen(fetch) && strncmp(at, fetch, strlen(fetch)) == 0;
}

/* %w[a b] */
static const char *take_words(struct scan *scan, const char *at, const char *end)
{
    static const char closing[] = "[](){}<>";
    const char *pair = at + 2 < end ? strchr(closing, at[2]) : NULL;
    const char *stop;

    if (pair == NULL || *pair == '\0')
        return at + 1;
    stop = memchr(at, pair[1], (size_t)(end - at));
    for (at += 3; stop != NULL && at < stop;) {
        const char *word = at;

        while (at < stop && !isspace((unsigned char)*at))
            at++;
        take_name(scan, word, (size_t)(at - word));
        while (at < stop && isspace((unsigned char)*at))
            at++;
    }
    return stop == NULL ? end : stop + 1;
}

/* The end of a statement: a newline outside of brackets that no comma or operator continues. */
static const char *statement_end(const char *at, const char *end)
{
    int depth = 0;
    char last = ' ';

    if ((size_t)(end - at) > STATEMENT_MAX)
        end = at + STATEMENT_MAX;
    for (; at < end; at++) {
        if (strchr("([{", *at) != NULL && *at != '\0')
            depth++;
        else if (strchr(")]}", *at) != NULL && *at != '\0' && --depth < 0)
            return at;
        if ((*at == '\n' && depth == 0 && strchr(",\\|?:", last) == NULL) ||
            (*at == ';' && depth == 0))
            return at;
        if (!isspace((unsigned char)*at))
            last = *at;
    }
    return end;
}

static void take_constant(struct scan *scan, const char *name, size_t len);

/* The arguments of a call, or the value of a constant (where commas separate alternatives too). */
static void take_arguments(struct scan *scan, const char *at, bool is_value)
{
    const char *end = statement_end(at, scan->text + scan->len);
    int depth = 0;

    while (at < end) {
        if (*at == '"' || *at == '\'') {
            at = take_literal(scan, at, end);
        } else if (*at == '%' && at + 1 < end && (at[1] == 'w' || at[1] == 'W')) {
            at = take_words(scan, at, end);
        } else if (*at == '#') {
            while (at < end && *at != '\n')
                at++;
        } else if (is_fetch(at, end)) {
            depth++;
            while (at < end && *at != ',' && *at != ')')
                at++;
            at += at < end && *at == ',';
        } else if (isupper((unsigned char)*at) && !is_value) {
            const char *name = at;

            while (at < end && is_word(*at))
                at++;
            if (at < end && *at != ':' && *at != '.')
                take_constant(scan, name, (size_t)(at - name));
            else if (at == end)
                take_constant(scan, name, (size_t)(at - name));
        } else if (is_word(*at)) {
            while (at < end && is_word(*at))
                at++;
        } else if (*at == '[' && (is_word(at[-1]) || at[-1] == ']')) {
            /* the key of an index names no library */
            while (at < end && *at != ']')
                at++;
        } else {
            depth += (*at == '[' || *at == '(') - (*at == ']' || *at == ')');
            if (*at == ',' && depth == 0 && !is_value)
                give_names(scan);
            at++;
        }
    }
    if (!is_value)
        give_names(scan);
}

/* NAME = "...": the first assignment at the start of a line. */
static void take_constant(struct scan *scan, const char *name, size_t len)
{
    const char *end = scan->text + scan->len;

    for (const char *at = scan->text;
         (at = memmem(at, (size_t)(end - at), name, len)) != NULL && at < end; at += len) {
        const char *before = at;
        const char *after = at + len;

        while (before > scan->text && (before[-1] == ' ' || before[-1] == '\t'))
            before--;
        while (after < end && *after == ' ')
            after++;
        if ((before == scan->text || before[-1] == '\n') && after + 1 < end && after[0] == '=' &&
            after[1] != '=') {
            take_arguments(scan, after + 1, true);
            return;
        }
    }
}

/* Whether what stands before on the line makes it a comment, a definition or part of a word. */
static bool is_call(const struct scan *scan, const char *at, size_t len)
{
    const char *start = at;
    const char *after = at + len;

    while (start > scan->text && start[-1] != '\n')
        start--;
    if (memchr(start, '#', (size_t)(at - start)) != NULL ||
        memmem(start, (size_t)(at - start), "def ", 4) != NULL)
        return false;
    if (at > scan->text && (is_word(at[-1]) || at[-1] == ':' || at[-1] == '"' || at[-1] == '\''))
        return false;
    return after < scan->text + scan->len && (*after == ' ' || *after == '(');
}

static void scan_call(struct scan *scan, const char *name)
{
    const char *end = scan->text + scan->len;
    const char *counted = scan->text;
    size_t len = strlen(name);
    const char *at = scan->text;

    scan->line = 1;
    while ((at = memmem(at, (size_t)(end - at), name, len)) != NULL) {
        for (; counted < at; counted++)
            scan->line += *counted == '\n';
        if (is_call(scan, at, len)) {
            const char *arguments = at + len;

            while (arguments < end && *arguments == ' ')
                arguments++;
            if (arguments < end && *arguments == '(')
                arguments++;
            take_arguments(scan, arguments, false);
        }
        at += len;
    }
}

void rubyscan(const char *text, size_t len,
              void (*visit)(const struct rubyscan_call *call, void *context), void *context)
{
    struct scan scan = {.text = text, .len = len, .visit = visit, .context = context};

    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
        scan_call(&scan, calls[i]);
}
