/* SPDX-License-Identifier: MIT */
/*
 * An ld.so.cache. Whatever it says, what is found are strings of the file: an absolute path for
 * each name, in order. Mirrors loader.c.
 */
#include <elf.h>
#include <stdio.h>
#include <string.h>

#include "bundler/elf.h"
#include "bundler/loader.h"
#include "tests/fuzz/fuzz.h"

static void check_entries(const struct loader *loader)
{
    for (size_t i = 0; i < loader->cache_count; i++) {
        const struct loader_cache_entry *entry = &loader->cache_entries[i];

        FUZZ_ASSERT(entry->path[0] == '/' && entry->variant <= loader->variant_count);
        FUZZ_ASSERT(i == 0 || strcmp(entry[-1].name, entry->name) <= 0);
        FUZZ_ASSERT(loader_cache_find_here(loader, entry->name, NULL) != NULL);
        (void)loader_cache_find(loader, entry->name);
        (void)loader_cache_find_here(loader, entry->name, "x86-64-v2");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char v3[] = "glibc-hwcaps/x86-64-v3";
    static char v2[] = "glibc-hwcaps/x86-64-v2";
    static char *variants[] = {v3, v2};
    static const struct elf program = {.elf_class = ELFCLASS64, .machine = EM_X86_64};
    struct loader loader = {.variants = variants, .variant_count = 2};
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fuzz_file(data, size));
    loader_read_cache(&loader, &program, path);
    check_entries(&loader);
    FUZZ_ASSERT(loader_cache_find(&loader, "libnone.so") == NULL || loader.cache_count > 0);
    loader.variants = NULL; /* ours */
    loader.variant_count = 0;
    loader_release(&loader);
    return 0;
}
