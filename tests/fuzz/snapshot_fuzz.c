/* SPDX-License-Identifier: MIT */
/*
 * A snapshot, as what is in its frames: the manifest and all other entries are hostile. Nothing
 * appears beside the directory that it is unpacked into, and what is unpacked is what the manifest
 * says. Mirrors manifest.c, tar.c and unpack.c.
 */
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
#include "common/fs.h"
#include "runtime/keeper/manifest.h"
#include "runtime/keeper/progress.h"
#include "runtime/keeper/reading.h"
#include "runtime/keeper/unpack.h"
#include "tests/fuzz/fuzz.h"

enum { FILE_MAX = 16 << 20 };

struct memory {
    const uint8_t *data;
    size_t size;
    size_t used;
};

static char *base_path;

static bool give(void *context, const void **ret, size_t *ret_size, struct err *err)
{
    struct memory *memory = context;

    (void)err;
    *ret = memory->data + memory->used;
    *ret_size = memory->size - memory->used;
    memory->used = memory->size;
    return true;
}

static void remove_base(void)
{
    struct err ignored = {0};

    (void)!fs_remove_tree(AT_FDCWD, base_path, &ignored);
    free(base_path);
}

static int open_base(void)
{
    struct rlimit limit = {FILE_MAX, FILE_MAX};
    const char *parent = getenv("TMPDIR");

    FUZZ_ASSERT(asprintf(&base_path, "%s/snapshot-fuzz-XXXXXX", parent ? parent : "/tmp") > 0);
    FUZZ_ASSERT(mkdtemp(base_path) != NULL && atexit(remove_base) == 0);
    FUZZ_ASSERT(setrlimit(RLIMIT_FSIZE, &limit) == 0 && signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    return open(base_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* The directory has `data` and the base has the directory, and neither has anything else. */
static void check_alone(int fd, const char *only)
{
    DIR *dir = fdopendir(dup(fd));
    const struct dirent *entry;

    FUZZ_ASSERT(dir != NULL);
    rewinddir(dir);
    while ((entry = readdir(dir)) != NULL)
        FUZZ_ASSERT(strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
                    strcmp(entry->d_name, only) == 0);
    (void)closedir(dir);
}

static void check_files(const struct manifest *manifest, int target)
{
    for (size_t i = 0; i < manifest->file_count; i++) {
        struct stat st;

        FUZZ_ASSERT(fstatat(target, manifest->files[i].path, &st, AT_SYMLINK_NOFOLLOW) == 0);
        FUZZ_ASSERT(S_ISREG(st.st_mode) && (uint64_t)st.st_size == manifest->files[i].size_bytes);
        FUZZ_ASSERT((st.st_mode & 07000) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int base = -1;
    const struct unpack_owner owner = {0};
    struct memory memory = {data, size, 0};
    struct progress progress = {0};
    struct reading reading;
    struct err err = {0};
    char path[4096];
    int target;

    if (base < 0)
        base = open_base();
    if (!reading_begin(&reading, give, &memory, &err)) {
        FUZZ_ASSERT(err.msg[0] != '\0');
        return 0;
    }
    FUZZ_ASSERT(base >= 0 && mkdirat(base, "target", 0700) == 0);
    target = openat(base, "target", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    (void)snprintf(path, sizeof(path), "%s/target", base_path);
    if (unpack_run(&reading, target, path, &owner, &progress, &err))
        check_files(&reading.manifest, target);
    else
        FUZZ_ASSERT(err.msg[0] != '\0');
    check_alone(target, "data");
    check_alone(base, "target");
    (void)close(target);
    FUZZ_ASSERT(fs_remove_tree(base, "target", &err));
    reading_close(&reading);
    return 0;
}
