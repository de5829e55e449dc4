/* SPDX-License-Identifier: MIT */
#include "common/launchfile.h"

static bool same(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

bool launchfile_next(struct launchfile *file, struct launchfile_record *ret)
{
    char *at = file->at;

    if (at >= file->end)
        return false;
    ret->count = 1;
    ret->fields[0] = at;
    for (size_t i = 1; i < LAUNCHFILE_FIELDS; i++)
        ret->fields[i] = "";
    for (; at < file->end && *at != '\n'; at++) {
        if (*at == '\0' || (*at == '\t' && ret->count == LAUNCHFILE_FIELDS))
            return false;
        if (*at == '\t') {
            *at = '\0';
            ret->fields[ret->count++] = at + 1;
        }
    }
    *at = '\0';
    file->at = at < file->end ? at + 1 : file->end;
    return true;
}

bool launchfile_is(const struct launchfile_record *record, const char *key, size_t values)
{
    return record->count > values && same(record->fields[0], key);
}

bool launchfile_begin(struct launchfile *file, char *text, size_t size)
{
    struct launchfile_record first;

    file->at = text;
    file->end = text + size;
    return launchfile_next(file, &first) && launchfile_is(&first, "rucksack", 1) &&
           same(first.fields[1], "1");
}
