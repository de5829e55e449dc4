/* SPDX-License-Identifier: MIT */
/* A pack of compiled sources: every entry is looked up and made, at a short root and at a long one.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "runtime/iseqs/pack.h"

enum { PATH_SIZE_MAX = 4096, MADE_MAX = 1 << 24 };

static void make(const struct pack *pack, const char *path)
{
    const struct iseqpack_entry *entry = pack_find(pack, path);
    size_t size = entry != NULL ? pack_measure(pack, entry) : 0;
    unsigned char *blob = size > 0 && size <= MADE_MAX ? malloc(size) : NULL;

    if (blob != NULL)
        pack_fill(pack, entry, PACK_US_ASCII, blob, size);
    free(blob);
}

/* The path as the entry tells it, where it can be read. */
static void make_entry(const struct pack *pack, const struct iseqpack_entry *entry)
{
    char path[PATH_SIZE_MAX];

    if (entry->path_offset >= pack->size || entry->path_size >= PATH_SIZE_MAX ||
        entry->path_size > pack->size - entry->path_offset)
        return;
    memcpy(path, pack->bytes + entry->path_offset, entry->path_size);
    path[entry->path_size] = '\0';
    make(pack, path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const roots[] = {"/r", "/a/root/that/is/longer/than/the/mark/it/stands/for"};
    unsigned char *exact = malloc(size + 1); /* aligned, and its end is seen */
    struct pack pack;

    if (exact == NULL)
        return 0;
    memcpy(exact, data, size);
    for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
        if (!pack_open(&pack, exact, size, roots[i]))
            break;
        make(&pack, "app/config.rb");
        for (uint32_t j = 0; j < pack.count; j++)
            make_entry(&pack, &pack.entries[j]);
    }
    free(exact);
    return 0;
}
