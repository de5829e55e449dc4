/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What may be drawn on a descriptor: nothing unless it is a terminal that can do so.
 *
 * NO_COLOR: https://no-color.org. Sequences: ECMA-48, which every terminal but TERM=dumb has.
 */
#include <stdbool.h>

#define TERMINAL_BOLD "\033[1m"
#define TERMINAL_RED "\033[1;31m"
#define TERMINAL_YELLOW "\033[33m"
#define TERMINAL_PLAIN "\033[0m"
/* Back to the first column, and nothing behind it. */
#define TERMINAL_CLEAR "\r\033[K"

/* Whether a line can be drawn over and over. */
bool terminal_is_live(int fd);

/* Whether that, and the user wants colours. */
bool terminal_is_colored(int fd);

/* Its width, 80 where it does not say. */
unsigned int terminal_columns(int fd);
