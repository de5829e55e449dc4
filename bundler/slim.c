/* SPDX-License-Identifier: MIT */
#include "bundler/slim.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "bundler/asset.h"
#include "bundler/config.h"
#include "bundler/jdoc.h"
#include "bundler/literal.h"
#include "bundler/names.h"
#include "bundler/plan.h"
#include "bundler/probe.h"
#include "bundler/report.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/fs.h"
#include "common/text.h"
#include "common/xalloc.h"

enum { SOURCE_MAX = 256 << 20, DIRS = 2 };

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* What our bundler/setup calls the real bundler.rb (bundler/gems.c). */
static const char real_bundler[] = "rucksack_bundler";

/* What Ruby itself loads, from C or its prelude, without a start that shows it. */
static const char *const of_ruby[] = {"enc",      "pp",  "rbconfig",
                                      "rubygems", "set", "unicode_normalize"};

/* Converters of more than 50 kB, below enc/trans, and names of encodings that want them; '_' and
 * '-' are the same. */
static const struct {
    const char *file;
    const char *names[4];
} converters[] = {
    {"big5", {"big5*", "cp950", "cp951"}},
    {"chinese", {"gb2312", "gb12345", "euc-cn", "euccn"}},
    {"emoji*", {"*docomo", "*kddi", "*softbank"}},
    {"gb18030", {"gb18030"}},
    {"gbk", {"gbk", "cp936"}},
    {"japanese_euc", {"euc-jp*", "eucjp*", "iso-2022-jp*", "cp51932"}},
    {"japanese_sjis", {"shift-jis", "sjis*", "windows-31j", "cp932"}},
    {"korean", {"euc-kr", "euckr", "cp949", "iso-2022-kr"}},
    {"utf8_mac", {"utf8-mac", "utf-8-mac", "utf-8-hfs"}},
};

struct library {
    char *name; /* "json" */
    bool is_kept;
    char *why;    /* for people */
    bool is_read; /* its sources */
};

struct search {
    const struct slim_request *request;
    struct plan *plan;
    char *dirs[DIRS];          /* image paths; the inner one first where one is in the other */
    struct library *libraries; /* sorted by name */
    size_t count;
    size_t capacity;
    bool wants[COUNT(converters)];
    const char *reader; /* image path of what is read */
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct library *)a)->name, ((const struct library *)b)->name);
}

/* "json/ext.rb": the path below the standard library; NULL of others. */
static const char *inside(const struct search *search, const char *path)
{
    for (size_t i = 0; i < DIRS; i++) {
        size_t len = strlen(search->dirs[i]);

        if (strncmp(path, search->dirs[i], len) == 0 && path[len] == '/')
            return path + len + 1;
    }
    return NULL;
}

/* The name that a feature or a path begins with, up to the first slash or its suffix. */
static size_t name_length(const char *path, size_t len)
{
    const char *slash = memchr(path, '/', len);
    const char *dot = memrchr(path, '.', len);

    if (slash != NULL)
        return (size_t)(slash - path);
    if (dot != NULL && len - (size_t)(dot - path) == 3 &&
        (memcmp(dot, ".rb", 3) == 0 || memcmp(dot, ".so", 3) == 0))
        return (size_t)(dot - path);
    return len;
}

static struct library *find(const struct search *search, const char *path, size_t len)
{
    cleanup_free char *name = xstrndup(path, name_length(path, len));
    struct library key = {.name = name};

    return search->count == 0
               ? NULL
               : bsearch(&key, search->libraries, search->count, sizeof(key), by_name);
}

static void list_libraries(struct search *search)
{
    size_t kept = 0;

    for (size_t i = 0; i < search->plan->count; i++) {
        const struct plan_entry *entry = search->plan->entries[i];
        const char *path = inside(search, entry->path);

        if (path == NULL || entry->type == PLAN_DIR)
            continue;
        search->libraries =
            xgrow(search->libraries, &search->capacity, search->count, sizeof(*search->libraries));
        search->libraries[search->count++].name = xstrndup(path, name_length(path, strlen(path)));
    }
    if (search->count == 0)
        return;
    qsort(search->libraries, search->count, sizeof(*search->libraries), by_name);
    for (size_t i = 0; i < search->count; i++) {
        bool is_new = i == 0 || by_name(&search->libraries[kept - 1], &search->libraries[i]) != 0;

        if (is_new)
            search->libraries[kept++] = (struct library){.name = search->libraries[i].name};
        else
            free(search->libraries[i].name);
    }
    search->count = kept;
}

