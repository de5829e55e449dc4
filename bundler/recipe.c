/* SPDX-License-Identifier: MIT */
#include "bundler/recipe.h"

#include <ctype.h>
#include <cyaml/cyaml.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/suggest.h"
#include "common/xalloc.h"

static const cyaml_schema_value_t text_schema = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, RECIPE_TEXT_MAX)};

#define TEXTS(label, type, items, count)                                                           \
    CYAML_FIELD_SEQUENCE_COUNT(label, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, type, items,       \
                               count, &text_schema, 0, RECIPE_LIST_MAX)

#define TEXT(label, flags, type, member)                                                           \
    CYAML_FIELD_STRING_PTR(label, CYAML_FLAG_POINTER | (flags), type, member, 1, RECIPE_TEXT_MAX)
#define OPTIONAL CYAML_FLAG_OPTIONAL
#define MAPPINGS(label, type, items, count, schema)                                                \
    CYAML_FIELD_SEQUENCE_COUNT(label, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, type, items,       \
                               count, schema, 0, RECIPE_LIST_MAX)

static const cyaml_schema_field_t match_fields[] = {
    TEXTS("soname", struct recipe_match, sonames, soname_count),
    TEXTS("imports", struct recipe_match, imports, import_count),
    TEXTS("gem", struct recipe_match, gems, gem_count),
    TEXTS("exists", struct recipe_match, exists, exists_count),
    TEXTS("without_gem", struct recipe_match, without_gems, without_gem_count),
    TEXT("glibc_below", OPTIONAL, struct recipe_match, glibc_below),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t directory_fields[] = {
    TEXT("path", 0, struct recipe_directory, path),
    TEXT("env", OPTIONAL, struct recipe_directory, env),
    CYAML_FIELD_BOOL("modules", OPTIONAL, struct recipe_directory, modules),
    CYAML_FIELD_BOOL("search", OPTIONAL, struct recipe_directory, search),
    CYAML_FIELD_BOOL("sonames", OPTIONAL, struct recipe_directory, sonames),
    CYAML_FIELD_BOOL("required", OPTIONAL, struct recipe_directory, required),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t directory_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct recipe_directory, directory_fields)};

static const cyaml_schema_field_t command_fields[] = {
    TEXTS("run", struct recipe_command, run, run_count),
    TEXT("output", 0, struct recipe_command, output),
    TEXTS("remove", struct recipe_command, remove, remove_count),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t command_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct recipe_command, command_fields)};

static const cyaml_schema_field_t first_run_fields[] = {
    TEXT("gem", 0, struct recipe_first_run, gem),
    TEXTS("run", struct recipe_first_run, run, run_count),
    TEXT("makes", 0, struct recipe_first_run, makes),
    TEXT("as", 0, struct recipe_first_run, as),
    TEXT("instead_of", OPTIONAL, struct recipe_first_run, instead_of),
    TEXTS("leave_out", struct recipe_first_run, leave_out, leave_out_count),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t first_run_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct recipe_first_run, first_run_fields)};

static const cyaml_schema_field_t source_fields[] = {
    TEXT("gem", 0, struct recipe_source, gem),
    TEXT("version", 0, struct recipe_source, version),
    TEXT("file", 0, struct recipe_source, file),
    TEXT("behind", 0, struct recipe_source, behind),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t source_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct recipe_source, source_fields)};

static const cyaml_schema_field_t fallback_fields[] = {
    TEXT("env", 0, struct recipe_fallback, env),
    TEXTS("host", struct recipe_fallback, host, host_count),
    TEXTS("files", struct recipe_fallback, files, file_count),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t fallback_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct recipe_fallback, fallback_fields)};

