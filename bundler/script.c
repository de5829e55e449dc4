/* SPDX-License-Identifier: MIT */
#include "bundler/script.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/xalloc.h"

enum { LINE_MAX_BYTES = 255 }; /* BINPRM_BUF_SIZE, without the last byte */

#define BLANKS " \t"

/* The first line behind "#!", or NULL. The stat comes first: a fifo can block. */
static char *first_line(const char *path)
{
    char bytes[LINE_MAX_BYTES + 1];
    struct stat st;
    cleanup_fd int fd = -1;
    ssize_t size;

    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return NULL;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    size = fd < 0 ? -1 : read(fd, bytes, LINE_MAX_BYTES);
    if (size < 2 || bytes[0] != '#' || bytes[1] != '!')
        return NULL;
    bytes[size] = '\0';
    return xstrndup(bytes + 2, strcspn(bytes + 2, "\n"));
}

/* As execvp(3) would; NULL: nowhere. */
static char *search_path(const char *name)
{
    const char *dirs = getenv("PATH");

    while (dirs != NULL && *dirs != '\0') {
        size_t len = strcspn(dirs, ":");
        cleanup_free char *path = xasprintf("%.*s/%s", (int)len, dirs, name);

        if (path[0] == '/' && access(path, X_OK) == 0)
            return steal_ptr(&path);
        dirs += len + (dirs[len] == ':');
    }
    return NULL;
}

char *script_program(const char *path)
{
    cleanup_free char *line = first_line(path);
    cleanup_free char *program = NULL;
    cleanup_free char *word = NULL;
    const char *at = line;

    if (line == NULL)
        return NULL;
    at += strspn(at, BLANKS);
    program = xstrndup(at, strcspn(at, BLANKS));
    if (program[0] != '/')
        return NULL;
    if (strcmp(strrchr(program, '/'), "/env") != 0)
        return steal_ptr(&program);
    at += strlen(program);
    at += strspn(at, BLANKS);
    if (strncmp(at, "-S", 2) == 0)
        at += 2 + strspn(at + 2, BLANKS);
    word = xstrndup(at, strcspn(at, BLANKS));
    return word[0] == '/' ? steal_ptr(&word) : search_path(word);
}
