/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The parameters of a glibc dynamic loader: where it looks, and how to stop it from looking there.
 *
 * They differ between distributions, so the loader itself is asked (ld.so --list-diagnostics, glibc
 * 2.33); an older one is read: its default directories are one block of NUL-separated strings.
 *
 * Sources: glibc elf/dl-diagnostics.c, elf/dl-load.c (system_dirs), elf/dl-cache.c and
 * sysdeps/generic/dl-cache.h (cache format 1.1).
 */
#include <stdbool.h>
#include <stddef.h>

struct elf;
struct err;

struct loader_cache_entry {
    const char *name; /* the soname that is looked up */
    const char *path;
    size_t order;   /* in the file */
    size_t variant; /* 0: the base file; else 1 + its index in struct loader */
};

struct loader {
    bool is_musl; /* see musl.h; what only glibc has is empty then */
    char *path;   /* as in PT_INTERP: "/lib64/ld-linux-x86-64.so.2" */
    char *soname; /* or NULL */
    int glibc_major;
    int glibc_minor;
    char **default_dirs; /* in order, each with its final slash */
    size_t default_dir_count;
    char *lib;        /* $LIB, or NULL */
    char *platform;   /* $PLATFORM, or NULL */
    char *cache_path; /* "/etc/ld.so.cache" */
    /* What the loader of this machine tries below each directory before the directory itself, best
     * first: "glibc-hwcaps/x86-64-v3"; before glibc 2.37 also "tls" and its like. */
    char **variants;
    size_t variant_count;

    char *cache_bytes;                        /* of the cache file */
    struct loader_cache_entry *cache_entries; /* of the program's ABI, sorted by name */
    size_t cache_count;
};

/*
 * Fills *ret for the interpreter of a program. Errors:
 *   E-STATIC  it has none
 *   E-LIBC    it is not glibc's, or one whose parameters cannot be found out
 *   E-ELF     the interpreter's file is damaged or missing
 */
[[nodiscard]] bool loader_open(struct loader *ret, const struct elf *program, struct err *err);
void loader_release(struct loader *loader);

/* The second half of loader_open(): what it does when the loader cannot be asked. No cache. */
[[nodiscard]] bool loader_from_bytes(struct loader *ret, const char *interp, struct err *err);

/*
 * Replaces the cache by the one in a file. As for the loader, a cache that is missing or damaged is
 * an empty one. Entries for instruction sets that this machine does not have are left out, and
 * those of the directories that loaders before glibc 2.37 searched (ldconfig has stopped to make
 * them).
 */
void loader_read_cache(struct loader *loader, const struct elf *program, const char *path);

/* Whether it has the option --argv0: glibc 2.33. */
bool loader_takes_argv0(const struct loader *loader);

/* The path that the cache has for a soname, or NULL. Never a variant for the instruction set of
 * some processors (glibc-hwcaps): a bundle must run on older ones than the one it is built on. */
const char *loader_cache_find(const struct loader *loader, const char *soname);

/* The same, as the loader chooses on this machine. mask as in loader_uses_variant(). */
const char *loader_cache_find_here(const struct loader *loader, const char *soname,
                                   const char *mask);

/* Whether --glibc-hwcaps-mask leaves it this variant: a list of names, NULL for all. Subdirectories
 * that loaders before glibc 2.37 search are no matter of it. */
bool loader_uses_variant(const struct loader *loader, size_t variant, const char *mask);

/*
 * Changes the bytes of a *copy* of this loader so that it never finds anything of the host: its
 * default directories, ld.so.cache and ld.so.preload are moved below "/.no", which does not exist.
 * No option of the loader does that: --inhibit-cache leaves the default directories. A missing
 * library becomes an error (exit code 127). Lengths stay the same. E-LIBC if a string is not there.
 */
[[nodiscard]] bool loader_make_hermetic(const struct loader *loader, char *bytes, size_t size_bytes,
                                        struct err *err);
