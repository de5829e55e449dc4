/* SPDX-License-Identifier: MIT */
/*
 * The name table as the guest reads it: whatever it says, nothing outside of it is read, every
 * question ends, and what is answered is one of the kernel's answers. Mirrors names.c, and is
 * compiled with it: the guest has no interface but the functions of libc.
 */
#include "runtime/guest/names.c"

#include <stdio.h>

#include "tests/fuzz/fuzz.h"

char guest_root[GUEST_PATH_MAX] = "/root";
size_t guest_root_len = 5;

bool guest_path(char ret[GUEST_PATH_MAX], const char *image_path)
{
    (void)ret;
    (void)image_path;
    return false;
}

bool launchfile_is(const struct launchfile_record *record, const char *key, size_t values)
{
    (void)record;
    (void)key;
    (void)values;
    return false;
}

static char *real_root(const char *path, char *resolved)
{
    memcpy(resolved, path, strlen(path) + 1);
    return resolved;
}

static void ask(const char *path)
{
    struct stat st;
    struct statx stx;
    char text[GUEST_PATH_MAX];
    char *real;
    ssize_t length;
    int result;

    errno = 0;
    if (names_stat(path, true, &st, &result))
        FUZZ_ASSERT(result == 0 || errno == ENOENT || errno == ENOTDIR);
    if (names_statx(path, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &stx, &result))
        FUZZ_ASSERT(result == 0 || errno == ENOENT || errno == ENOTDIR);
    if (names_access(path, X_OK, &result))
        FUZZ_ASSERT(result == 0 || errno == ENOENT || errno == ENOTDIR);
    if (names_readlink(path, text, 100, &length))
        FUZZ_ASSERT((length > 0 && length <= 100) || length == -1);
    if (names_realpath(path, text, real_root, &real))
        FUZZ_ASSERT(real == text && strncmp(real, "/root/", 6) == 0 && strlen(real) < sizeof(text));
    if (names_realpath(path, NULL, real_root, &real))
        free(real);
    (void)names_absent(path, false);
    (void)names_no_dir(path);
}

/* Paths of the seeds, and what the strings of this input make. */
static void ask_all(const char *strings, size_t size)
{
    static const char *const paths[] = {
        "/root/a",
        "/root/a/b",
        "/root/a/b/run",
        "/root/a-b/link/run",
        "/root/a/../a",
        "/root/a-b/link/../..",
        "/root/a-b/loop/x",
        "/root/a/b/run/",
        "/root//a/./b",
        "/root/version.rb/x",
        "/root/.rucksack/no",
        "/root",
    };
    char path[300] = "/root/";

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        ask(paths[i]);
    for (size_t from = 0; from < size && from < 64; from++) {
        size_t len = size - from < 200 ? size - from : 200;

        memcpy(path + 6, strings + from, len);
        path[6 + len] = '\0';
        ask(path);
        path[6 + len / 2] = '/';
        ask(path);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *bytes = malloc(size > 0 ? size : 1);
    struct nametable_header *header = (struct nametable_header *)(void *)bytes;

    FUZZ_ASSERT(bytes != NULL);
    memcpy(bytes, data, size);
    /* Sizes are made to fit, where they can: the header's check is the unit test's. */
    if (size >= sizeof(*header) && header->slot_bits <= 16 && header->count < 65536 &&
        nametable_strings_at(header) <= size) {
        header->size = size;
        header->strings_size = (uint32_t)(size - nametable_strings_at(header));
    }
    if (nametable_is_valid(header, size)) {
        table.header = header;
        table.entries = (const struct nametable_entry *)(header + 1);
        table.slots = (const uint32_t *)(void *)(bytes + nametable_slots_at(header));
        table.strings = (const char *)bytes + nametable_strings_at(header);
        is_on = true;
        ask_all(table.strings, (size_t)header->strings_size);
        is_on = false;
    }
    free(bytes);
    return 0;
}