static void keep(struct library *library, const char *why)
{
    if (library == NULL || library->is_kept)
        return;
    library->is_kept = true;
    library->why = xstrdup(why);
}

static void keep_name(const struct search *search, const char *name, const char *why)
{
    keep(find(search, name, strlen(name)), why);
}

/* Encodings have many spellings: "EUC-JP", "euc_jp". */
static void note_encoding(struct search *search, const char *name, size_t len)
{
    cleanup_free char *spelling = xstrndup(name, len);

    for (char *at = spelling; *at != '\0'; at++)
        *at = *at == '_' ? '-' : *at;
    for (size_t i = 0; i < COUNT(converters); i++)
        for (size_t j = 0; j < COUNT(converters[i].names) && converters[i].names[j] != NULL; j++)
            if (fnmatch(converters[i].names[j], spelling, FNM_CASEFOLD) == 0)
                search->wants[i] = true;
}

static void take_name(const char *name, size_t len, void *context)
{
    struct search *search = context;
    struct library *library = find(search, name, len);

    if (library != NULL)
        keep(library, search->reader);
    else if (len >= 3 && len <= 24)
        note_encoding(search, name, len);
}

/* Where code can be: extensions of Ruby, programs without one, templates that are code. */
static bool is_code(const char *path)
{
    static const char *const patterns[] = {"*.rb",   "*.ru",   "*.rake",    "*.so",      "*.erb",
                                           "*.haml", "*.slim", "*.gemspec", "*.jbuilder"};
    const char *name = text_base_name(path);

    for (size_t i = 0; i < COUNT(patterns); i++)
        if (fnmatch(patterns[i], name, 0) == 0)
            return true;
    return strchr(name, '.') == NULL;
}

/* What is Ruby's own requires what it names in the usual way, and its extensions nothing but what
 * is of them. */
static void look(struct search *search, const struct plan_entry *entry, const char *bytes,
                 size_t size)
{
    bool is_object = text_ends_with(entry->path, ".so");
    bool is_own = inside(search, entry->path) != NULL;

    search->reader = entry->path;
    if (is_object && !is_own)
        literal_in_object(bytes, size, take_name, search);
    else if (is_own && !is_object)
        literal_in_requires(bytes, size, take_name, search);
    else if (!is_object)
        literal_in_source(bytes, size, take_name, search);
}

static bool read_entry(struct search *search, const struct plan_entry *entry, struct err *err)
{
    cleanup_free char *text = NULL;
    size_t size;

    if (!is_code(entry->path))
        return true;
    if (entry->type == PLAN_DATA) {
        look(search, entry, entry->data, entry->size_bytes);
        return true;
    }
    if (entry->type != PLAN_FILE)
        return true;
    if (!fs_read_file(entry->source, SOURCE_MAX, &text, &size, err))
        return err_id(err, "E-READ");
    look(search, entry, text, size);
    return true;
}

/* They name all that a `gem install` may need. */
static bool names_nothing(const char *library)
{
    return strcmp(library, "rubygems") == 0 || strcmp(library, "bundler") == 0 ||
           strcmp(library, real_bundler) == 0;
}

/* The sources of libraries that are kept since the last time. */
static bool read_kept(struct search *search, bool *ret_any, struct err *err)
{
    cleanup_free bool *is_new = xcalloc(search->count + 1, sizeof(*is_new));

    *ret_any = false;
    for (size_t i = 0; i < search->count; i++) {
        struct library *library = &search->libraries[i];

        is_new[i] = library->is_kept && !library->is_read && !names_nothing(library->name);
        library->is_read |= library->is_kept;
        *ret_any |= is_new[i];
    }
    for (size_t i = 0; *ret_any && i < search->plan->count; i++) {
        const struct plan_entry *entry = search->plan->entries[i];
        const char *path = inside(search, entry->path);
        const struct library *library = path != NULL ? find(search, path, strlen(path)) : NULL;

        if (library != NULL && is_new[library - search->libraries] &&
            !read_entry(search, entry, err))
            return false;
    }
    return true;
}

