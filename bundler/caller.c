/* SPDX-License-Identifier: MIT */
#include "bundler/caller.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "bundler/plan.h"
#include "bundler/rubyscan.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/format.h"
#include "common/fs.h"
#include "common/text.h"
#include "common/xalloc.h"

/* Words of a line that starts a program. */
static const char *const starters[] = {"system", "spawn",  "exec",       "popen",   "capture2",
                                       "%x",     "Open3.", "capture3",   "command", "run",
                                       "which",  "sh ",    "executable", "shell"};

/* Those that say that a gem starts programs at all. */
static const char *const signs[] = {"Open3", "IO.popen", "system(", "system ",    "spawn(",
                                    "exec(", "%x",       "`",       "posix/spawn"};

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* One source file. */
struct source {
    const struct plan_entry *entry;
    const char *text;
    size_t len;
};

static bool has_any(const char *text, size_t len, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (memmem(text, len, words[i], strlen(words[i])) != NULL)
            return true;
    return false;
}

static bool is_word(char letter)
{
    return isalnum((unsigned char)letter) || letter == '_' || letter == '-' || letter == '.';
}

/* At the start of a text, of `...` or of a word of %w[]. What follows may be arguments. */
static bool is_first_word(const char *start, const char *at, const char *behind, const char *end)
{
    return at > start && strchr("\"'`[({ ", at[-1]) != NULL && (behind == end || !is_word(*behind));
}

/* "convert", 'convert', `convert ...`: nothing else is in the quotes before it. */
static bool is_quoted(const char *at)
{
    return strchr("\"'`", at[-1]) != NULL;
}

/* What a line has to say of a name: 2 starts it, 1 names it, 0 neither. */
static int weigh(const char *line, size_t len, const char *name)
{
    const char *end = line + len;
    size_t size = strlen(name);
    int weight = 0;

    while (line < end && isspace((unsigned char)*line))
        line++;
    if (line == end || *line == '#')
        return 0;
    for (const char *at = line; (at = memmem(at, (size_t)(end - at), name, size)) != NULL;
         at += size) {
        if (!is_first_word(line, at, at + size, end))
            continue;
        if (at[-1] == '`' ||
            (is_quoted(at) && has_any(line, (size_t)(at - line), starters, COUNT(starters))) ||
            memmem(line, (size_t)(at - line), "%x", 2) != NULL)
            return 2;
        if (is_quoted(at) || memmem(line, (size_t)(at - line), "%w", 2) != NULL)
            weight = 1;
    }
    return weight;
}

/* "gem 'x', lib/x.rb:12", or "config.ru:3" in the application. */
static char *describe(const struct plan_entry *entry, size_t line)
{
    const char *path = entry->path;

    if (entry->part == PLAN_PART_APP)
        return xasprintf("%s:%zu", path + strlen(FORMAT_APP_DIR) + 1, line);
    if (strncmp(path, FORMAT_GEM_DIR "/gems/", strlen(FORMAT_GEM_DIR "/gems/")) == 0) {
        path += strlen(FORMAT_GEM_DIR "/gems/");
        path += strcspn(path, "/");
        path += *path == '/';
    }
    return xasprintf("%s, %s:%zu", entry->reason, path, line);
}

static void look(struct caller *caller, const struct source *source, bool starts_programs)
{
    const char *end = source->text + source->len;
    size_t number = 1;

    for (const char *line = source->text; line < end; number++) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        size_t len = (size_t)((stop != NULL ? stop : end) - line);
        const char *bare = text_base_name(caller->program);
        int weight = weigh(line, len, caller->program);

        if (weight < 2 && bare != caller->program && weigh(line, len, bare) == 2)
            weight = 2;

        if (weight == 2 || (weight == 1 && starts_programs && caller->where == NULL)) {
            free(caller->where);
            caller->where = describe(source->entry, number);
            caller->is_call = weight == 2;
            if (caller->is_call)
                return;
        }
        line += len + 1;
    }
}

static bool is_source(const struct plan_entry *entry, enum plan_part part)
{
    const char *dot = strrchr(entry->path, '.');

    return entry->type == PLAN_FILE && entry->part == part && entry->source != NULL &&
           entry->size_bytes <= RUBYSCAN_FILE_MAX && dot != NULL &&
           (strcmp(dot, ".rb") == 0 || strcmp(dot, ".ru") == 0 || strcmp(dot, ".rake") == 0);
}

/* Whether the gem, or the application, starts programs: its files are neighbours in the plan, and
 * one may name what another starts. */
static bool group_starts(const struct plan *plan, size_t at, enum plan_part part)
{
    const struct plan_entry *first = plan->entries[at];

    for (size_t i = at; i < plan->count; i++) {
        const struct plan_entry *entry = plan->entries[i];
        cleanup_free char *text = NULL;
        struct err ignored = {0};
        size_t size;

        if (entry->part == part && entry->reason != NULL &&
            strcmp(entry->reason, first->reason) != 0)
            return false;
        if (is_source(entry, part) &&
            fs_read_file(entry->source, RUBYSCAN_FILE_MAX, &text, &size, &ignored) &&
            has_any(text, size, signs, COUNT(signs)))
            return true;
    }
    return false;
}

/* A shell is started for any command line with '|' and the like, mostly not by its name. */
static bool is_shell(const struct caller *caller)
{
    return strcmp(text_base_name(caller->program), "sh") == 0;
}

static void look_in(struct caller *callers, size_t count, const struct plan *plan,
                    enum plan_part part)
{
    const char *group = NULL;
    bool starts_programs = false;

    for (size_t i = 0; i < plan->count; i++) {
        struct source source = {.entry = plan->entries[i]};
        cleanup_free char *text = NULL;
        struct err ignored = {0};

        if (!is_source(source.entry, part) || source.entry->reason == NULL)
            continue;
        if (group == NULL || strcmp(group, source.entry->reason) != 0) {
            group = source.entry->reason;
            starts_programs = group_starts(plan, i, part);
        }
        if (!fs_read_file(source.entry->source, RUBYSCAN_FILE_MAX, &text, &source.len, &ignored))
            continue; /* gone since it was planned: the image has it, this is a hint */
        source.text = text;
        for (size_t j = 0; j < count; j++)
            if (!callers[j].is_call && !is_shell(&callers[j]))
                look(&callers[j], &source, starts_programs);
    }
}

void callers_find(struct caller *callers, size_t count, const struct plan *plan)
{
    if (count == 0)
        return;
    look_in(callers, count, plan, PLAN_PART_APP);
    look_in(callers, count, plan, PLAN_PART_GEMS);
}
