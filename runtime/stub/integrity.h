/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Is the file what was built? A damaged block need not fail to decompress: it may become a library
 * with a wrong instruction, and a program that crashes or worse. So a bundle of ours is compared
 * with the checksum in its header before anything of it is mounted. Foreign images have none.
 *
 * Against accidents only: who changes a file on purpose changes the checksum too. And no program
 * can check itself before it runs: a flip in the stub's own code may end in anything, which only
 * `rucksack verify` reports.
 */
#include <stdbool.h>

struct err;
struct payload;

/* Whether an error says that the file itself is wrong (E-IMAGE, E-VERIFY): then no other way to
 * start it, nor another place, mends that. */
bool integrity_is_damage(const struct err *err);

/* E-VERIFY when a byte of the file differs. True without a header. */
[[nodiscard]] bool integrity_check(const struct payload *payload, struct err *err);
