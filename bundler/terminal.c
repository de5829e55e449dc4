/* SPDX-License-Identifier: MIT */
#include "bundler/terminal.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { COLUMNS_USUAL = 80 };

bool terminal_is_live(int fd)
{
    const char *kind = getenv("TERM");

    return isatty(fd) == 1 && kind != NULL && kind[0] != '\0' && strcmp(kind, "dumb") != 0;
}

bool terminal_is_colored(int fd)
{
    const char *unwanted = getenv("NO_COLOR");

    return (unwanted == NULL || unwanted[0] == '\0') && terminal_is_live(fd);
}

unsigned int terminal_columns(int fd)
{
    struct winsize size;

    return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : COLUMNS_USUAL;
}
