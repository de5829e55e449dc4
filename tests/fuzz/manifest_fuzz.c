/* SPDX-License-Identifier: MIT */
/* The list of an unpacked tree, as it is read back: nothing but a whole one is taken, and what is
 * taken is what would be written. Mirrors tree.c. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/stub/tree.h"
#include "tests/fuzz/fuzz.h"

static void check_same(int fd, const uint8_t *data, size_t size)
{
    uint8_t *written = malloc(size + 1);
    ssize_t got;

    FUZZ_ASSERT(written != NULL);
    got = pread(fd, written, size + 1, 0);
    FUZZ_ASSERT(got >= 0 && (size_t)got <= size && memcmp(written, data, (size_t)got) == 0);
    free(written);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fd = fuzz_file(data, size);
    struct tree_list list;

    if (lseek(fd, 0, SEEK_SET) != 0 || !tree_list_read(&list, fd))
        return 0;
    FUZZ_ASSERT(list.count == 0 || list.paths[list.paths_size - 1] == '\0');
    /* Whatever the paths say, they are only looked at. */
    (void)!tree_unchanged(AT_FDCWD, "tests", &list);
    FUZZ_ASSERT(ftruncate(fd, 0) == 0 && lseek(fd, 0, SEEK_SET) == 0);
    FUZZ_ASSERT(tree_list_write(&list, fd));
    check_same(fd, data, size);
    tree_list_release(&list);
    return 0;
}
