/* SPDX-License-Identifier: MIT */
#include "bundler/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bundler/app.h"
#include "bundler/plan.h"
#include "bundler/probe.h"
#include "bundler/report.h"
#include "bundler/secrettext.h"
#include "bundler/sqlitefile.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/format.h"
#include "common/fs.h"
#include "common/path.h"
#include "common/text.h"
#include "common/xalloc.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* What is behind so many bytes of a file is not looked at: no key or token needs more. */
enum { LOOK_MAX_BYTES = 4 << 20, LIST_MAX_BYTES = 700, WHY_MAX = 160 };

struct rule {
    const char *pattern; /* fnmatch(3); one with '/' is of the end of a path */
    const char *why;
};

/* History is a secret, too: it has what was removed. */
static const struct rule rules[] = {
    {".git", "a repository with its history"},
    {".hg", "a repository with its history"},
    {".svn", "a repository with its history"},
    {".env*", "variables of an environment"},
    {"*.key", "a key"},
    {".netrc", "passwords of servers"},
    {"_netrc", "passwords of servers"},
    {".pgpass", "passwords of databases"},
    {".git-credentials", "passwords of servers"},
    {".vault-token", "a token of Vault"},
    {".aws", "credentials of AWS"},
    {".ssh", "keys of ssh"},
    {".gnupg", "keys of GnuPG"},
    {".gem/credentials", "a key of RubyGems"},
    {".docker/config.json", "passwords of registries"},
    {".kamal/secrets*", "secrets of Kamal"},
};

/* What tells others which variables there are. */
static const char *const examples[] = {".env.example", ".env.*.example", ".env.sample",
                                       ".env.template", ".env.dist"};

struct check {
    const struct app *app;
    const struct probe *probe;
    const struct report *report;
    char *list; /* "a (why), b (why)" */
    size_t count;
    size_t listed;
    char *buffer;  /* LOOK_MAX_BYTES, and a NUL */
    bool *is_used; /* by what is allowed: there is such a file */
};

static bool is_example(const char *name)
{
    for (size_t i = 0; i < COUNT(examples); i++)
        if (fnmatch(examples[i], name, 0) == 0)
            return true;
    return false;
}

/* Of a path without what follows it. */
static const char *rule_of(const char *path)
{
    const char *name = text_base_name(path);

    if (is_example(name))
        return NULL;
    for (size_t i = 0; i < COUNT(rules); i++) {
        const char *pattern = rules[i].pattern;
        const char *tail = path;

        if (strchr(pattern, '/') == NULL) {
            if (fnmatch(pattern, name, 0) == 0)
                return rules[i].why;
            continue;
        }
        /* The last two components. */
        for (const char *at = path; at < name - 1; at++)
            if (*at == '/')
                tail = at + 1;
        if (fnmatch(pattern, tail, 0) == 0)
            return rules[i].why;
    }
    return NULL;
}

const char *secret_by_name(const char *relative)
{
    cleanup_free char *path = xstrdup(relative);

    for (char *slash = path; (slash = strchr(slash, '/')) != NULL; slash++) {
        const char *why;

        *slash = '\0';
        why = rule_of(path);
        if (why != NULL)
            return why;
        *slash = '/';
    }
    return rule_of(relative);
}

/* Itself, or a directory above it: which of the allowed ones, or how many there are. */
static size_t find_allowed(const struct secret_allowed *allowed, const char *relative)
{
    size_t i = 0;

    while (i < allowed->count &&
           (allowed->paths[i][0] == '\0' || !path_lies_in(relative, allowed->paths[i])))
        i++;
    return i;
}

bool secret_is_allowed(const struct secret_allowed *allowed, const char *relative)
{
    return find_allowed(allowed, relative) < allowed->count;
}

bool secret_leads_to_allowed(const struct secret_allowed *allowed, const char *relative)
{
    size_t length = strlen(relative);

    for (size_t i = 0; i < allowed->count; i++)
        if (strncmp(allowed->paths[i], relative, length) == 0 && allowed->paths[i][length] == '/')
            return true;
    return false;
}

