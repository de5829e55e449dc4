/* SPDX-License-Identifier: MIT */
#include "heap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bundle.h"
#include "common/cleanup.h"
#include "common/format.h"

/*
 * Bytes of compiled sources for each slot. A server: then the guestbook takes about as much memory
 * under load as natively (bench/serve). A command ends soon: with more it collects less, and its
 * memory is free again.
 */
enum { SERVER_BYTES = 30, COMMAND_BYTES = 16, SLOTS_MIN = 10000, SLOTS_MAX = 1000000 };

extern char **environ;

static bool is_tuned(void)
{
    static const char prefix[] = "RUBY_GC_HEAP_";

    for (char **entry = environ; *entry != NULL; entry++)
        if (strncmp(*entry, prefix, sizeof(prefix) - 1) == 0)
            return true;
    return false;
}

void heap_prepare(const struct bundle *bundle, bool is_cli)
{
    cleanup_free char *pack = bundle_path(bundle, FORMAT_ISEQS);
    char text[32];
    struct stat st;
    long slots;

    if (pack == NULL || is_tuned() || stat(pack, &st) != 0)
        return;
    slots = (long)(st.st_size / (is_cli ? COMMAND_BYTES : SERVER_BYTES));
    if (slots <= SLOTS_MIN)
        return;
    if (slots > SLOTS_MAX)
        slots = SLOTS_MAX;
    (void)snprintf(text, sizeof(text), "%c%ld", FORMAT_HEAP_MARK, slots);
    (void)setenv(FORMAT_HEAP, text, 1);
}

void heap_hush(char *const argv[])
{
    const char *value = getenv(FORMAT_HEAP);

    if (value == NULL || value[0] != FORMAT_HEAP_MARK || argv[0] == NULL)
        return;
    for (size_t i = 1; argv[i] != NULL && argv[i][0] == '-'; i++) {
        bool is_long = argv[i][1] == '-';

        if (is_long ? strcmp(argv[i], "--verbose") == 0 : strpbrk(argv[i], "vwW") != NULL)
            (void)unsetenv(FORMAT_HEAP);
    }
}
