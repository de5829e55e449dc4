/* SPDX-License-Identifier: MIT */
/* Unpacking: nothing appears beside the target, whatever the image says. Mirrors extract.c. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/err.h"
#include "runtime/stub/extract.h"
#include "runtime/stub/sqfs.h"
#include "tests/fuzz/fuzz.h"

enum { FILE_MAX = 16 << 20 };

static char *base_path;

static void remove_base(void)
{
    extract_remove(AT_FDCWD, base_path);
    free(base_path);
}

/* Images promise more than a disk holds. */
static int open_base(void)
{
    struct rlimit limit = {FILE_MAX, FILE_MAX};
    const char *parent = getenv("TMPDIR");

    FUZZ_ASSERT(asprintf(&base_path, "%s/extract-fuzz-XXXXXX", parent ? parent : "/tmp") > 0);
    FUZZ_ASSERT(mkdtemp(base_path) != NULL && atexit(remove_base) == 0);
    FUZZ_ASSERT(setrlimit(RLIMIT_FSIZE, &limit) == 0 && signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    return open(base_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void check_base(int base)
{
    DIR *dir = fdopendir(dup(base));
    const struct dirent *entry;
    int others = 0;

    FUZZ_ASSERT(dir != NULL);
    rewinddir(dir);
    while ((entry = readdir(dir)) != NULL)
        others += entry->d_name[0] != '.' && strcmp(entry->d_name, "target") != 0;
    FUZZ_ASSERT(others == 0);
    (void)closedir(dir);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int base = -1;
    struct extract_options options = {.plain = size % 2 == 0};
    struct sqfs_image *image;
    struct err err = {0};
    int target;

    if (base < 0)
        base = open_base();
    if (!sqfs_image_open(&image, fuzz_file(data, size), 0, size, &err))
        return 0;
    FUZZ_ASSERT(base >= 0 && mkdirat(base, "target", 0700) == 0);
    target = openat(base, "target", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    FUZZ_ASSERT(target >= 0);
    if (!extract_tree(image, target, &options, NULL, &err))
        FUZZ_ASSERT(err.msg[0] != '\0');
    (void)close(target);
    check_base(base);
    extract_remove(base, "target");
    FUZZ_ASSERT(faccessat(base, "target", F_OK, AT_SYMLINK_NOFOLLOW) != 0);
    sqfs_image_free(image);
    return 0;
}