static const cyaml_schema_field_t recipe_fields[] = {
    TEXT("name", 0, struct recipe, name),
    TEXT("summary", 0, struct recipe, summary),
    CYAML_FIELD_BOOL("always", OPTIONAL, struct recipe, always),
    CYAML_FIELD_BOOL("disabled", OPTIONAL, struct recipe, disabled),
    CYAML_FIELD_MAPPING_PTR("match", CYAML_FLAG_POINTER | OPTIONAL, struct recipe, match,
                            match_fields),
    TEXTS("libs", struct recipe, libs, lib_count),
    TEXTS("required_libs", struct recipe, required_libs, required_lib_count),
    TEXTS("host", struct recipe, host, host_count),
    TEXTS("files", struct recipe, files, file_count),
    TEXTS("required_files", struct recipe, required_files, required_file_count),
    TEXTS("programs", struct recipe, programs, program_count),
    TEXTS("ignore", struct recipe, ignore, ignore_count),
    TEXTS("paths", struct recipe, paths, path_count),
    MAPPINGS("directories", struct recipe, directories, directory_count, &directory_schema),
    MAPPINGS("commands", struct recipe, commands, command_count, &command_schema),
    MAPPINGS("first_runs", struct recipe, first_runs, first_run_count, &first_run_schema),
    MAPPINGS("sources", struct recipe, sources, source_count, &source_schema),
    TEXTS("env", struct recipe, env, env_count),
    MAPPINGS("fallback", struct recipe, fallbacks, fallback_count, &fallback_schema),
    TEXT("advice", OPTIONAL, struct recipe, advice),
    TEXT("notes", OPTIONAL, struct recipe, notes),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t recipe_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct recipe, recipe_fields)};

/* libcyaml explains itself only through its log: the first line is the cause, the next ones are
 * where. */
struct complaint {
    char text[256];
    int line;         /* 0: not known */
    char mapping[32]; /* key of the map that it is in; empty: the recipe itself */
};

