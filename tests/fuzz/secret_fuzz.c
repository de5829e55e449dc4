/* SPDX-License-Identifier: MIT */
/*
 * A file that may hold secrets: as text with keys and tokens, and as a database of SQLite. Any
 * answer is right, and none reads outside of the file. Mirrors secrettext.c and sqlitefile.c.
 */
#include <stdlib.h>
#include <string.h>

#include "bundler/secrettext.h"
#include "bundler/sqlitefile.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct secrettext_finding finding = {0};
    char *text = malloc(size > 0 ? size : 1); /* as long as the file: ASan sees the end */

    FUZZ_ASSERT(text != NULL);
    if (size > 0)
        memcpy(text, data, size);
    if (secrettext_find("a.p12", text, size, &finding))
        FUZZ_ASSERT(finding.what != NULL && finding.line >= 1 && finding.line <= size + 1);
    free(text);
    FUZZ_ASSERT(sqlitefile_look(fuzz_file(data, size), size) <= SQLITEFILE_UNREADABLE);
    return 0;
}