/* What of a library stays whoever names it. */
static void keep_asked(const struct search *search)
{
    const struct config_list *const *lists = search->request->keep;

    for (size_t i = 0; i < search->count; i++) {
        cleanup_free char *path = xasprintf("ruby/%s", search->libraries[i].name);

        for (size_t j = 0; lists[j] != NULL; j++)
            for (size_t k = 0; k < lists[j]->count; k++)
                if (fnmatch(lists[j]->items[k], path, FNM_LEADING_DIR) == 0 ||
                    (strncmp(lists[j]->items[k], path, strlen(path)) == 0 &&
                     lists[j]->items[k][strlen(path)] == '/'))
                    keep(&search->libraries[i], "keep");
    }
}

/* ruby -rjson -r yaml */
static void keep_options(const struct search *search, const char *command)
{
    const char *at = command != NULL ? strstr(command, " -r") : NULL;

    while (at != NULL) {
        at += strlen(" -r");
        at += strspn(at, " ");
        keep(find(search, at, strcspn(at, " ")), "a command");
        at = strstr(at, " -r");
    }
}

static void keep_commands(const struct search *search)
{
    const struct config *config = search->request->config;

    for (size_t i = 0; i < config->processes.count; i++)
        keep_options(search, config->processes.items[i].value);
    keep_options(search, config->release);
    keep_options(search, config->console);
}

static void keep_loaded(const struct search *search)
{
    const struct jdoc *ruby = jdoc_member(search->request->probe->answer, "ruby");
    const struct jdoc *features = jdoc_member(ruby, "features");

    for (size_t i = 0; i < jdoc_count(features); i++) {
        const char *feature = jdoc_text_at(features, i);
        cleanup_free char *image =
            feature != NULL && feature[0] == '/' ? plan_image_path(search->plan, feature) : NULL;
        const char *path = image != NULL ? inside(search, image) : NULL;

        if (path != NULL)
            keep_name(search, path, "what every start of Ruby loads");
    }
    for (size_t i = 0; i < COUNT(of_ruby); i++)
        keep_name(search, of_ruby[i], "Ruby itself");
    if (search->request->has_bundler)
        keep_name(search, "bundler", "the Gemfile");
}

static bool is_kept(const struct search *search, const char *name)
{
    const struct library *library = find(search, name, strlen(name));

    return library != NULL && library->is_kept;
}

static bool find_kept(struct search *search, struct err *err)
{
    bool any = true;

    keep_loaded(search);
    keep_asked(search);
    keep_commands(search);
    for (size_t i = 0; i < search->plan->count; i++) {
        const struct plan_entry *entry = search->plan->entries[i];

        if ((entry->part == PLAN_PART_GEMS || entry->part == PLAN_PART_APP) &&
            !read_entry(search, entry, err))
            return false;
    }
    while (any)
        if (!read_kept(search, &any, err))
            return false;
    if (is_kept(search, "bundler"))
        keep_name(search, real_bundler, "Bundler");
    return true;
}

/* Whether it is a converter that nobody wants: a path below the standard library. */
static bool is_unwanted_converter(const struct search *search, const char *path)
{
    for (size_t i = 0; i < COUNT(converters); i++) {
        cleanup_free char *pattern = xasprintf("enc/trans/%s.so", converters[i].file);

        if (!search->wants[i] && fnmatch(pattern, path, 0) == 0)
            return true;
    }
    return false;
}

static bool is_asked(const struct search *search, const char *path)
{
    const struct config_list *const *lists = search->request->keep;
    cleanup_free char *name = xasprintf("ruby/%s", path);

    for (size_t i = 0; lists[i] != NULL; i++)
        for (size_t j = 0; j < lists[i]->count; j++)
            if (fnmatch(lists[i]->items[j], name, FNM_LEADING_DIR) == 0)
                return true;
    return false;
}