[[gnu::format(printf, 3, 0)]] static void take_log(cyaml_log_t level, void *context,
                                                   const char *fmt, va_list args)
{
    struct complaint *complaint = context;
    const char *where;
    const char *field;
    char line[256];
    size_t len;

    (void)level;
    if (vsnprintf(line, sizeof(line), fmt, args) < 0)
        return;
    len = strcspn(line, "\n");
    line[len] = '\0';
    where = strstr(line, "(line: ");
    if (complaint->mapping[0] == '\0' && (field = strstr(line, "in mapping field '")) != NULL) {
        field = strchr(field, '\'') + 1;
        (void)snprintf(complaint->mapping, sizeof(complaint->mapping), "%.*s",
                       (int)strcspn(field, "'"), field);
    }
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

/* The keys of a map of a recipe, or of each map of a list. */
static const cyaml_schema_field_t *fields_of(const char *mapping)
{
    for (const cyaml_schema_field_t *field = recipe_fields; field->key != NULL; field++) {
        const cyaml_schema_value_t *value =
            field->value.type == CYAML_SEQUENCE ? field->value.sequence.entry : &field->value;

        if (strcmp(field->key, mapping) == 0 && value->type == CYAML_MAPPING)
            return value->mapping.fields;
    }
    return recipe_fields;
}

static bool suggest_key(const char *typed, const char *mapping, struct err *err)
{
    struct suggest suggest = suggest_begin(typed);

    for (const cyaml_schema_field_t *field = fields_of(mapping); field->key != NULL; field++)
        suggest_offer(&suggest, field->key);
    return suggest_hint(&suggest, "see which there are: man rucksack-recipe", err);
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
        (void)suggest_key(key, complaint->mapping, err);
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

static bool has_parent(const char *text)
{
    for (const char *part = text; *part != '\0';) {
        size_t len = strcspn(part, "/");

        if (len == 2 && part[0] == '.' && part[1] == '.')
            return true;
        part += len + (part[len] == '/');
    }
    return false;
}

/* The only mark is a ${LIBDIR} in front, which stands for an absolute path. */
static bool is_path(const char *text)
{
    static const char mark[] = "${LIBDIR}";

    if (strncmp(text, mark, sizeof(mark) - 1) == 0)
        text += sizeof(mark) - 1;
    return text[0] == '/' && strchr(text, '$') == NULL && !has_parent(text);
}

static size_t name_length(const char *text)
{
    size_t len = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789");

    return isdigit((unsigned char)text[0]) ? 0 : len;
}

/* NAME=value; the only '$' are those of ${ROOT} and ${LIBDIR} */
static bool is_assignment(const char *text)
{
    size_t len = name_length(text);

    if (len == 0 || text[len] != '=')
        return false;
    for (const char *at = strchr(text, '$'); at != NULL; at = strchr(at + 1, '$'))
        if (strncmp(at, "${ROOT}", strlen("${ROOT}")) != 0 &&
            strncmp(at, "${LIBDIR}", strlen("${LIBDIR}")) != 0)
            return false;
    return true;
}

/* One list of texts under one key, and what each of them has to be. */
struct rule {
    char *const *items;
    size_t count;
    const char *key;
    bool (*holds)(const char *text);
    const char *want;
};

static bool is_soname(const char *text)
{
    return strchr(text, '/') == NULL;
}

static bool is_variable(const char *text)
{
    size_t len = name_length(text);

    return len > 0 && text[len] == '\0';
}

static bool is_place(const char *text)
{
    return !has_parent(text);
}

static bool check_rules(const struct rule *rules, size_t count, const char *file, struct err *err)
{
    for (size_t r = 0; r < count; r++)
        for (size_t i = 0; i < rules[r].count; i++)
            if (rules[r].items[i] != NULL && !rules[r].holds(rules[r].items[i]))
                return bad_value(err, file, rules[r].key, rules[r].items[i], rules[r].want);
    return true;
}

static const char path_wanted[] = "an absolute path without '..'";

static bool is_relative(const char *text)
{
    return text[0] != '/' && text[0] != '\0' && !has_parent(text);
}

static bool check_first_runs(const struct recipe *recipe, const char *file, struct err *err)
{
    static const char wanted[] = "a path in the gem, without '..'";

    for (size_t i = 0; i < recipe->first_run_count; i++) {
        const struct recipe_first_run *first = &recipe->first_runs[i];
        const struct rule rules[] = {
            {first->run, first->run_count > 0, "run", is_relative, wanted},
            {&first->makes, 1, "makes", is_relative, wanted},
            {&first->as, 1, "as", is_relative, wanted},
            {&first->instead_of, 1, "instead_of", is_relative, wanted},
            {first->leave_out, first->leave_out_count, "leave_out", is_relative, wanted},
        };

        if (first->run_count == 0)
            return bad_value(err, file, "run", "", "a script of the gem");
        if (!check_rules(rules, sizeof(rules) / sizeof(rules[0]), file, err))
            return false;
    }
    return true;
}

static bool check_parts(const struct recipe *recipe, const char *file, struct err *err)
{
    for (size_t i = 0; i < recipe->directory_count; i++) {
        const struct recipe_directory *directory = &recipe->directories[i];
        const struct rule rules[] = {
            {&directory->path, 1, "path", is_path, path_wanted},
            {&directory->env, 1, "env", is_variable, "the name of a variable"},
        };

        if (!check_rules(rules, 2, file, err))
            return false;
    }
    for (size_t i = 0; i < recipe->command_count; i++) {
        const struct recipe_command *command = &recipe->commands[i];
        const struct rule rules[] = {
            {command->run, command->run_count > 0, "run", is_path, path_wanted},
            {&command->output, 1, "output", is_path, path_wanted},
        };

        if (command->run_count == 0)
            return bad_value(err, file, "run", "", "a command");
        if (!check_rules(rules, 2, file, err))
            return false;
    }
    for (size_t i = 0; i < recipe->source_count; i++) {
        const struct rule rule = {&recipe->sources[i].file, 1, "file", is_relative,
                                  "a path in the gem, without '..'"};

        if (!check_rules(&rule, 1, file, err))
            return false;
    }
    for (size_t i = 0; i < recipe->fallback_count; i++) {
        const struct recipe_fallback *fallback = &recipe->fallbacks[i];
        const struct rule rules[] = {
            {&fallback->env, 1, "env", is_variable, "the name of a variable"},
            {fallback->host, fallback->host_count, "host", is_path, path_wanted},
            {fallback->files, fallback->file_count, "files", is_path, path_wanted},
        };

        if (!check_rules(rules, 3, file, err))
            return false;
    }
    return true;
}

static bool check_condition(const struct recipe *recipe, const char *file, struct err *err)
{
    const struct recipe_match *match = recipe->match;
    bool is_empty =
        match != NULL &&
        match->soname_count + match->gem_count + match->import_count + match->exists_count == 0 &&
        match->glibc_below == NULL;
    long major;
    long minor;

    if (recipe->always + recipe->disabled + (match != NULL) != 1 || is_empty) {
        (void)err_set(err, ERR_INPUT,
                      "%s: needs either 'always: true' or conditions in 'match' (or 'disabled: "
                      "true')",
                      file);
        return err_id(err, "E-RECIPE");
    }
    if (match == NULL)
        return true;
    if (match->glibc_below != NULL && !parse_version(match->glibc_below, &major, &minor))
        return bad_value(err, file, "glibc_below", match->glibc_below, "a version as \"2.34\"");
    return check_rules(
        &(struct rule){match->exists, match->exists_count, "exists", is_place, "without '..'"}, 1,
        file, err);
}

static bool check_values(const struct recipe *recipe, const char *file, struct err *err)
{
    const struct rule rules[] = {
        {&recipe->name, 1, "name", is_name, "made of a-z, 0-9 and '-'"},
        {recipe->libs, recipe->lib_count, "libs", is_soname, "a soname"},
        {recipe->required_libs, recipe->required_lib_count, "required_libs", is_soname, "a soname"},
        {recipe->host, recipe->host_count, "host", is_soname, "a soname"},
        {recipe->files, recipe->file_count, "files", is_path, path_wanted},
        {recipe->required_files, recipe->required_file_count, "required_files", is_path,
         path_wanted},
        {recipe->programs, recipe->program_count, "programs", is_path, path_wanted},
        {recipe->ignore, recipe->ignore_count, "ignore", is_path, path_wanted},
        {recipe->paths, recipe->path_count, "paths", is_path, path_wanted},
        {recipe->env, recipe->env_count, "env", is_assignment,
         "NAME=value with at most ${ROOT} and ${LIBDIR}"},
    };

    return check_rules(rules, sizeof(rules) / sizeof(rules[0]), file, err) &&
           check_condition(recipe, file, err) && check_first_runs(recipe, file, err) &&
           check_parts(recipe, file, err);
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
    errno = 0;
    if (len > RECIPE_MAX || memchr(bytes, '\0', len) != NULL)
        result = CYAML_ERR_INVALID_VALUE;
    else
        result = cyaml_load_data((const uint8_t *)bytes, len, &config, &recipe_schema,
                                 (cyaml_data_t **)&recipe, NULL);
    if (result == CYAML_OK && recipe == NULL)
        result = CYAML_ERR_INVALID_VALUE;
    if (result != CYAML_OK) {
        /* libyaml gives that no name, but malloc() does. */
        if (result == CYAML_ERR_OOM || errno == ENOMEM)
            xdie();
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

bool recipe_matches_soname(const struct recipe *recipe, const char *soname)
{
    return recipe->match != NULL &&
           any_matches(recipe->match->sonames, recipe->match->soname_count, &soname, 1, true);
}

static bool any_asked(char *const *items, size_t count, bool (*ask)(const char *, void *),
                      void *data)
{
    for (size_t i = 0; i < count; i++)
        if (ask != NULL && ask(items[i], data))
            return true;
    return false;
}

bool recipe_matches(const struct recipe *recipe, const struct recipe_context *context)
{
    const struct recipe_match *match = recipe->match;
    long major = 0;
    long minor = 0;

    if (match == NULL)
        return recipe->always;
    if (any_matches(match->without_gems, match->without_gem_count, context->gems,
                    context->gem_count, false))
        return false;
    if (match->glibc_below != NULL) {
        if (!parse_version(match->glibc_below, &major, &minor))
            return false;
        if (context->glibc_major > major ||
            (context->glibc_major == major && context->glibc_minor >= minor))
            return false;
        if (match->soname_count + match->gem_count + match->import_count + match->exists_count == 0)
            return true;
    }
    return any_matches(match->sonames, match->soname_count, context->sonames, context->soname_count,
                       true) ||
           any_matches(match->gems, match->gem_count, context->gems, context->gem_count, false) ||
           any_asked(match->imports, match->import_count, context->imports, context->data) ||
           any_asked(match->exists, match->exists_count, context->exists, context->data);
}
