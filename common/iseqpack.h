/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The pack of compiled Ruby sources, /.rucksack/iseqs: for each file what
 * RubyVM::InstructionSequence#to_binary gave at build (iseq.c of MRI, "ibf"), and where in it stand
 * texts that name the image's root, which is known only at start.
 *
 * Mapped read-only by every Ruby of a bundle; nothing is parsed, each look-up is a binary search.
 * All integers are little-endian, all offsets count from the start of the file. docs/format.md
 * specifies it; bundler/iseqs.c writes it; whoever reads it checks every number before it is
 * used.
 */
#include <stdint.h>

#define ISEQPACK_MAGIC "RSKISEQ1"
/* In the image: what Ruby loads to begin with the pack. */
#define ISEQPACK_STARTER ".rucksack/iseqs.rb"
/* Stands for the root in the texts of a pack. */
#define ISEQPACK_ROOT "/.rucksack:root"

/* Entries follow at once, sorted by the bytes of their paths. */
struct iseqpack_header {
    char magic[8];
    uint32_t count;
    uint32_t reserved;
};

/* path: relative to the root, no NUL at its end. texts: uint32_t each, ascending offsets in the
 * blob, of the words of its object list that point to texts with the root in them. */
struct iseqpack_entry {
    uint32_t path_offset;
    uint32_t path_size;
    uint32_t blob_offset;
    uint32_t blob_size;
    uint32_t texts_offset; /* a multiple of 4 */
    uint32_t texts_count;
};
