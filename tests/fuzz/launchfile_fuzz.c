/* SPDX-License-Identifier: MIT */
/*
 * A launch file as launcher, guest and service read it, and the command lines in it. No record
 * leaves the text; what is split is words. Mirrors launchfile.c and words.c.
 */
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/launchfile.h"
#include "common/words.h"
#include "tests/fuzz/fuzz.h"

/* As words_need_shell() has it. */
static char *any_value(const char *name)
{
    static char value[] = "x";

    (void)name;
    return value;
}

static char *no_value(const char *name)
{
    (void)name;
    return NULL;
}

/* What a variable is decides what is the command: so nothing more holds for all of their values. */
static void split(const char *command, words_lookup *lookup)
{
    struct words words = {0};
    struct err err = {0};

    if (words_split(&words, command, lookup, &err)) {
        FUZZ_ASSERT(lookup != any_value || !words_need_shell(command));
        FUZZ_ASSERT(words.count > words.assignments && words.items[words.count] == NULL);
        FUZZ_ASSERT(words_count((const char *const *)words.items) == words.count);
    } else {
        FUZZ_ASSERT(err.msg[0] != '\0');
    }
    words_release(&words);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct launchfile_record record;
    struct launchfile file;
    char *text = malloc(size + 1);

    FUZZ_ASSERT(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    if (launchfile_begin(&file, text, size)) {
        while (launchfile_next(&file, &record)) {
            FUZZ_ASSERT(record.count >= 1 && record.count <= LAUNCHFILE_FIELDS);
            for (size_t i = 0; i < record.count; i++)
                FUZZ_ASSERT(record.fields[i] >= text &&
                            record.fields[i] + strlen(record.fields[i]) <= text + size);
            if (launchfile_is(&record, "process", 2)) {
                split(record.fields[2], any_value);
                split(record.fields[2], no_value);
            }
        }
        FUZZ_ASSERT(file.at <= file.end && file.end == text + size);
    }
    free(text);
    return 0;
}