/* Bundler's own file: keys of settings that name a server hold its user and password. */
static bool has_bundler_credentials(char *text)
{
    static const char *const others[] = {"BUNDLE_BUILD__", "BUNDLE_LOCAL__", "BUNDLE_DISABLE_",
                                         "BUNDLE_MIRROR__"};
    char *rest = text;

    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        char *colon = strstr(line, ": ");
        bool is_other = false;

        if (strncmp(line, "BUNDLE_", 7) != 0 || colon == NULL)
            continue;
        for (size_t i = 0; i < COUNT(others); i++)
            is_other |= strncmp(line, others[i], strlen(others[i])) == 0;
        if (strncmp(line, "BUNDLE_MIRROR__", 15) == 0 && strchr(colon, '@') != NULL)
            return true;
        *colon = '\0';
        if (!is_other && strstr(line, "__") != NULL &&
            strspn(colon + 2, "\" '") < strlen(colon + 2))
            return true;
    }
    return false;
}

/* buffer has length bytes of the file, and room for a NUL. */
static char *why_of_bytes(char *buffer, const char *relative, int fd, uint64_t size, size_t length)
{
    struct secrettext_finding finding;

    switch (sqlitefile_look(fd, size)) {
    case SQLITEFILE_ROWS:
        return xstrdup("a database with rows");
    case SQLITEFILE_UNREADABLE:
        return xstrdup("a database that cannot be read");
    case SQLITEFILE_EMPTY:
    case SQLITEFILE_NONE:
        break;
    }
    if (secrettext_find(text_base_name(relative), buffer, length, &finding))
        return xasprintf("%s, line %zu", finding.what, finding.line);
    buffer[length] = '\0';
    if (fnmatch("*.bundle/config", relative, 0) == 0 && has_bundler_credentials(buffer))
        return xstrdup("passwords of gem servers");
    return NULL;
}

/* NULL when there is nothing to say, or no file any more: whoever packs it says so. */
static char *why_of_open(char *buffer, const char *relative, int fd)
{
    size_t length = 0;
    struct stat st;

    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return NULL;
    while (length < LOOK_MAX_BYTES) {
        ssize_t count = pread(fd, buffer + length, LOOK_MAX_BYTES - length, (off_t)length);

        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            break;
        length += (size_t)count;
    }
    return why_of_bytes(buffer, relative, fd, (uint64_t)st.st_size, length);
}

