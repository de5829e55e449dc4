/* SPDX-License-Identifier: MIT */
/*
 * An object or program as the walk reads it, and a loader as it is read where it cannot be asked.
 * Whatever the file says, nothing outside of it is read: it is not mapped here but on the heap, so
 * that ASan sees its end. Mirrors elf.c, elfscan.c, elfsym.c and loader.c.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bundler/elf.h"
#include "bundler/elfscan.h"
#include "bundler/elfsym.h"
#include "bundler/loader.h"
#include "common/err.h"
#include "tests/fuzz/fuzz.h"

void *__wrap_mmap64(void *at, size_t size, int protection, int flags, int fd, off_t offset);
int __wrap_munmap(void *at, size_t size);

void *__wrap_mmap64(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    char *copy = malloc(size);

    (void)at, (void)protection, (void)flags;
    FUZZ_ASSERT(copy != NULL && pread(fd, copy, size, offset) == (ssize_t)size);
    return copy;
}

int __wrap_munmap(void *at, size_t size)
{
    (void)size;
    free(at);
    return 0;
}

static void take_text(const char *text, void *context)
{
    size_t *bytes = context;

    *bytes += strlen(text);
}

static void take_note(const struct elfscan_note *note, void *context)
{
    FUZZ_ASSERT(note->name_count > 0 && note->name_count <= ELFSCAN_NAMES_MAX);
    for (size_t i = 0; i < note->name_count; i++)
        take_text(note->names[i], context);
}

static void scan(const struct elf *elf)
{
    size_t bytes = 0;

    (void)elfscan_imports(elf, "dlopen");
    (void)elfscan_notes(elf, take_note, &bytes);
    elfscan_sonames(elf, take_text, &bytes);
    elfscan_paths(elf, take_text, &bytes);
    elfscan_components(elf, take_text, &bytes);
}

static void look_up(const struct elf *elf)
{
    const struct elfsym_ref any = {.name = "f", .version = "V1"};
    struct elfsym symbols;
    struct err err = {0};

    if (!elfsym_read(&symbols, elf, &err)) {
        FUZZ_ASSERT(strcmp(err.id, "E-ELF") == 0);
        return;
    }
    FUZZ_ASSERT(symbols.ref_count <= ELFSYM_REF_MAX);
    for (size_t i = 0; i < symbols.need_count; i++)
        (void)elfsym_offers_version(&symbols, symbols.needs[i].name);
    for (size_t i = 0; i < symbols.ref_count && i < 100; i++)
        (void)elfsym_defines(&symbols, &symbols.refs[i]);
    (void)elfsym_defines(&symbols, &any);
    elfsym_release(&symbols);
}

static void ask(const struct elf *elf)
{
    struct elf_match matches[4];
    size_t count;
    size_t size;
    uint64_t value;
    char *trimmed;

    FUZZ_ASSERT(elf->dynamic_count <= ELF_DYNAMIC_MAX);
    for (size_t i = 0; i < elf->needed_count; i++)
        FUZZ_ASSERT(elf->needed[i] != NULL);
    if (elf_find_bytes(elf, "lib", 3, matches, 4, &count))
        FUZZ_ASSERT(count > 0 && matches[0].remaining_bytes >= 3 &&
                    matches[0].offset + 3 <= elf->size_bytes);
    if (elf_dynamic(elf, 5, &value) && elf_segment_bytes(elf, value, &size) != NULL)
        FUZZ_ASSERT(size > 0 && size <= elf->size_bytes);
    trimmed = elf_trimmed(elf, &size);
    FUZZ_ASSERT(trimmed == NULL || size + ELF_TRIM_MIN <= elf->size_bytes);
    free(trimmed);
}

static void read_as_loader(const char *path, const uint8_t *data, size_t size)
{
    struct loader loader;
    struct err err = {0};
    char *copy;

    if (!loader_from_bytes(&loader, path, &err)) {
        FUZZ_ASSERT(err.id[0] == 'E');
        return;
    }
    FUZZ_ASSERT(loader.default_dir_count > 0 && loader.glibc_major > 0);
    copy = malloc(size);
    FUZZ_ASSERT(copy != NULL);
    memcpy(copy, data, size);
    (void)!loader_make_hermetic(&loader, copy, size, &err);
    free(copy);
    loader_release(&loader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = {0};
    struct elf elf = {0};
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fuzz_file(data, size));
    if (!elf_open(&elf, path, &err)) {
        FUZZ_ASSERT(strcmp(err.id, "E-ELF") == 0);
        return 0;
    }
    scan(&elf);
    look_up(&elf);
    ask(&elf);
    elf_release(&elf);
    read_as_loader(path, data, size);
    return 0;
}
