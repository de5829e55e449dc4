/* SPDX-License-Identifier: MIT */
/* A Ruby source that may open libraries by name, and names others. Mirrors rubyscan.c, literal.c.
 */
#include <stdlib.h>
#include <string.h>

#include "bundler/literal.h"
#include "bundler/rubyscan.h"
#include "tests/fuzz/fuzz.h"

static void take(const struct rubyscan_call *call, void *context)
{
    size_t size = *(size_t *)context;

    FUZZ_ASSERT(call->name_count > 0 && call->name_count <= RUBYSCAN_NAMES_MAX);
    FUZZ_ASSERT(call->line >= 1 && call->line <= size + 1);
    for (size_t i = 0; i < call->name_count; i++)
        FUZZ_ASSERT(strlen(call->names[i]) <= RUBYSCAN_NAME_MAX);
}

static void take_literal(const char *name, size_t len, void *context)
{
    FUZZ_ASSERT(len > 0 && len <= LITERAL_MAX && len <= *(size_t *)context);
    FUZZ_ASSERT(memchr(name, '\n', len) == NULL && memchr(name, '"', len) == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size > 0 ? size : 1); /* as long as the file: ASan sees the end */

    FUZZ_ASSERT(text != NULL);
    if (size > 0)
        memcpy(text, data, size);
    rubyscan(text, size, take, &size);
    literal_in_source(text, size, take_literal, &size);
    literal_in_requires(text, size, take_literal, &size);
    literal_in_object(text, size, take_literal, &size);
    free(text);
    return 0;
}
