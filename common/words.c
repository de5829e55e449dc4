/* SPDX-License-Identifier: MIT */
#include "common/words.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"

enum outcome { READ, NEEDS_SHELL, NOT_CLOSED, NO_MEMORY };

struct reader {
    const char *at;
    words_lookup *lookup; /* NULL: only looks what the text needs */
    struct words words;
    char *word; /* the one being read; NULL between words */
    size_t len;
};

static enum outcome append(struct reader *reader, const char *text, size_t len)
{
    char *longer = realloc(reader->word, reader->len + len + 1);

    if (longer == NULL)
        return NO_MEMORY;
    memcpy(longer + reader->len, text, len);
    reader->word = longer;
    reader->len += len;
    longer[reader->len] = '\0';
    return READ;
}

static bool is_name(char byte, bool is_first)
{
    return byte == '_' || isalpha((unsigned char)byte) ||
           (!is_first && isdigit((unsigned char)byte));
}

static size_t name_length(const char *text)
{
    size_t len = 0;

    while (is_name(text[len], len == 0))
        len++;
    return len;
}

/* What begins a compound command, or changes the shell itself. */
static bool is_of_the_shell(const char *word)
{
    static const char *const words[] = {"!",    "{",      ".",     "if",     "for",    "while",
                                        "case", "until",  "cd",    "set",    "export", "eval",
                                        "trap", "ulimit", "umask", "source", ":"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(word, words[i]) == 0)
            return true;
    return false;
}

static enum outcome end_word(struct reader *reader)
{
    struct words *words = &reader->words;
    bool is_command = words->count == words->assignments;
    size_t name;
    char **items;

    if (reader->word == NULL)
        return READ;
    name = name_length(reader->word);
    if (is_command && is_of_the_shell(reader->word))
        return NEEDS_SHELL;
    if (is_command && strcmp(reader->word, "exec") == 0) {
        free(reader->word);
    } else {
        items = realloc(words->items, (words->count + 2) * sizeof(*items));
        if (items == NULL)
            return NO_MEMORY;
        words->items = items;
        words->items[words->count++] = reader->word;
        words->items[words->count] = NULL;
        words->assignments += is_command && name > 0 && reader->word[name] == '=';
    }
    reader->word = NULL;
    reader->len = 0;
    return READ;
}

/* Whether the word being read is one, and its '=' was read. */
static bool is_in_assignment(const struct reader *reader)
{
    size_t name;

    if (reader->word == NULL || reader->words.count != reader->words.assignments)
        return false;
    name = name_length(reader->word);
    return name > 0 && reader->word[name] == '=';
}

/* XCU 2.6.5, 2.9.1: outside of quotes and assignments, blanks in a value separate words. */
static enum outcome append_value(struct reader *reader, const char *value, size_t len,
                                 bool is_quoted)
{
    enum outcome outcome = READ;

    if (is_quoted || is_in_assignment(reader))
        return append(reader, value, len);
    for (const char *end = value + len; value < end && outcome == READ;) {
        size_t part = 0;

        while (value + part < end && strchr(" \t\n", value[part]) == NULL)
            part++;
        if (part > 0)
            outcome = append(reader, value, part);
        value += part;
        if (value < end && outcome == READ) {
            outcome = end_word(reader);
            value++;
        }
    }
    return outcome;
}

static enum outcome expand(struct reader *reader, const char *name, size_t name_len,
                           const char *otherwise, size_t otherwise_len, bool also_empty,
                           bool is_quoted)
{
    char *copy = strndup(name, name_len);
    const char *value;

    if (copy == NULL)
        return NO_MEMORY;
    value = reader->lookup != NULL ? reader->lookup(copy) : "x";
    free(copy);
    if (value == NULL || (also_empty && value[0] == '\0'))
        return append_value(reader, otherwise, otherwise_len, is_quoted);
    return append_value(reader, value, strlen(value), is_quoted);
}

/* At a '$'. */
static enum outcome read_variable(struct reader *reader, bool is_quoted)
{
    const char *name = reader->at + 1;
    bool is_braced = *name == '{';
    bool also_empty;
    const char *otherwise;
    size_t len;
    size_t otherwise_len;

