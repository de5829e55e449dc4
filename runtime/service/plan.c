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

static bool write_file(const struct plan_file *file, struct err *err)
{
    cleanup_free char *fresh = xasprintf("%s.new", file->path);
    cleanup_fd int fd = -1;

    (void)unlink(fresh);
    fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_sys(err, "'%s'", fresh);
    if (fs_write_all(fd, file->text, strlen(file->text), err) &&
        (fchmod(fd, file->mode) == 0 || err_sys(err, "'%s'", fresh)) &&
        (fsync(fd) == 0 || err_sys(err, "'%s'", fresh)) &&
        (rename(fresh, file->path) == 0 || err_sys(err, "'%s'", file->path)))
        return true;
    (void)unlink(fresh);
    return false;
}

bool plan_write(const struct plan *plan, struct err *err)
{
    if (!plan_check(plan, err))
        return false;
    for (size_t i = 0; i < plan->count; i++)
        if (!write_file(&plan->files[i], err))
            return false;
    return true;
}

void plan_remove(const struct plan *plan)
{
    for (size_t i = 0; i < plan->count; i++)
        if (owner_of(plan, plan->files[i].path) == OURS)
            (void)unlink(plan->files[i].path);
}

static bool has(const struct plan *plan, const char *path)
{
    for (size_t i = 0; i < plan->count; i++)
        if (strcmp(plan->files[i].path, path) == 0)
            return true;
    return false;
}

void plan_remove_others(const struct plan *plan, const struct plan *kept)
{
    for (size_t i = 0; i < plan->count; i++)
        if (!has(kept, plan->files[i].path) && owner_of(plan, plan->files[i].path) == OURS)
            (void)unlink(plan->files[i].path);
}
