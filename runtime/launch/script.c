/* SPDX-License-Identifier: MIT */
#include "script.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash != NULL ? slash + 1 : path;
}

/* "ruby", "ruby3.1". */
static bool is_ruby(const char *program)
{
    const char *name = base_name(program);

    return strncmp(name, "ruby", 4) == 0 && name[4 + strspn(name + 4, "0123456789.")] == '\0';
}

bool script_read(struct script *ret, const char *path)
{
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t got = fd >= 0 ? read(fd, ret->line, sizeof(ret->line) - 1) : -1;
    size_t count = 0;
    char *rest;
    char *word;

    if (got < 2 || memcmp(ret->line, "#!", 2) != 0)
        return false;
    ret->line[got] = '\0';
    ret->line[strcspn(ret->line, "\r\n")] = '\0';
    word = strtok_r(ret->line + 2, " \t", &rest);
    if (word != NULL && strcmp(base_name(word), "env") == 0)
        word = strtok_r(NULL, " \t", &rest);
    if (word != NULL && strcmp(word, "-S") == 0) /* env(1): split the rest into words */
        word = strtok_r(NULL, " \t", &rest);
    if (word == NULL || !is_ruby(word))
        return false;
    while (count < SCRIPT_WORDS_MAX && (word = strtok_r(NULL, " \t", &rest)) != NULL)
        ret->options[count++] = word;
    ret->options[count] = NULL;
    return word == NULL || strtok_r(NULL, " \t", &rest) == NULL;
}
