/* SPDX-License-Identifier: MIT */
#include "bundler/deps.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bundler/elf.h"
#include "bundler/load.h"
#include "bundler/loader.h"
#include "bundler/musl.h"
#include "bundler/objects.h"
#include "common/err.h"
#include "common/xalloc.h"

/* The usual places of loaders: what a library does not say, because it has no PT_INTERP. */
static const struct usual {
    int machine;
    int elf_class;
    const char *glibc;
    const char *musl;
} usual[] = {
    {EM_X86_64, ELFCLASS64, "/lib64/ld-linux-x86-64.so.2", "/lib/ld-musl-x86_64.so.1"},
    {EM_AARCH64, ELFCLASS64, "/lib/ld-linux-aarch64.so.1", "/lib/ld-musl-aarch64.so.1"},
    {EM_386, ELFCLASS32, "/lib/ld-linux.so.2", "/lib/ld-musl-i386.so.1"},
    {EM_ARM, ELFCLASS32, "/lib/ld-linux-armhf.so.3", "/lib/ld-musl-armhf.so.1"},
    {EM_RISCV, ELFCLASS64, "/lib/ld-linux-riscv64-lp64d.so.1", "/lib/ld-musl-riscv64.so.1"},
    {EM_PPC64, ELFCLASS64, "/lib64/ld64.so.2", "/lib/ld-musl-powerpc64le.so.1"},
    {EM_S390, ELFCLASS64, "/lib/ld64.so.1", "/lib/ld-musl-s390x.so.1"},
};

struct known {
    char *interp;
    int machine;
    int elf_class;
    struct search_context context;
    struct loader loader;
};

struct deps {
    struct search_mode mode;
    const char *interp;
    struct objects *objects;
    struct known **loaders; /* each on the heap: contexts point into them */
    size_t count;
    size_t capacity;
};

struct deps *deps_new(const struct search_mode *mode, const char *interp)
{
    struct deps *deps = xcalloc(1, sizeof(*deps));

    deps->mode = *mode;
    deps->interp = interp;
    deps->objects = objects_new();
    return deps;
}

void deps_free(struct deps *deps)
{
    if (deps == NULL)
        return;
    for (size_t i = 0; i < deps->count; i++) {
        loader_release(&deps->loaders[i]->loader);
        free(deps->loaders[i]->interp);
        free(deps->loaders[i]);
    }
    free(deps->loaders);
    objects_free(deps->objects);
    free(deps);
}

bool deps_read(struct deps *deps, const char *path, const struct elf **ret, struct err *err)
{
    return objects_get(deps->objects, path, ret, err);
}

bool deps_mark(struct deps *deps, const char *path)
{
    return objects_mark(deps->objects, path);
}

bool deps_is_static(const struct elf *elf)
{
    return elf->interp == NULL && (!elf->has_dynamic || elf_is_program(elf));
}

/* musl calls its one library libc.so; Alpine's packages name it with the machine. */
static bool needs_musl(const struct elf *elf)
{
    for (size_t i = 0; i < elf->needed_count; i++)
        if (strcmp(elf->needed[i], "libc.so") == 0 ||
            strncmp(elf->needed[i], "libc.musl-", strlen("libc.musl-")) == 0)
            return true;
    return false;
}

/* NULL when the machine is none that we know the loader of. */
static const char *interp_of(const struct deps *deps, const struct elf *elf)
{
    if (deps->interp != NULL)
        return deps->interp;
    if (elf->interp != NULL)
        return elf->interp;
    for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
        if (usual[i].machine == elf->machine && usual[i].elf_class == elf->elf_class)
            return needs_musl(elf) ? usual[i].musl : usual[i].glibc;
    return NULL;
}

static bool open_loader(struct deps *deps, const struct elf *elf, const char *interp,
                        const struct known **ret, struct err *err)
{
    struct elf program = *elf; /* borrows everything, with the loader that it gets */
    struct known *known = xcalloc(1, sizeof(*known));

    program.interp = (char *)(uintptr_t)interp;
    if (musl_is_interp(interp) ? !musl_open(&known->loader, &program, err)
                               : !loader_open(&known->loader, &program, err)) {
        free(known);
        return false;
    }
    known->interp = xstrdup(interp);
    known->machine = elf->machine;
    known->elf_class = elf->elf_class;
    known->context = (struct search_context){
        .loader = &known->loader, .objects = deps->objects, .mode = deps->mode};
    deps->loaders = xgrow(deps->loaders, &deps->capacity, deps->count, sizeof(known));
    deps->loaders[deps->count++] = known;
    *ret = known;
    return true;
}

static bool loader_for(struct deps *deps, const struct elf *elf, const struct known **ret,
                       struct err *err)
{
    const char *interp = interp_of(deps, elf);
    struct stat st;

    for (size_t i = 0; interp != NULL && i < deps->count; i++) {
        const struct known *known = deps->loaders[i];

        if (strcmp(known->interp, interp) == 0 && known->machine == elf->machine &&
            known->elf_class == elf->elf_class) {
            *ret = known;
            return true;
        }
    }
    if (interp == NULL || stat(interp, &st) != 0) {
        (void)err_set(err, ERR_INPUT, "'%s' is for %s, and its loader%s%s is not on this machine",
                      elf->path, elf_machine_name(elf->machine), interp == NULL ? "" : " ",
                      interp == NULL ? "" : interp);
        (void)err_hint(err, "look at it where it runs, or name another loader: --loader FILE");
        return err_id(err, "E-LIBC");
    }
    return open_loader(deps, elf, interp, ret, err);
}

bool deps_load(struct deps *deps, const struct elf *elf, struct process *process,
               const struct loader **ret_loader, struct err *err)
{
    const struct known *known;

    if (!loader_for(deps, elf, &known, err))
        return false;
    *ret_loader = &known->loader;
    return load_program(&known->context, process, elf, NULL, err);
}
