/* SPDX-License-Identifier: MIT */
#include "environment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bundle.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/format.h"

extern char **environ;

static const char *const disturbing_prefixes[] = {"LD_", "RUBY", "GEM_", "BUNDLE_", "BUNDLER_"};
static const char *const disturbing_names[] = {"GLIBC_TUNABLES", "LOCPATH", "GCONV_PATH", "NLSPATH",
                                               "RUBYGEMS_GEMDEPS"};

/* What tunes any Ruby: ruby(1), doc/ of its garbage collector. */
static const char *const tuning_prefixes[] = {
    "RUBY_GC_",    "RUBY_YJIT_",         "RUBY_RJIT_",   "RUBY_THREAD",
    "RUBY_FIBER_", "RUBY_SHARED_FIBER_", "RUBY_MAX_CPU", "RUBY_MN_THREADS"};

static bool is_disturbing(const char *entry)
{
    size_t len = strcspn(entry, "=");

    for (size_t i = 0; i < sizeof(tuning_prefixes) / sizeof(tuning_prefixes[0]); i++) {
        if (strncmp(entry, tuning_prefixes[i], strlen(tuning_prefixes[i])) == 0)
            return false;
    }
    for (size_t i = 0; i < sizeof(disturbing_prefixes) / sizeof(disturbing_prefixes[0]); i++) {
        if (strncmp(entry, disturbing_prefixes[i], strlen(disturbing_prefixes[i])) == 0)
            return true;
    }
    for (size_t i = 0; i < sizeof(disturbing_names) / sizeof(disturbing_names[0]); i++) {
        if (len == strlen(disturbing_names[i]) && strncmp(entry, disturbing_names[i], len) == 0)
            return true;
    }
    return false;
}

/* What set_fallback() would have chosen: the guest takes it from other programs, unless it was the
 * user's. */
static bool is_host_choice(const struct bundle *bundle, const char *entry)
{
    for (size_t i = 0; i < bundle->count; i++) {
        const struct launchfile_record *record = &bundle->records[i];
        size_t len = strlen(record->fields[1]);

        if (launchfile_is(record, "host", 2) && strncmp(entry, record->fields[1], len) == 0 &&
            entry[len] == '=' && strcmp(entry + len + 1, record->fields[2]) == 0)
            return true;
    }
    return false;
}

static bool must_escape(unsigned char byte)
{
    return byte == '%' || byte == ';' || byte < 0x20 || byte == 0x7F;
}

static char *append_escaped(char *to, const char *entry)
{
    static const char hex[] = "0123456789ABCDEF";

    for (; *entry != '\0'; entry++) {
        unsigned char byte = (unsigned char)*entry;

        if (must_escape(byte)) {
            *to++ = '%';
            *to++ = hex[byte >> 4];
            *to++ = hex[byte & 15];
        } else {
            *to++ = *entry;
        }
    }
    return to;
}

/* Whether the saved list holds exactly this entry; escaped is scratch space for it. */
static bool is_saved(const char *saved, const char *entry, char *escaped)
{
    size_t len;

    *append_escaped(escaped, entry) = '\0';
    len = strlen(escaped);
    for (const char *at = saved; *at != '\0'; at += strcspn(at, ";"), at += *at == ';') {
        if (strcspn(at, ";") == len && strncmp(at, escaped, len) == 0)
            return true;
    }
    return false;
}

static size_t environment_bytes(void)
{
    size_t bytes = 0;

    for (char **entry = environ; *entry != NULL; entry++)
        bytes += strlen(*entry) + 1;
    return bytes;
}

/* Inside the bundle only what the user had set is ours to hide; at the first start everything. */
static bool started_by_us(const struct bundle *bundle)
{
    const char *dir = getenv("APPDIR");

    return dir != NULL && strcmp(dir, bundle->root) == 0 && strcmp(bundle->self, "AppRun") != 0;
}

/*
 * One line where somebody sits who may wonder: with the names, never the values. Not where a bundle
 * starts itself again (a server's hot restart): that was said.
 */
static void note_ignored(const char *saved, const char *before)
{
    bool said = false;

    if (!isatty(STDERR_FILENO) || (before != NULL && strcmp(before, saved) == 0))
        return;
    for (const char *at = saved; *at != '\0'; at += strcspn(at, ";"), at += *at == ';') {
        if (!is_disturbing(at))
            continue;
        fprintf(stderr, "%s %.*s", said ? "" : "rucksack: ignored variables of other programs:",
                (int)strcspn(at, "=%;"), at);
        said = true;
    }
    if (said)
        fputc('\n', stderr);
}

