/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Is the file what was built? A damaged block need not fail to decompress: it may become a library
 * with a wrong instruction, and a program that crashes or worse. So a bundle of ours is compared
 * with the hashes in its header before anything of it runs. Foreign images have none.
 */
#include <stdbool.h>

struct err;
struct payload;

/* E-VERIFY when stub or image differ. True without a header. */
[[nodiscard]] bool integrity_check(const struct payload *payload, struct err *err);
