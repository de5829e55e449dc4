/* SPDX-License-Identifier: MIT */
#include "bundler/recipe.h"

#include <ctype.h>
#include <cyaml/cyaml.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/xalloc.h"

static const cyaml_schema_value_t text_schema = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, RECIPE_TEXT_MAX)};

#define TEXTS(label, type, items, count)                                                           \
    CYAML_FIELD_SEQUENCE_COUNT(label, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, type, items,       \
                               count, &text_schema, 0, RECIPE_LIST_MAX)

static const cyaml_schema_field_t match_fields[] = {
    TEXTS("soname", struct recipe_match, sonames, soname_count),
    TEXTS("gem", struct recipe_match, gems, gem_count),
    CYAML_FIELD_STRING_PTR("glibc_below", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
                           struct recipe_match, glibc_below, 1, RECIPE_TEXT_MAX),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t recipe_fields[] = {
    CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, struct recipe, name, 1, RECIPE_TEXT_MAX),
    CYAML_FIELD_STRING_PTR("summary", CYAML_FLAG_POINTER, struct recipe, summary, 1,
                           RECIPE_TEXT_MAX),
    CYAML_FIELD_BOOL("always", CYAML_FLAG_OPTIONAL, struct recipe, always),
    CYAML_FIELD_MAPPING_PTR("match", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct recipe, match,
                            match_fields),
    TEXTS("libs", struct recipe, libs, lib_count),
    TEXTS("required_libs", struct recipe, required_libs, required_lib_count),
    TEXTS("files", struct recipe, files, file_count),
    TEXTS("env", struct recipe, env, env_count),
    CYAML_FIELD_STRING_PTR("notes", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct recipe, notes,
                           1, RECIPE_TEXT_MAX),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t recipe_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct recipe, recipe_fields)};

/* libcyaml explains itself only through its log: the first line is the cause, the next ones are
 * where. */
struct complaint {
    char text[256];
    int line; /* 0: not known */
};

[[gnu::format(printf, 3, 0)]] static void take_log(cyaml_log_t level, void *context,
                                                   const char *fmt, va_list args)
{
    struct complaint *complaint = context;
    const char *where;
    char line[256];
    size_t len;

    (void)level;
    if (vsnprintf(line, sizeof(line), fmt, args) < 0)
        return;
    len = strcspn(line, "\n");
    line[len] = '\0';
    where = strstr(line, "(line: ");
    if (complaint->text[0] == '\0') {
        const char *text = strncmp(line, "Load: ", 6) == 0 ? line + 6 : line;

        (void)snprintf(complaint->text, sizeof(complaint->text), "%s", text);
        complaint->text[0] = (char)tolower((unsigned char)complaint->text[0]);
    } else if (complaint->line == 0 && where != NULL) {
        complaint->line = (int)strtol(where + strlen("(line: "), NULL, 10);
    }
}

static const cyaml_config_t base_config = {
    .mem_fn = cyaml_mem,
    .log_level = CYAML_LOG_WARNING,
    .flags = CYAML_CFG_NO_ALIAS,
};

/* libcyaml gives the line of the key before. */
static int line_of_key(const char *bytes, size_t len, const char *key)
{
    const char *end = bytes + len;
    int line = 1;

    for (const char *at = bytes; at < end; line++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *stop = newline == NULL ? end : newline;

        while (at < stop && (*at == ' ' || *at == '-' || *at == '{'))
            at++;
        if ((size_t)(stop - at) > strlen(key) && memcmp(at, key, strlen(key)) == 0 &&
            at[strlen(key)] == ':')
            return line;
        at = stop + 1;
    }
    return 0;
}

static bool complain(struct err *err, const char *name, const char *bytes, size_t len,
                     const struct complaint *complaint)
{
    static const char unknown[] = "unexpected key: ";
    int line = complaint->line;

    if (strncmp(complaint->text, unknown, strlen(unknown)) == 0) {
        const char *key = complaint->text + strlen(unknown);

        line = line_of_key(bytes, len, key);
        if (line > 0)
            (void)err_set(err, ERR_INPUT, "%s:%d: unknown key '%s'", name, line, key);
        else
            (void)err_set(err, ERR_INPUT, "%s: unknown key '%s'", name, key);
    } else if (line > 0) {
        (void)err_set(err, ERR_INPUT, "%s:%d: %s", name, line, complaint->text);
    } else {
        (void)err_set(err, ERR_INPUT, "%s: %s", name, complaint->text);
    }
    return err_id(err, "E-RECIPE");
}

static bool bad_value(struct err *err, const char *file, const char *key, const char *value,
                      const char *want)
{
    (void)err_set(err, ERR_INPUT, "%s: %s: '%.200s' is not %s", file, key, value, want);
    return err_id(err, "E-RECIPE");
}

static bool is_name(const char *text)
{
    return text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0';
}

static bool parse_version(const char *text, long *ret_major, long *ret_minor)
{
    char *end;

    if (!isdigit((unsigned char)text[0]))
        return false;
    *ret_major = strtol(text, &end, 10);
    if (*end != '.' || !isdigit((unsigned char)end[1]))
        return false;
    *ret_minor = strtol(end + 1, &end, 10);
    return *end == '\0';
}