static char *why_of_file(char *buffer, const char *relative, const char *source)
{
    cleanup_fd int fd = open(source, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    return why_of_open(buffer, relative, fd);
}

bool secret_is_in_file(const char *path)
{
    cleanup_free char *buffer = xcalloc(LOOK_MAX_BYTES + 1, 1);
    cleanup_free char *why = why_of_file(buffer, path, path);

    return why != NULL;
}

static void add(struct check *check, const char *relative, const char *why)
{
    cleanup_free char *line = xasprintf("%s (%s)", relative, why);

    report_phase(check->report, "secret", line, NULL);
    check->count++;
    if (strlen(check->list) + strlen(line) < LIST_MAX_BYTES) {
        text_join(&check->list, ", ", line);
        check->listed++;
    }
}

/* Of which gem's source tree a file is; NULL: of none, but of what was published. */
static const struct probe_gem *source_gem(const struct probe *probe, const char *source)
{
    for (size_t i = 0; i < probe->gem_count; i++)
        if (probe->gems[i].files != NULL && path_lies_in(source, probe->gems[i].dir))
            return &probe->gems[i];
    return NULL;
}

/* What is shown and allowed: below the application's directory, else as it is. */
static const char *relative_to_app(const struct app *app, const char *source)
{
    return path_lies_in(source, app->dir) ? source + strlen(app->dir) + 1 : source;
}

static bool is_allowed(struct check *check, const char *relative)
{
    size_t which = find_allowed(&check->app->allowed, relative);

    if (which == check->app->allowed.count)
        return false;
    check->is_used[which] = true;
    return true;
}

/* The names above a gem that lies elsewhere are not its own: ~/.gem/... */
static void look_at_file(struct check *check, const struct plan_entry *entry)
{
    const char *relative = relative_to_app(check->app, entry->source);
    const struct probe_gem *gem = source_gem(check->probe, entry->source);
    const char *own = relative;
    const char *named;
    cleanup_free char *why = NULL;

    if ((entry->part != PLAN_PART_APP && gem == NULL) || is_allowed(check, relative))
        return;
    if (relative[0] == '/')
        own = gem != NULL && strlen(entry->source) > strlen(gem->dir)
                  ? entry->source + strlen(gem->dir) + 1
                  : text_base_name(relative);
    named = secret_by_name(own);
    why = named != NULL ? xstrdup(named) : why_of_file(check->buffer, relative, entry->source);
    if (why != NULL)
        add(check, relative, why);
}

/* What was made for the application by its own programs: compiled assets hold what their sources
 * and the environment of the build gave them. */
static void look_at_data(struct check *check, const struct plan_entry *entry)
{
    static const char above[] = FORMAT_APP_DIR "/";
    const char *relative =
        strncmp(entry->path, above, strlen(above)) == 0 ? entry->path + strlen(above) : entry->path;
    cleanup_fd int fd = -1;
    struct err ignored = {0};
    const char *named = secret_by_name(relative);
    cleanup_free char *why = NULL;

    if (entry->data == NULL || is_allowed(check, relative))
        return;
    fd = memfd_create("data", MFD_CLOEXEC);
    if (named != NULL)
        why = xstrdup(named);
    else if (fd < 0 || !fs_write_all(fd, entry->data, entry->size_bytes, &ignored))
        why = xstrdup("it cannot be looked at");
    else
        why = why_of_open(check->buffer, relative, fd);
    if (why != NULL)
        add(check, relative, why);
}

static void look(struct check *check, const struct plan_entry *entry)
{
    if (entry->type == PLAN_FILE && (entry->part == PLAN_PART_APP || entry->part == PLAN_PART_GEMS))
        look_at_file(check, entry);
    else if (entry->type == PLAN_DATA && entry->part == PLAN_PART_APP)
        look_at_data(check, entry);
}

static bool refuse(const struct check *check, struct err *err)
{
    cleanup_free char *more = check->listed < check->count
                                  ? xasprintf(" and %zu more", check->count - check->listed)
                                  : xstrdup("");

    if (check->count == 1)
        (void)err_set(err, ERR_INPUT, "a file to pack looks like a secret: %s", check->list);
    else
        (void)err_set(err, ERR_INPUT, "%zu files to pack look like secrets: %s%s", check->count,
                      check->list, more);
    (void)err_id(err, "E-SECRET");
    return err_hint(err, "keep them out by 'exclude:' in rucksack.yml, and give them to the "
                         "application when it starts; '--allow-secret PATH' packs one");
}

/* One that is misspelt would let nothing through. */
static bool check_allowed(const struct check *check, struct err *err)
{
    for (size_t i = 0; i < check->app->allowed.count; i++) {
        if (check->is_used[i])
            continue;
        (void)err_set(err, ERR_INPUT, "--allow-secret: there is no file '%.200s' to pack",
                      check->app->allowed.paths[i]);
        (void)err_id(err, "E-SECRET");
        return err_hint(err, "name a path below the application's directory; databases and other "
                             "state are kept beside the file");
    }
    return true;
}

bool secret_check(const struct app *app, const struct probe *probe, const struct plan *plan,
                  const struct report *report, struct err *err)
{
    cleanup_free char *buffer = xcalloc(LOOK_MAX_BYTES + 1, 1);
    cleanup_free bool *is_used = xcalloc(app->allowed.count + 1, sizeof(*is_used));
    struct check check = {.app = app,
                          .probe = probe,
                          .report = report,
                          .list = xstrdup(""),
                          .buffer = buffer,
                          .is_used = is_used};
    bool ok;

    for (size_t i = 0; app->source != APP_PUBLISHED_GEM && i < plan->count; i++)
        look(&check, plan->entries[i]);
    ok = check.count > 0 ? refuse(&check, err) : check_allowed(&check, err);
    free(check.list);
    return ok;
}
