/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The dynamic symbols of an ELF object and their versions: what it asks of others, what it offers.
 *
 * Read as the loader reads them, through PT_DYNAMIC: what is asked for are the symbols that
 * relocations name, which is exactly what the loader looks up (`ldd -r`); what is offered is found
 * through DT_GNU_HASH or DT_HASH. Tables are hostile: every index is checked against the segment
 * that holds the table, and chains have an end even where they loop. Errors are E-ELF and name file
 * and field.
 *
 * Sources: gabi "Dynamic Linking"; Drepper, "ELF Symbol Versioning"; glibc elf/dl-version.c
 * (match_symbol) and elf/dl-lookup.c (check_match).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct elf;
struct err;

enum {
    ELFSYM_VERSION_MAX = 4096, /* versions that one object asks for, or offers */
    ELFSYM_REF_MAX = 1 << 20,  /* relocations of one object */
};

/* One entry of DT_VERNEED: the version of a library that the object was linked with. */
struct elfsym_need {
    const char *file; /* as in DT_NEEDED */
    const char *name; /* "GLIBC_2.34" */
    bool is_weak;     /* the loader goes on without it */
};

/* An undefined symbol that a relocation names and that must be found. */
struct elfsym_ref {
    const char *name;
    const char *version; /* or NULL */
    const char *file;    /* the library that the version was linked with, or NULL */
    bool is_lazy;        /* only calls need it: the object loads, and fails at the first call */
};

struct elfsym_tables; /* private */

/* Strings are those of the object's mapping: they live as long as elf. */
struct elfsym {
    const struct elf *elf;
    struct elfsym_need *needs;
    size_t need_count;
    struct elfsym_ref *refs; /* each symbol once; weak ones are left out */
    size_t ref_count;
    struct elfsym_tables *tables;
};

/* elf must outlive *ret. Objects of 64 bits, little-endian; others are E-ELF. */
[[nodiscard]] bool elfsym_read(struct elfsym *ret, const struct elf *elf, struct err *err);
void elfsym_release(struct elfsym *elfsym);

/* Without DT_VERDEF every version will do: the loader does not look further. */
bool elfsym_has_versions(const struct elfsym *elfsym);
bool elfsym_offers_version(const struct elfsym *elfsym, const char *version);

/* Whether the loader would take this object's symbol for the reference. */
bool elfsym_defines(const struct elfsym *elfsym, const struct elfsym_ref *ref);