    name += is_braced;
    len = name_length(name);
    if (len == 0)
        return NEEDS_SHELL;
    reader->at = name + len;
    if (!is_braced)
        return expand(reader, name, len, "", 0, false, is_quoted);
    also_empty = *reader->at == ':';
    otherwise = reader->at + also_empty;
    if (*otherwise == '-')
        otherwise++;
    else if (also_empty || *otherwise != '}')
        return NEEDS_SHELL;
    otherwise_len = strcspn(otherwise, "}");
    if (otherwise[otherwise_len] == '\0')
        return NOT_CLOSED;
    if (strcspn(otherwise, "$`\"'\\{*?[~") < otherwise_len)
        return NEEDS_SHELL;
    reader->at = otherwise + otherwise_len + 1;
    return expand(reader, name, len, otherwise, otherwise_len, also_empty, is_quoted);
}

static enum outcome read_single(struct reader *reader)
{
    const char *end = strchr(reader->at + 1, '\'');
    enum outcome outcome;

    if (end == NULL)
        return NOT_CLOSED;
    outcome = append(reader, reader->at + 1, (size_t)(end - reader->at - 1));
    reader->at = end + 1;
    return outcome;
}

static enum outcome read_double(struct reader *reader)
{
    enum outcome outcome = append(reader, "", 0);

    reader->at++;
    while (outcome == READ && *reader->at != '"') {
        if (*reader->at == '\0')
            return NOT_CLOSED;
        if (*reader->at == '`')
            return NEEDS_SHELL;
        if (*reader->at == '$') {
            outcome = read_variable(reader, true);
            continue;
        }
        /* XCU 2.2.3: before other characters the backslash stays. */
        if (*reader->at == '\\' && reader->at[1] != '\0' && strchr("$`\"\\", reader->at[1]) != NULL)
            reader->at++;
        outcome = append(reader, reader->at++, 1);
    }
    reader->at++;
    return outcome;
}

static enum outcome read_backslash(struct reader *reader)
{
    enum outcome outcome;

    if (reader->at[1] == '\0')
        return NOT_CLOSED;
    outcome = append(reader, reader->at + 1, 1);
    reader->at += 2;
    return outcome;
}

/* XCU 2.6.1: in front of a word, and in an assignment behind its '=' and each ':'. */
static bool is_tilde_prefix(const struct reader *reader)
{
    return *reader->at == '~' && (reader->word == NULL || (is_in_assignment(reader) &&
                                                           strchr("=:", reader->at[-1]) != NULL));
}

static enum outcome read_part(struct reader *reader)
{
    switch (*reader->at) {
    case ' ':
    case '\t':
        reader->at++;
        return end_word(reader);
    case '\'':
        return read_single(reader);
    case '"':
        return read_double(reader);
    case '\\':
        return read_backslash(reader);
    case '$':
        return read_variable(reader, false);
    default:
        if (strchr("|&;<>()`*?[\n", *reader->at) != NULL ||
            (*reader->at == '#' && reader->word == NULL) || is_tilde_prefix(reader))
            return NEEDS_SHELL;
        return append(reader, reader->at++, 1);
    }
}

static enum outcome read_all(struct reader *reader)
{
    enum outcome outcome = READ;

    while (outcome == READ && *reader->at != '\0')
        outcome = read_part(reader);
    if (outcome == READ)
        outcome = end_word(reader);
    free(reader->word);
    reader->word = NULL;
    return outcome;
}

bool words_need_shell(const char *text)
{
    struct reader reader = {.at = text};
    bool needs = read_all(&reader) == NEEDS_SHELL;

    words_release(&reader.words);
    return needs;
}

bool words_split(struct words *ret, const char *text, words_lookup *lookup, struct err *err)
{
    struct reader reader = {.at = text, .lookup = lookup};
    enum outcome outcome = read_all(&reader);

    if (outcome == READ && reader.words.count > reader.words.assignments) {
        *ret = reader.words;
        return true;
    }
    words_release(&reader.words);
    if (outcome == NO_MEMORY)
        return err_set(err, ERR_SYSTEM, "out of memory");
    if (outcome == NOT_CLOSED)
        return err_set(err, ERR_INPUT, "'%.200s': a quote, brace or backslash is not closed", text);
    if (outcome == NEEDS_SHELL)
        return err_set(err, ERR_INPUT, "'%.200s' needs a shell", text);
    return err_set(err, ERR_INPUT, "'%.200s' has no command", text);
}

void words_release(struct words *words)
{
    for (size_t i = 0; i < words->count; i++)
        free(words->items[i]);
    free(words->items);
    *words = (struct words){0};
}

size_t words_count(const char *const *words)
{
    size_t count = 0;

    while (words != NULL && words[count] != NULL)
        count++;
    return count;
}
