/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Whether the app answers: GET over HTTP/1.0 at the address that its service listens on.
 */
#include <stdbool.h>

struct err;

/*
 * Asks until the answer is good, once more after each bad one, for at most that time. path NULL:
 * "/", where every status below 500 is good; else one from 200 to 399. E-HEALTH with the last
 * answer. is_alive is asked in between: false ends it early.
 */
[[nodiscard]] bool health_wait(const char *listen, const char *path, unsigned int timeout_ms,
                               bool (*is_alive)(void *context), void *context, struct err *err);
