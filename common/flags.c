/* SPDX-License-Identifier: MIT */
#include "common/flags.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/suggest.h"

static bool is_of(const struct flags *flags, const struct flags_entry *entry)
{
    return (entry->verbs & flags->verb) != 0;
}

static bool unknown(const struct flags *flags, const char *word, struct err *err)
{
    struct suggest suggest = suggest_begin(word);

    for (size_t i = 0; i < flags->count; i++)
        if (is_of(flags, &flags->entries[i]))
            suggest_offer(&suggest, flags->entries[i].name);
    (void)err_set(err, ERR_USAGE, "%s: unknown option '%.100s'", flags->where, word);
    return suggest_hint(&suggest, flags->hint, err);
}

/* *ret_value is NULL or what follows the '='. */
static const struct flags_entry *find(const struct flags *flags, const char *word,
                                      const char **ret_value)
{
    size_t len = strcspn(word, "=");

    *ret_value = word[len] == '=' ? word + len + 1 : NULL;
    for (size_t i = 0; i < flags->count; i++)
        if (is_of(flags, &flags->entries[i]) && strlen(flags->entries[i].name) == len &&
            strncmp(flags->entries[i].name, word, len) == 0)
            return &flags->entries[i];
    return NULL;
}

bool flags_count(const struct flags *flags, const char *name, const char *text, unsigned int *ret,
                 struct err *err)
{
    char *end = NULL;
    unsigned long count;

    errno = 0;
    count = strtoul(text, &end, 10);
    if (errno == 0 && *end == '\0' && text[0] >= '0' && text[0] <= '9' && count >= 1 &&
        count <= FLAGS_COUNT_MAX) {
        *ret = (unsigned int)count;
        return true;
    }
    (void)err_set(err, ERR_USAGE, "%s: '%.100s' is no number from 1 on", name, text);
    return err_hint(err, "%s", flags->hint);
}

bool flags_take(const struct flags *flags, char *const **words, void *ret, struct err *err)
{
    const char *word = **words;
    const char *value;
    const struct flags_entry *entry = find(flags, word, &value);
    char *place = ret;

    if (entry == NULL || (entry->kind == FLAGS_SWITCH && value != NULL))
        return unknown(flags, word, err);
    place += entry->offset;
    if (entry->kind == FLAGS_SWITCH) {
        *(bool *)(void *)place = true;
        return true;
    }
    if (value == NULL && (value = (*words)[1]) == NULL) {
        (void)err_set(err, ERR_USAGE, "%s needs a value", entry->name);
        return err_hint(err, "%s", flags->hint);
    }
    if (value == (*words)[1])
        ++*words;
    if (entry->kind == FLAGS_COUNT)
        return flags_count(flags, entry->name, value, (unsigned int *)(void *)place, err);
    *(const char **)(void *)place = value;
    return true;
}
