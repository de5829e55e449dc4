/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What an object may open at run time, as far as its bytes say: declared in .note.dlopen, named in
 * read-only data, or to be guessed from what it imports. Objects are hostile: all counts are
 * bounded, and what is damaged is passed over; elf_open() has refused what no loader would take.
 *
 * Sources: systemd docs/ELF_DLOPEN_METADATA.md; gabi "Note Section", "Hash Table"; binutils
 * bfd/elflink.c for the order of symbols under DT_GNU_HASH: what is imported comes first.
 */
#include <stdbool.h>
#include <stddef.h>

struct elf;

enum {
    ELFSCAN_NOTES_MAX = 256,   /* of one object */
    ELFSCAN_NAMES_MAX = 32,    /* alternatives of one note */
    ELFSCAN_STRING_MAX = 1024, /* bytes of a name or path in data */
};

/* Whether the object takes the function from another one. */
bool elfscan_imports(const struct elf *elf, const char *symbol);

enum elfscan_priority { ELFSCAN_REQUIRED, ELFSCAN_RECOMMENDED, ELFSCAN_SUGGESTED };

/* One dependency; strings are valid during the call. */
struct elfscan_note {
    const char *const *names; /* alternatives, the best first; at least one */
    size_t name_count;
    enum elfscan_priority priority;
    const char *feature; /* or NULL */
};

/* False: a note was there that cannot be read. The others were visited. */
bool elfscan_notes(const struct elf *elf,
                   void (*visit)(const struct elfscan_note *note, void *context), void *context);

/* File names in read-only data that look like "libz.so.1" and are no DT_NEEDED of the object. */
void elfscan_sonames(const struct elf *elf, void (*visit)(const char *soname, void *context),
                     void *context);

/* The same in any bytes, where names may stand in a list: "liba.so.1,libb.so.2". */
void elfscan_names(const char *bytes, size_t size, void (*visit)(const char *soname, void *context),
                   void *context);

/* Absolute paths in read-only data below /usr, /lib, /etc and /opt; lists are split at ':'. */
void elfscan_paths(const struct elf *elf, void (*visit)(const char *path, void *context),
                   void *context);

/* The last component of each string in read-only data, as far as it can be the name of a file:
 * tails of strings are strings, too. Conversions of printf() become '*', as for fnmatch(). */
void elfscan_components(const struct elf *elf, void (*visit)(const char *pattern, void *context),
                        void *context);
