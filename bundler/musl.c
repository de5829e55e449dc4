/* SPDX-License-Identifier: MIT */
#include "bundler/musl.h"

#include <stdlib.h>
#include <string.h>

#include "bundler/elf.h"
#include "bundler/loader.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/fs.h"
#include "common/xalloc.h"

enum { PATH_FILE_MAX = 1 << 16 };

#define BASE "/ld-musl-"

bool musl_is_interp(const char *interp)
{
    const char *slash = strrchr(interp, '/');

    return interp[0] == '/' && slash != NULL && strncmp(slash, BASE, strlen(BASE)) == 0;
}

/* "/opt/lib/ld-musl-x86_64.so.1" reads "/opt/etc/ld-musl-x86_64.path". */
static char *path_file(const char *interp)
{
    const char *slash = strrchr(interp, '/');
    const char *arch = slash + strlen(BASE);
    const char *prefix = slash;

    while (prefix > interp && prefix[-1] != '/')
        prefix--;
    return xasprintf("%.*setc/ld-musl-%.*s.path", (int)(prefix - interp), interp,
                     (int)strcspn(arch, "."), arch);
}

static char *system_path(const char *interp)
{
    cleanup_free char *path = path_file(interp);
    cleanup_free char *text = NULL;
    struct err ignored = {0};
    size_t size;

    if (fs_read_file(path, PATH_FILE_MAX, &text, &size, &ignored) && text[0] != '\0')
        return steal_ptr(&text);
    return xstrdup("/lib:/usr/local/lib:/usr/lib");
}

bool musl_open(struct loader *ret, const struct elf *program, struct err *err)
{
    cleanup_with(elf_release) struct elf elf = {0};

    if (!elf_open(&elf, program->interp, err))
        return err_wrap(err, "loader");
    *ret = (struct loader){
        .is_musl = true,
        .path = xstrdup(program->interp),
        .soname = elf.soname == NULL ? NULL : xstrdup(elf.soname),
        .default_dirs = xcalloc(1, sizeof(*ret->default_dirs)),
        .default_dir_count = 1,
    };
    ret->default_dirs[0] = system_path(program->interp);
    return true;
}