static bool is_file(const char *text)
{
    if (text[0] != '/')
        return false;
    for (const char *part = text; *part != '\0';) {
        size_t len = strcspn(part, "/");

        if (len == 2 && part[0] == '.' && part[1] == '.')
            return false;
        part += len + (part[len] == '/');
    }
    return true;
}

/* NAME=value; the only '$' is that of ${ROOT} */
static bool is_assignment(const char *text)
{
    static const char name_chars[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";
    size_t len = strspn(text, name_chars);

    if (len == 0 || isdigit((unsigned char)text[0]) || text[len] != '=')
        return false;
    for (const char *at = strchr(text, '$'); at != NULL; at = strchr(at + 1, '$'))
        if (strncmp(at, "${ROOT}", strlen("${ROOT}")) != 0)
            return false;
    return true;
}

static bool check_libs(char *const *libs, size_t count, const char *file, const char *key,
                       struct err *err)
{
    for (size_t i = 0; i < count; i++)
        if (strchr(libs[i], '/') != NULL)
            return bad_value(err, file, key, libs[i], "a soname");
    return true;
}

static bool check_values(const struct recipe *recipe, const char *file, struct err *err)
{
    const struct recipe_match *match = recipe->match;
    long major;
    long minor;

    if (!is_name(recipe->name))
        return bad_value(err, file, "name", recipe->name, "made of a-z, 0-9 and '-'");
    if (recipe->always == (match != NULL) ||
        (match != NULL && match->soname_count + match->gem_count == 0 &&
         match->glibc_below == NULL)) {
        (void)err_set(err, ERR_INPUT, "%s: needs either 'always: true' or conditions in 'match'",
                      file);
        return err_id(err, "E-RECIPE");
    }
    if (match != NULL && match->glibc_below != NULL &&
        !parse_version(match->glibc_below, &major, &minor))
        return bad_value(err, file, "glibc_below", match->glibc_below, "a version as \"2.34\"");
    for (size_t i = 0; i < recipe->file_count; i++)
        if (!is_file(recipe->files[i]))
            return bad_value(err, file, "files", recipe->files[i], "an absolute path without '..'");
    for (size_t i = 0; i < recipe->env_count; i++)
        if (!is_assignment(recipe->env[i]))
            return bad_value(err, file, "env", recipe->env[i], "NAME=value with at most ${ROOT}");
    return check_libs(recipe->libs, recipe->lib_count, file, "libs", err) &&
           check_libs(recipe->required_libs, recipe->required_lib_count, file, "required_libs",
                      err);
}

bool recipe_load(const char *bytes, size_t len, const char *name, struct recipe **ret,
                 struct err *err)
{
    struct complaint complaint = {0};
    cyaml_config_t config = base_config;
    struct recipe *recipe = NULL;
    cyaml_err_t result;

    config.log_fn = take_log;
    config.log_ctx = &complaint;
    if (len > RECIPE_MAX || memchr(bytes, '\0', len) != NULL)
        result = CYAML_ERR_INVALID_VALUE;
    else
        result = cyaml_load_data((const uint8_t *)bytes, len, &config, &recipe_schema,
                                 (cyaml_data_t **)&recipe, NULL);
    if (result == CYAML_OK && recipe == NULL)
        result = CYAML_ERR_INVALID_VALUE;
    if (result != CYAML_OK) {
        if (complaint.text[0] == '\0')
            (void)snprintf(complaint.text, sizeof(complaint.text), "%s",
                           len == 0 ? "is empty" : "is not a recipe");
        recipe_free(recipe);
        return complain(err, name, bytes, len, &complaint);
    }
    if (!check_values(recipe, name, err)) {
        recipe_free(recipe);
        return false;
    }
    *ret = recipe;
    return true;
}

void recipe_free(struct recipe *recipe)
{
    if (recipe != NULL)
        (void)cyaml_free(&base_config, &recipe_schema, recipe, 0);
}

static bool any_matches(char *const *patterns, size_t pattern_count, const char *const *names,
                        size_t name_count, bool is_pattern)
{
    for (size_t p = 0; p < pattern_count; p++)
        for (size_t n = 0; n < name_count; n++)
            if (is_pattern ? fnmatch(patterns[p], names[n], 0) == 0
                           : strcmp(patterns[p], names[n]) == 0)
                return true;
    return false;
}

bool recipe_matches(const struct recipe *recipe, const struct recipe_context *context)
{
    const struct recipe_match *match = recipe->match;
    long major = 0;
    long minor = 0;

    if (recipe->always)
        return true;
    if (match->glibc_below != NULL) {
        if (!parse_version(match->glibc_below, &major, &minor))
            return false;
        if (context->glibc_major > major ||
            (context->glibc_major == major && context->glibc_minor >= minor))
            return false;
        if (match->soname_count + match->gem_count == 0)
            return true;
    }
    return any_matches(match->sonames, match->soname_count, context->sonames, context->soname_count,
                       true) ||
           any_matches(match->gems, match->gem_count, context->gems, context->gem_count, false);
}
