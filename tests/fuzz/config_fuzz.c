/* SPDX-License-Identifier: MIT */
/*
 * A rucksack.yml, and the same bytes as a Procfile: a configuration that can be used, or one error
 * that names the file. Mirrors config.c, ydoc.c, procfile.c and words.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bundler/config.h"
#include "bundler/procfile.h"
#include "common/err.h"
#include "common/words.h"
#include "tests/fuzz/fuzz.h"

static char dir[300];

static void remove_dir(void)
{
    char path[320];

    (void)snprintf(path, sizeof(path), "%s/" CONFIG_FILE, dir);
    (void)unlink(path);
    (void)snprintf(path, sizeof(path), "%s/Procfile", dir);
    (void)unlink(path);
    (void)rmdir(dir);
}

/* A directory in which both files are the one of fuzz_file(). */
static void make_dir(int fd)
{
    const char *parent = getenv("TMPDIR");
    char path[320];
    char target[64];

    (void)snprintf(dir, sizeof(dir), "%s/config-fuzz-XXXXXX", parent != NULL ? parent : "/tmp");
    FUZZ_ASSERT(mkdtemp(dir) != NULL && atexit(remove_dir) == 0);
    (void)snprintf(target, sizeof(target), "/proc/self/fd/%d", fd);
    (void)snprintf(path, sizeof(path), "%s/" CONFIG_FILE, dir);
    FUZZ_ASSERT(symlink(target, path) == 0);
    (void)snprintf(path, sizeof(path), "%s/Procfile", dir);
    FUZZ_ASSERT(symlink(target, path) == 0);
}

/* What was accepted as a command is one: words, or text for a shell. */
static void check_processes(const struct config *config)
{
    for (size_t i = 0; i < config->processes.count; i++) {
        const struct config_pair *process = &config->processes.items[i];
        struct words words = {0};
        struct err err = {0};

        FUZZ_ASSERT(process->name[0] != '\0');
        if (words_need_shell(process->value))
            continue;
        if (words_split(&words, process->value, getenv, &err))
            FUZZ_ASSERT(words.items[words.count] == NULL);
        words_release(&words);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config config = {0};
    struct err err = {0};
    bool found = false;

    int fd = fuzz_file(data, size);

    if (dir[0] == '\0')
        make_dir(fd);
    if (config_load(&config, dir, &err)) {
        FUZZ_ASSERT(config.is_given);
        FUZZ_ASSERT(config.health == NULL || config.health[0] == '/');
        check_processes(&config);
    } else {
        FUZZ_ASSERT(strcmp(err.id, "E-CONFIG") == 0 && err.hint[0] != '\0');
    }
    config_release(&config);
    err = (struct err){0};
    if (procfile_read(dir, &config, &found, &err)) {
        FUZZ_ASSERT(found);
        check_processes(&config);
    } else {
        FUZZ_ASSERT(strcmp(err.id, "E-PROCFILE") == 0);
    }
    config_release(&config);
    return 0;
}
