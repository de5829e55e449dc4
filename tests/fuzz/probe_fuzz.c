/* SPDX-License-Identifier: MIT */
/*
 * What an application's Ruby answers: JSON. What is taken from it is complete, and names that
 * become files are single components. Mirrors jdoc.c and probe.c, and is compiled with the latter,
 * whose interface starts a Ruby.
 */
#include "bundler/probe.c"

#include <stdio.h>

#include "tests/fuzz/fuzz.h"

/* What only starting a Ruby takes. */
bool tempdir_make(char **ret, struct err *err)
{
    (void)ret;
    return err_set(err, ERR_INPUT, "none");
}

struct asset asset_get(enum asset_id id)
{
    (void)id;
    return (struct asset){0};
}

static void check_gem(const struct probe *probe, const struct probe_gem *gem)
{
    FUZZ_ASSERT(gem->name[0] != '\0' && strchr(gem->full_name, '/') == NULL);
    FUZZ_ASSERT(gem->version != NULL && gem->dir != NULL && gem->gemspec != NULL);
    FUZZ_ASSERT(probe_find_gem(probe, gem->name) != NULL);
    for (size_t i = 0; i < jdoc_count(gem->executables); i++)
        FUZZ_ASSERT(strchr(jdoc_text_at(gem->executables, i), '/') == NULL);
}

/* A document that is written down reads as the same. */
static void check_round(const struct jdoc *document)
{
    struct err err = {0};
    char *text = jdoc_format(document);
    struct jdoc *again = jdoc_parse(text, strlen(text), &err);
    char *twice;

    FUZZ_ASSERT(again != NULL);
    twice = jdoc_format(again);
    FUZZ_ASSERT(strcmp(text, twice) == 0);
    free(twice);
    free(text);
    jdoc_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct scratch scratch = {.answer = fuzz_file(data, size)};
    struct probe probe = {0};
    struct err err = {0};

    if (read_answer(&probe, &scratch, &err) && read_ruby(&probe, &err) && read_gems(&probe, &err)) {
        read_databases(&probe);
        for (size_t i = 0; i < probe.gem_count; i++)
            check_gem(&probe, &probe.gems[i]);
    } else {
        FUZZ_ASSERT(err.kind != ERR_NONE && err.msg[0] != '\0');
    }
    if (probe.answer != NULL)
        check_round(probe.answer);
    probe_release(&probe);
    return 0;
}
