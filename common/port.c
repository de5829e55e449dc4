/* SPDX-License-Identifier: MIT */
#include "common/port.h"

#include <string.h>

enum { PORT_FIRST = 5000, PORT_STEP = 100 };

static const char name[] = "PORT";

bool port_is_named(const char *command)
{
    return strstr(command, name) != NULL;
}

const char *port_own_default(const char *command)
{
    const char *known = NULL;

    for (const char *at = command; (at = strstr(at, name)) != NULL; at += strlen(name)) {
        const char *rest = at + strlen(name) + (at[strlen(name)] == ':');

        if (*rest != '-')
            return NULL;
        known = rest + 1;
    }
    return known;
}

size_t port_of(size_t number)
{
    return PORT_FIRST + PORT_STEP * number;
}