bool environment_clear(const struct bundle *bundle, struct err *err)
{
    const char *before = getenv(ENVIRONMENT_SAVED);
    bool inside = started_by_us(bundle);
    cleanup_free char *saved = calloc(3 * environment_bytes() + 1, 1);
    cleanup_free char *scratch = calloc(3 * environment_bytes() + 1, 1);
    char *end = saved;
    char **kept = environ;

    if (saved == NULL || scratch == NULL)
        return err_sys(err, "environment");
    for (char **entry = environ; *entry != NULL; entry++) {
        bool leave = !is_disturbing(*entry) ||
                     (inside && (before == NULL || !is_saved(before, *entry, scratch)));

        if (leave)
            *kept++ = *entry;
        if (leave && (inside || !is_host_choice(bundle, *entry)))
            continue;
        if (end != saved)
            *end++ = ';';
        end = append_escaped(end, *entry);
    }
    *kept = NULL;
    if (inside || end == saved)
        return true;
    if (strcmp(bundle->self, "AppRun") == 0)
        note_ignored(saved, before);
    return setenv(ENVIRONMENT_SAVED, saved, 1) == 0 || err_sys(err, "environment");
}

static bool prepend_path(const struct bundle *bundle, struct err *err)
{
    const char *path = getenv("PATH");
    cleanup_free char *ours = bundle_path(bundle, FORMAT_DIR "/bin");
    cleanup_free char *joined = NULL;

    if (path == NULL || path[0] == '\0')
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    if (ours == NULL || asprintf(&joined, "%s:%s", ours, path) < 0)
        return err_sys(err, "environment");
    return setenv("PATH", joined, 1) == 0 || err_sys(err, "environment");
}

/* What the host has is kept up to date by the host; ours is better than nothing. */
static bool set_fallback(const struct bundle *bundle, const struct launchfile_record *fallback,
                         struct err *err)
{
    const char *name = fallback->fields[1];
    cleanup_free char *ours = NULL;
    const char *chosen = NULL;

    if (getenv(name) != NULL)
        return true;
    for (size_t i = 0; i < bundle->count && chosen == NULL; i++) {
        const struct launchfile_record *record = &bundle->records[i];

        if (launchfile_is(record, "host", 2) && strcmp(record->fields[1], name) == 0 &&
            access(record->fields[2], R_OK) == 0)
            chosen = record->fields[2];
    }
    if (chosen == NULL) {
        ours = bundle_path(bundle, fallback->fields[2]);
        chosen = ours;
    }
    if (chosen == NULL || setenv(name, chosen, 1) != 0)
        return err_sys(err, "environment");
    return true;
}

/* The value with the image's root for every ${ROOT}; NULL: out of memory. */
static char *fill_root(const struct bundle *bundle, const char *value)
{
    static const char mark[] = "${ROOT}";
    size_t root_len = strlen(bundle->root);
    size_t size = strlen(value) + 1;
    char *filled;
    char *end;

    for (const char *at = strstr(value, mark); at != NULL; at = strstr(at + 1, mark))
        size += root_len;
    filled = malloc(size);
    if (filled == NULL)
        return NULL;
    end = filled;
    for (const char *at; (at = strstr(value, mark)) != NULL; value = at + sizeof(mark) - 1) {
        end = mempcpy(end, value, (size_t)(at - value));
        end = mempcpy(end, bundle->root, root_len);
    }
    memcpy(end, value, strlen(value) + 1);
    return filled;
}

static bool set_default(const struct bundle *bundle, const char *name, const char *value,
                        struct err *err)
{
    cleanup_free char *filled = fill_root(bundle, value);

    return (filled != NULL && setenv(name, filled, 0) == 0) || err_sys(err, "environment");
}

/* Variables that lead into the image, or also all others. */
static bool set_defaults(const struct bundle *bundle, bool only_leading, struct err *err)
{
    for (size_t i = 0; i < bundle->count; i++) {
        const struct launchfile_record *record = &bundle->records[i];

        if (launchfile_is(record, "env", 2) &&
            (!only_leading || strstr(record->fields[2], "${ROOT}") != NULL) &&
            !set_default(bundle, record->fields[1], record->fields[2], err))
            return false;
        if (launchfile_is(record, "fallback", 2) && !set_fallback(bundle, record, err))
            return false;
    }
    return true;
}

bool environment_renew(const struct bundle *bundle, struct err *err)
{
    return set_defaults(bundle, true, err);
}

bool environment_prepare(const struct bundle *bundle, struct err *err)
{
    unsetenv("ARGV0"); /* the stub's; leaked, it changes how some programs see themselves */
    unsetenv("RUCKSACK");
    if (setenv("APPDIR", bundle->root, 1) != 0)
        return err_sys(err, "environment");
    return set_defaults(bundle, false, err) && prepend_path(bundle, err);
}
