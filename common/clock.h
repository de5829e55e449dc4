/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The monotonic clock: for how long something takes, never for what time it is.
 */
#include <stdint.h>

uint64_t clock_now_us(void);
