/* SPDX-License-Identifier: MIT */
#include "bundler/provenance.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/proc.h"
#include "common/xalloc.h"

enum { OUTPUT_MAX = 4 << 20, TIMEOUT_MS = 20000, REVISION_MAX = 64, ARGUMENTS_MAX = 16 };

/* Repositories of others count as our own (a build as root), and none of their settings starts a
 * program or writes. The output of git, to be freed; NULL when it failed. */
static char *ask_git(const char *dir, const char *const *words)
{
    const char *argv[ARGUMENTS_MAX + 8] = {"git", "--no-optional-locks", "-c", "safe.directory=*",
                                           "-c",  "core.fsmonitor=false"};
    struct proc_request request = {
        .argv = argv, .cwd = dir, .output_max_bytes = OUTPUT_MAX, .timeout_ms = TIMEOUT_MS};
    struct proc_output output = {0};
    struct err ignored = {0};
    char *text = NULL;

    for (size_t i = 0; i < ARGUMENTS_MAX && words[i] != NULL; i++)
        argv[6 + i] = words[i];
    if (!proc_capture(&request, &output, &ignored))
        return NULL;
    if (output.exit_code == 0 && !output.timed_out)
        text = xstrdup(output.out);
    proc_output_release(&output);
    return text;
}

void provenance_find(struct provenance *ret, const char *dir)
{
    static const char *const head[] = {"rev-parse", "--verify", "HEAD", NULL};
    static const char *const status[] = {"status", "--porcelain", "--untracked-files=no",
                                         "--ignore-submodules=none", NULL};
    cleanup_free char *own = xasprintf("%s/.git", dir);
    cleanup_free char *revision = NULL;
    cleanup_free char *changes = NULL;
    struct stat st;
    size_t length;

    *ret = (struct provenance){0};
    if (stat(own, &st) != 0)
        return;
    revision = ask_git(dir, head);
    if (revision == NULL)
        return;
    length = strspn(revision, "0123456789abcdef");
    if (length < 40 || length > REVISION_MAX || revision[length] != '\n')
        return;
    revision[length] = '\0';
    changes = ask_git(dir, status);
    ret->is_dirty = changes == NULL || changes[0] != '\0';
    ret->revision = steal_ptr(&revision);
}

void provenance_release(struct provenance *provenance)
{
    free(provenance->revision);
    *provenance = (struct provenance){0};
}

char *provenance_text(const struct provenance *provenance)
{
    return provenance->revision == NULL
               ? NULL
               : xasprintf("%s%s", provenance->revision, provenance->is_dirty ? " modified" : "");
}
