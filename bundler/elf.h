/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * ELF objects as the dynamic loader sees them: program headers and PT_DYNAMIC, never sections.
 *
 * The only file that knows libelf. Files are hostile input: nothing but regular files is opened, so
 * a fifo cannot block us, and every offset and length is checked against the file before it is
 * believed. Errors are E-ELF and name file and field.
 *
 * Sources: gabi "Dynamic Linking"; glibc elf/dl-load.c (open_verify) for what a loader skips and
 * what it refuses.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

enum {
    ELF_DYNAMIC_MAX = 65536,  /* entries of PT_DYNAMIC */
    ELF_PROGRAM_MAX = 1024,   /* program headers */
    ELF_STRING_MAX = 1 << 16, /* bytes of one string of the dynamic string table */
};

struct elf_load; /* one PT_LOAD; private */

/* One entry of PT_DYNAMIC, DT_NULL left out. */
struct elf_entry {
    int64_t tag;
    uint64_t value;
};

/* DT_AUXILIARY or DT_FILTER: an object whose symbols come before those of this one. */
struct elf_filter {
    char *name;           /* $TOKENS untouched */
    bool is_auxiliary;    /* may be missing */
    size_t needed_before; /* so many DT_NEEDED stand before it in PT_DYNAMIC */
};

struct elf {
    char *path;
    int elf_class; /* ELFCLASS32, ELFCLASS64 */
    int encoding;  /* ELFDATA2LSB, ELFDATA2MSB */
    int machine;   /* EM_* */
    int type;      /* ET_EXEC or ET_DYN; others are refused */

    char *interp; /* PT_INTERP, or NULL */
    bool has_dynamic;

    char **needed; /* DT_NEEDED in file order, $TOKENS untouched */
    size_t needed_count;
    struct elf_filter *filters; /* in file order */
    size_t filter_count;
    char *soname;     /* or NULL */
    char *rpath;      /* or NULL; also NULL where there is a RUNPATH, which disables it */
    char *runpath;    /* or NULL; "" is a RUNPATH too */
    uint64_t flags_1; /* DF_1_* */

    dev_t dev;
    ino_t ino;

    const uint8_t *bytes; /* the whole file, mapped privately */
    size_t size_bytes;
    struct elf_load *loads;
    size_t load_count;
    struct elf_entry *dynamic; /* in file order */
    size_t dynamic_count;
};

/* An ELF header and nothing more. False where there is no file to be read; where reading fails,
 * elf_open() will say why, and this says true. */
bool elf_is_elf(const char *path);

/* Maps the file and reads all of the above. E-ELF when it is no regular file, no object, or
 * damaged; ret is only filled on success. */
[[nodiscard]] bool elf_open(struct elf *ret, const char *path, struct err *err);
void elf_release(struct elf *elf);

/* DF_1_NODEFLIB */
bool elf_ignores_default_dirs(const struct elf *elf);
/* Made to be executed, not to be loaded by dlopen(). (libc.so.6 is both, and counts as a library.)
 */
bool elf_is_program(const struct elf *elf);

/* "x86-64"; "unknown machine" for the rest of the world. Static storage. */
const char *elf_machine_name(int machine);

/* What the loader does with a candidate while it searches a library for `like`. */
enum elf_fit {
    ELF_FIT_YES,
    ELF_FIT_ABSENT,  /* cannot be opened: next directory */
    ELF_FIT_FOREIGN, /* other class or machine: next directory, silently */
    ELF_FIT_ABANDON, /* ELOOP, ENAMETOOLONG, ...: the loader gives up this list of directories */
    ELF_FIT_BROKEN,  /* err is filled: the loader stops with an error; or it cannot be read now */
};
/* As open_verify() of glibc: by the ELF header alone. err is filled for ELF_FIT_BROKEN only. */
enum elf_fit elf_fit(const char *path, const struct elf *like, struct err *err);

struct elf_match {
    uint64_t vaddr;           /* before relocation */
    uint64_t offset;          /* bytes from the start of the file */
    uint64_t remaining_bytes; /* from here to the end of the segment's bytes in the file */
};

/*
 * Looks for bytes in the segments that are mapped read-only. Fills at most `max` matches in the
 * order of the program headers; *ret_count is the number of all. False when there is none. Where
 * segments overlap, elf_bytes() may have something else at the address, or nothing.
 */
bool elf_find_bytes(const struct elf *elf, const void *needle, size_t len,
                    struct elf_match *ret_matches, size_t max, size_t *ret_count);

/* The file's bytes for an address, valid until elf_release(); NULL unless one segment has all. */
const void *elf_bytes(const struct elf *elf, uint64_t vaddr, size_t len);

/* From an address to the end of its segment's bytes in the file; NULL when no segment has it. */
const void *elf_segment_bytes(const struct elf *elf, uint64_t vaddr, size_t *ret_len);

/* The first entry of PT_DYNAMIC with this tag. */
bool elf_dynamic(const struct elf *elf, int64_t tag, uint64_t *ret);

/*
 * A copy of the file without what no process ever maps: debug information, symbol table and section
 * headers, which follow the last segment. Owned by the caller. NULL when that would save less than
 * ELF_TRIM_MIN bytes, or when it is not a 64-bit object of this machine's byte order.
 */
enum { ELF_TRIM_MIN = 16 << 10 };
char *elf_trimmed(const struct elf *elf, size_t *ret_size);