static bool is_absent(const struct search *search, const struct plan_entry *entry)
{
    const char *path = inside(search, entry->path);
    const struct library *library = path != NULL ? find(search, path, strlen(path)) : NULL;

    if (library == NULL || entry->part == PLAN_PART_RUNTIME || is_asked(search, path))
        return false;
    return !library->is_kept || is_unwanted_converter(search, path);
}

/* What is required first of a library tells why it is not there: json.rb, or net/http.rb where
 * there is no net.rb. */
static bool plan_stand_in(const struct search *search, const char *path, struct err *err)
{
    const char *relative = inside(search, path);
    const char *slash = strchr(relative, '/');
    struct asset absent = asset_get(ASSET_ABSENT);
    cleanup_free char *name = xasprintf("%.*s.rb", (int)(strlen(path) - 3), path);
    cleanup_free char *top = xasprintf("%.*s%.*s.rb", (int)(relative - path), path,
                                       (int)strcspn(relative, "/"), relative);

    if ((!text_ends_with(path, ".rb") && !text_ends_with(path, ".so")) ||
        plan_find(search->plan, name) != NULL ||
        (slash != NULL && (strchr(slash + 1, '/') != NULL || plan_find(search->plan, top) != NULL)))
        return true;
    return plan_add_data(search->plan, name, 0644, absent.data, absent.size,
                         (struct plan_origin){PLAN_PART_RUNTIME, "slim: says what is missing"},
                         err);
}

/* Directories in which nothing is left, the inner ones first. */
static void remove_empty(const struct search *search, const struct names *dirs)
{
    for (size_t i = dirs->count; i > 0; i--) {
        cleanup_free char *below = xasprintf("%s/", dirs->items[i - 1]);
        bool is_empty = true;

        for (size_t j = 0; j < search->plan->count && is_empty; j++)
            is_empty = strncmp(search->plan->entries[j]->path, below, strlen(below)) != 0;
        if (is_empty)
            plan_remove(search->plan, dirs->items[i - 1]);
    }
}

static bool leave_out(const struct search *search, struct slim *ret, struct err *err)
{
    cleanup_with(names_release) struct names files = {0};
    cleanup_with(names_release) struct names dirs = {0};

    /* The plan has a directory before what is in it. */
    for (size_t i = 0; i < search->plan->count; i++) {
        const struct plan_entry *entry = search->plan->entries[i];
        bool is_dir = entry->type == PLAN_DIR;

        if (!is_absent(search, entry))
            continue;
        names_add(is_dir ? &dirs : &files, xstrdup(entry->path));
        ret->files += !is_dir;
        ret->bytes += is_dir ? 0 : entry->size_bytes;
    }
    for (size_t i = 0; i < files.count; i++) {
        plan_leave_out(search->plan, files.items[i], "slim: nothing names it");
        plan_remove(search->plan, files.items[i]);
    }
    for (size_t i = 0; i < files.count; i++)
        if (!plan_stand_in(search, files.items[i], err))
            return false;
    remove_empty(search, &dirs);
    return true;
}

static void tell(const struct library *library, const struct report *report)
{
    report_detail(report, library->is_kept ? "in" : "out", library->name,
                  library->is_kept ? library->why : "nothing names it");
}

bool slim_plan(struct slim *ret, const struct slim_request *request, const struct report *report,
               struct plan *plan, struct err *err)
{
    struct search search = {
        .request = request,
        .plan = plan,
        .dirs = {plan_image_path(plan, request->probe->ruby.archlib),
                 plan_image_path(plan, request->probe->ruby.stdlib)},
    };
    bool ok;

    *ret = (struct slim){0};
    list_libraries(&search);
    ok = find_kept(&search, err) && leave_out(&search, ret, err);
    ret->libraries = search.count;
    for (size_t i = 0; i < search.count; i++) {
        ret->kept += search.libraries[i].is_kept;
        tell(&search.libraries[i], report);
        free(search.libraries[i].name);
        free(search.libraries[i].why);
    }
    free(search.libraries);
    for (size_t i = 0; i < DIRS; i++)
        free(search.dirs[i]);
    return ok;
}
