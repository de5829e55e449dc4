/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What an object asks of the machine that it runs on: a level of the x86-64 instruction set, and a
 * version of Linux. Compilers and libraries write both into notes; the loader refuses an object
 * whose CPU level the machine does not have, and with an old glibc also one for a newer kernel.
 *
 * Sources: x86-64 psABI, "Program Property" (GNU_PROPERTY_X86_ISA_1_NEEDED); LSB, ".note.ABI-tag".
 */
#include <stdint.h>

struct elf;

struct demand {
    unsigned int cpu_level; /* 1: every x86-64, 2 to 4: x86-64-v2 to v4; 0: nothing is said */
    uint32_t linux_version; /* major << 16 | minor << 8 | patch; 0: nothing is said */
};

/* Notes that are damaged say nothing. */
struct demand demand_of(const struct elf *elf);
