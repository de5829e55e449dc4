/* SPDX-License-Identifier: MIT */
/*
 * Runs a fuzz target over the files of its directories (REPLAY_DIRS), one TAP line each. A defect
 * ends the program: what stands in the last line was the input.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/fs.h"
#include "tests/fuzz/fuzz.h"

enum { FILE_MAX = 16 << 20 };

static bool replay(const char *path, int number, struct err *err)
{
    cleanup_free char *data = NULL;
    cleanup_free uint8_t *exact = NULL;
    size_t size;

    if (!fs_read_file(path, FILE_MAX, &data, &size, err))
        return false;
    /* Of exactly this size, so that a byte read behind it is found. */
    exact = malloc(size > 0 ? size : 1);
    if (exact == NULL)
        return err_sys(err, "'%s'", path);
    memcpy(exact, data, size);
    (void)printf("# %s\n", path);
    (void)fflush(stdout);
    (void)LLVMFuzzerTestOneInput(exact, size);
    (void)printf("ok %d - %s\n", number, path);
    return true;
}

static bool replay_dir(const char *dir, int *number, struct err *err)
{
    struct dirent **entries;
    int count = scandir(dir, &entries, NULL, alphasort);
    bool ok = count >= 0 || err_sys(err, "'%s'", dir);

    for (int i = 0; i < count; i++) {
        cleanup_free char *path = NULL;

        if (ok && entries[i]->d_name[0] != '.')
            ok = asprintf(&path, "%s/%s", dir, entries[i]->d_name) >= 0 &&
                 replay(path, ++*number, err);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    return ok;
}

int main(void)
{
    static const char *const dirs[] = {REPLAY_DIRS};
    struct err err = {0};
    int number = 0;

    for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
        if (!replay_dir(dirs[i], &number, &err)) {
            (void)printf("Bail out! %s\n", err.msg);
            return EXIT_FAILURE;
        }
    }
    (void)printf("1..%d\n", number);
    return EXIT_SUCCESS;
}
