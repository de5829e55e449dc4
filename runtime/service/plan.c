/* SPDX-License-Identifier: MIT */
#include "runtime/service/plan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/fs.h"
#include "common/xalloc.h"

enum { FILE_MAX_BYTES = 1 << 20 };

void plan_init(struct plan *plan, const char *name)
{
    *plan = (struct plan){0};
    plan->mark = xasprintf("# %s: written by Rucksack, and again by 'service upgrade'\n", name);
}

void plan_release(struct plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        free(plan->files[i].path);
        free(plan->files[i].text);
    }
    free(plan->files);
    free(plan->mark);
    *plan = (struct plan){0};
}

void plan_add(struct plan *plan, const char *path, char *text, mode_t mode)
{
    plan->files = xgrow(plan->files, &plan->capacity, plan->count, sizeof(*plan->files));
    plan->files[plan->count++] = (struct plan_file){
        .path = xstrdup(path),
        .text = xasprintf("%s%s", plan->mark, text),
        .mode = mode,
    };
    free(text);
}

void plan_print(const struct plan *plan, FILE *out)
{
    for (size_t i = 0; i < plan->count; i++)
        fprintf(out, "%s==> %s (%04o)\n%s", i > 0 ? "\n" : "", plan->files[i].path,
                (unsigned int)plan->files[i].mode, plan->files[i].text);
}

enum owner { NOBODY, OURS, OTHERS };

static enum owner owner_of(const struct plan *plan, const char *path)
{
    cleanup_free char *text = NULL;
    struct err err = {0};
    struct stat st;
    size_t size;

    if (lstat(path, &st) != 0)
        return errno == ENOENT ? NOBODY : OTHERS;
    if (!S_ISREG(st.st_mode) || !fs_read_file(path, FILE_MAX_BYTES, &text, &size, &err))
        return OTHERS;
    return strncmp(text, plan->mark, strlen(plan->mark)) == 0 ? OURS : OTHERS;
}

void plan_add_existing(struct plan *plan, const char *dir)
{
    cleanup_dir DIR *entries = opendir(dir);
    const struct dirent *entry;

    while (entries != NULL && (entry = readdir(entries)) != NULL) {
        cleanup_free char *path = xasprintf("%s/%s", dir, entry->d_name);

        if (owner_of(plan, path) == OURS)
            plan_add(plan, path, xstrdup(""), 0644);
    }
}

bool plan_owns(const struct plan *plan, const char *path)
{
    return owner_of(plan, path) == OURS;
}

bool plan_check(const struct plan *plan, struct err *err)
{
    for (size_t i = 0; i < plan->count; i++) {
        if (owner_of(plan, plan->files[i].path) != OTHERS)
            continue;
        (void)err_set(err, ERR_INPUT, "'%s' is there, and not of this service",
                      plan->files[i].path);
        (void)err_id(err, "E-TAKEN");
        return err_hint(err, "remove it, or build with another name: 'name:' in rucksack.yml");
    }
    return true;
}

/* What is there already is left alone: to systemd a file that is renamed is another one. */
static bool is_there(const struct plan_file *file)
{
    cleanup_free char *text = NULL;
    struct err ignored = {0};
    struct stat st;
    size_t size;

    return fs_read_file(file->path, FILE_MAX_BYTES, &text, &size, &ignored) &&
           size == strlen(file->text) && memcmp(text, file->text, size) == 0 &&
           stat(file->path, &st) == 0 && (st.st_mode & 07777) == file->mode;
}

bool plan_write(const struct plan *plan, struct err *err)
{
    if (!plan_check(plan, err))
        return false;
    for (size_t i = 0; i < plan->count; i++)
        if (!is_there(&plan->files[i]) &&
            !fs_put_file(plan->files[i].path, plan->files[i].text, strlen(plan->files[i].text),
                         plan->files[i].mode, err))
            return false;
    return true;
}

void plan_remove(const struct plan *plan)
{
    for (size_t i = 0; i < plan->count; i++)
        if (owner_of(plan, plan->files[i].path) == OURS)
            (void)unlink(plan->files[i].path);
}
